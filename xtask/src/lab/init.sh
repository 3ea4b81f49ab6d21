#!/bin/busybox sh
# PID 1 of the lab: file systems, modules, then /lab/command with its output on the port "output".
# Says the end by a line on the port "control"; the host then ends QEMU. A host that hangs up ends the lab.
PATH=/bin:/sbin:/usr/bin:/usr/sbin
HOME=/root
TERM=linux
export PATH HOME TERM

# The first root is rootfs, of which nobody can pivot away. A bind mount of it, moved on top, is an ordinary root.
/bin/busybox mount --bind / /mnt
cd /mnt
/bin/busybox mount --move . /
exec /bin/busybox chroot . /lab/start
