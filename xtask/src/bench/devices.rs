//! Devices at work in a Linux guest: what one request, packet or MiB costs beyond a boot that does no work.
//!
//! One initramfs does all: `work=` on the guest's command line says what. Each monitor boots once without work, and what
//! that costs is taken off.

use std::collections::BTreeMap;
use std::process::Command;

use super::figures::{Row, Table};
use super::monitors::{Device, Monitor};
use super::script::{self, Beyond, Cost};
use crate::error::output_of;
use crate::lab::read;
use crate::{Error, GuestInit, Kernel, Series, packages, programs, project};

/// What the guest does when it is told `work=NAME`.
const WORK: &str = "
exec </dev/console >/dev/console 2>&1
case $work in
none) ;;
read-*) IFS=- read -r _ size depth count <<END
$work
END
    guest-load $size $depth $count /dev/vda ;;
console) dd if=/64k of=/dev/console bs=4k 2>/dev/null ;;
net-*)
    ifconfig eth0 172.20.0.2 netmask 255.255.255.0 up
    mkfifo /tmp/open && exec 9<>/tmp/open
    case $work in
    net-ping) ping -A -q -c 500 172.20.0.1 >/dev/null ;;
    net-in) nc 172.20.0.1 5001 <&9 >/dev/null ;;
    net-out) dd if=/dev/zero bs=64k count=512 2>/dev/null | nc 172.20.0.1 5002 ;;
    esac ;;
file-*)
    if [ -b /dev/pmem0 ]; then mount -t ext4 -o ro,dax=always /dev/pmem0 /mnt; else mount -t ext4 -o ro /dev/vda /mnt; fi
    for time in $(seq ${work#file-}); do cat /mnt/file >/dev/null; done ;;
esac
reboot -f
";

/// The host's side of the net: a tap with an address, and two servers that start again for each guest. A pipe that nobody
/// closes keeps `nc` from taking an end of its input for an end of the connection.
const NET: &str = "
mkfifo open && exec 9<>open
tunctl -t tap0 >/dev/null; ip address add 172.20.0.1/24 dev tap0; ip link set tap0 up
while :; do dd if=/dev/zero bs=64k count=512 2>/dev/null | nc -l -p 5001 >/dev/null; done &
while :; do nc -l -p 5002 <&9 >/dev/null; done &
";

fn initrd() -> Result<Vec<u8>, Error> {
    let kernel = Kernel::get(Series::V6_12)?;
    let load = project::program("xtask", "guest-load", project::Profile::Dev)?;
    let mut init = GuestInit::new(&kernel)
        .modules(["virtio_mmio", "virtio_blk", "virtio_net", "virtio_pmem", "nd_virtio", "nd_pmem", "ext4"])
        .file("/64k", 0o644, vec![b'.'; 65_536])
        .script(WORK);
    for library in programs::libraries(&load)? {
        init = init.file(library.to_string_lossy().into_owned(), 0o755, read(&library)?);
    }
    init.file("/bin/guest-load", 0o755, read(&load)?).build()
}

/// Runs each work with each monitor, and once none.
fn run(
    prelude: &str,
    works: &[(&str, Vec<Device>)],
    monitors: &[Monitor],
    disk: Option<Vec<u8>>,
) -> Result<Costs, Error> {
    // What runs first reads the kernel into the lab's memory: that is not measured.
    let warm = Monitor::Illico.command("bench.cpio", "work=none", &[]);
    let mut lines = vec![prelude.to_owned(), format!("timeout -s KILL 8 {warm} </dev/null >/dev/null 2>&1")];
    for monitor in monitors {
        let mut bases: Vec<&[Device]> = Vec::new();
        for (work, devices) in works {
            if !bases.contains(&devices.as_slice()) {
                let command = monitor.command("bench.cpio", "work=none", devices);
                lines.push(format!("measure {} {command}", key(*monitor, "none", devices)));
                bases.push(devices);
            }
            let command = monitor.command("bench.cpio", &format!("work={work}"), devices);
            lines.push(format!("measure {} {command}", key(*monitor, work, devices)));
        }
    }
    let mut files = vec![("bench.cpio", initrd()?)];
    files.extend(disk.map(|disk| ("disk.img", disk)));
    Ok(Costs(script::run(&lines.join("\n"), &files)?))
}

/// The name of a measurement, a word for the shell: `illico-read-4096-1-1000-Disk`.
fn key(monitor: Monitor, work: &str, devices: &[Device]) -> String {
    let devices: String = devices.iter().map(|device| format!("-{device:?}")).collect();
    format!("{}-{work}{devices}", monitor.key())
}

struct Costs(BTreeMap<String, Cost>);

impl Costs {
    /// What a unit of work cost beyond a boot that does none.
    fn beyond(&self, monitor: Monitor, work: &str, devices: &[Device], units: f64) -> Option<Beyond> {
        let get = |work: &str| self.0.get(&key(monitor, work, devices));
        Some(get(work)?.beyond(get("none")?, units))
    }
}

fn values(cost: Beyond) -> Vec<Option<f64>> {
    [cost.exits, cost.memory, cost.instructions].map(Some).to_vec()
}

/// Reads of 4 and 64 KiB, one and 32 at a time.
pub fn block() -> Result<Table, Error> {
    let works = [
        ("read-4096-1-1000", "4 KiB, depth 1", 1000.0),
        ("read-4096-32-2000", "4 KiB, depth 32", 2000.0),
        ("read-65536-1-500", "64 KiB, depth 1", 500.0),
        ("read-65536-32-500", "64 KiB, depth 32", 500.0),
    ];
    let each: Vec<_> = works.iter().map(|(work, ..)| (*work, vec![Device::Disk])).collect();
    let costs = run("truncate -s 64M disk.img", &each, &Monitor::ALL, None)?;
    let rows = works.iter().flat_map(|(work, name, count)| {
        let costs = &costs;
        Monitor::ALL.into_iter().filter_map(move |monitor| {
            let cost = costs.beyond(monitor, work, &[Device::Disk], *count)?;
            Some(Row { name: format!("{name}: {}", monitor.name()), values: values(cost) })
        })
    });
    Ok(Table {
        id: "block".to_owned(),
        title: "Disk reads".to_owned(),
        boundary: "A guest program reads a raw image that the host has cached, past the guest's own cache (O_DIRECT), with as many \
                   threads as the depth says. A request, beyond what the same boot costs without reading. In the lab, whose one CPU \
                   runs guest and device in turn. illico: default engine; QEMU: default engine."
            .to_owned(),
        columns: ["exits a request", "of them page faults and MMIO", "thousand instructions"].map(Into::into).to_vec(),
        rows: rows.collect(),
        plotted: 0,
    })
}

/// Small packets and bulk.
pub fn net() -> Result<Table, Error> {
    let works = [
        ("net-ping", "ping, a round trip", 500.0),
        ("net-in", "32 MiB of TCP received, a MiB", 32.0),
        ("net-out", "32 MiB of TCP sent, a MiB", 32.0),
    ];
    let each: Vec<_> = works.iter().map(|(work, ..)| (*work, vec![Device::Net])).collect();
    let costs = run(NET, &each, &Monitor::ALL, None)?;
    let rows = works.iter().flat_map(|(work, name, count)| {
        let costs = &costs;
        Monitor::ALL.into_iter().filter_map(move |monitor| {
            let cost = costs.beyond(monitor, work, &[Device::Net], *count)?;
            Some(Row { name: format!("{name}: {}", monitor.name()), values: values(cost) })
        })
    });
    Ok(Table {
        id: "net".to_owned(),
        title: "Network".to_owned(),
        boundary: "A card on a tap of the lab, the other end a program of the lab. 500 pings, one after the other; 32 MiB through one TCP \
                   connection. Beyond the same boot without them; the guest's timers while it waits are included. QEMU without vhost."
            .to_owned(),
        columns: ["exits", "of them page faults and MMIO", "thousand instructions"].map(Into::into).to_vec(),
        rows: rows.collect(),
        plotted: 0,
    })
}

/// 64 KiB to each console.
pub fn console() -> Result<Table, Error> {
    let kinds: [(&str, Vec<Device>); 2] = [("VirtIO", vec![]), ("UART", vec![Device::Uart])];
    let each: Vec<_> = kinds.iter().map(|(_, devices)| ("console", devices.clone())).collect();
    let costs = run("", &each, &Monitor::ALL, None)?;
    let rows = kinds.iter().flat_map(|(name, devices)| {
        let costs = &costs;
        Monitor::ALL.into_iter().filter_map(move |monitor| {
            let Beyond { exits, instructions, .. } = costs.beyond(monitor, "console", devices, 1.0)?;
            let values = vec![Some(exits.max(0.0)), Some(instructions.round())];
            Some(Row { name: format!("{name}: {}", monitor.name()), values })
        })
    });
    Ok(Table {
        id: "console".to_owned(),
        title: "64 KiB to the console".to_owned(),
        boundary:
            "A guest writes 65,536 bytes to /dev/console in pieces of 4 KiB, beyond a boot that does not. In the lab, where a guest that spins until its console has taken a piece keeps the one CPU from the device: such waiting is among the instructions."
                .to_owned(),
        columns: ["exits", "thousand instructions"].map(Into::into).to_vec(),
        rows: rows.collect(),
        plotted: 0,
    })
}

/// A file of 16 MiB, once and twice.
pub fn pmem() -> Result<Table, Error> {
    let ways = [("pmem, DAX", vec![Device::Pmem]), ("disk", vec![Device::Disk])];
    let works = ["file-1", "file-2", "file-9"];
    let each: Vec<_> = ways.iter().flat_map(|(_, devices)| works.map(|work| (work, devices.clone()))).collect();
    let costs = run("", &each, &[Monitor::Illico], Some(file_system()?))?;
    let row = |(name, devices): &(&str, Vec<Device>)| {
        let beyond = |work| costs.beyond(Monitor::Illico, work, devices, 16.0);
        let (first, twice, nine) = (beyond("file-1")?.memory, beyond("file-2")?.memory, beyond("file-9")?.memory);
        let values = vec![Some(first), Some((twice - first).max(0.0)), Some(((nine - twice) / 7.0).max(0.0))];
        Some(Row { name: (*name).to_owned(), values })
    };
    Ok(Table {
        id: "pmem".to_owned(),
        title: "A file read from pmem and from a disk".to_owned(),
        boundary: "16 MiB of a file on ext4, read by `cat` into nothing; page faults and MMIO a MiB, kicks among them. The first time pmem's pages \
                   are entered into the second level of page tables one by one, and the disk's are copied into the guest's cache, 128 KiB \
                   a request; after that both are memory. In the lab."
            .to_owned(),
        columns: ["first time, exits a MiB", "second time", "third to ninth time, each"].map(Into::into).to_vec(),
        rows: ways.iter().filter_map(row).collect(),
        plotted: 0,
    })
}

/// An ext4 image of 64 MiB with one file of 16 MiB.
fn file_system() -> Result<Vec<u8>, Error> {
    let mkfs = packages::find_program("mkfs.ext4").unwrap_or_else(|| "mkfs.ext4".into());
    let folder = tempfile::tempdir().map_err(Error::file("create", std::env::temp_dir()))?;
    let content = folder.path().join("content");
    std::fs::create_dir(&content).map_err(Error::file("create", &content))?;
    let file = content.join("file");
    std::fs::write(&file, vec![0x5a; 16 << 20]).map_err(Error::file("write", &file))?;
    let image = folder.path().join("image");
    output_of(Command::new(mkfs).args(["-q", "-F", "-b", "4096", "-d"]).arg(&content).arg(&image).arg("64M"))?;
    read(&image)
}
