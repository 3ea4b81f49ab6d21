#!/bin/busybox sh
# The rest of the lab's PID 1, see init.
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /dev/disk /dev/net
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t tracefs tracefs /sys/kernel/tracing
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
hostname lab
ip link set lo up

for port in /sys/class/virtio-ports/*; do
    ln -s "/dev/${port##*/}" "/run/port-$(cat "$port/name")"
done
# A port opens once. Everything that the command starts writes to a fifo, which can be opened by its name as often
# as it likes (/dev/stderr); one cat carries it to the port, so the order stays.
exec 8>/run/port-control
mkfifo /run/output
cat /run/output >/run/port-output &
exec 9<>/run/output

for module in $(cat /lab/boot-modules); do
    insmod "$module"
done
for disk in /sys/block/vd*; do
    ln -s "/dev/${disk##*/}" "/dev/disk/$(cat "$disk/serial")"
done
mount -t ext4 -o ro /dev/disk/lab /shelf
for module in $(cat /lab/modules); do
    modprobe "$module" 2>&1 | sed "s/^/modprobe $module: /" >/dev/kmsg
done

# A host that was killed hangs up: nothing else would end this lab.
(cat /run/port-pulse >/dev/null; echo o >/proc/sysrq-trigger) 8>&- 9>&- &

cd /root
/lab/command </dev/null >&9 2>&9 8>&- 9>&-
status=$?

cat /lab/marker >&9
exec 7>/run/port-files
while IFS= read -r file; do
    if [ -f "$file" ]; then
        wc -c <"$file" >&7
        cat "$file" >&7
    else
        echo - >&7
    fi
done </lab/fetch
sync
echo "status $status" >&8
exec sleep 1000000
