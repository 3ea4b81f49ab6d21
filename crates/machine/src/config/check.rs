//! Whether a configuration can be a machine, as far as numbers and names say. All mistakes at once.

use std::fmt;
use std::path::Path;

use super::{Announce, Config, Console, Feature, MAX_CPUS, Transport};
use crate::pci;

/// Least RAM that a guest gets.
const MIN_MEMORY: u64 = 16 << 20;

/// Something that has to be changed, with the option to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The option as it is written on the command line.
    pub option: &'static str,
    /// What is wrong with it, and what to write instead.
    pub text: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.option, self.text)
    }
}

/// One or more mistakes, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(pub Vec<Mistake>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Checks what can be checked without opening anything for the guest.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut mistakes = Vec::new();
        let mut wrong = |option, text: String| mistakes.push(Mistake { option, text });
        if self.kernel.as_os_str().is_empty() {
            wrong("--kernel", "no kernel is given: add --kernel FILE (an ELF vmlinux or a bzImage)".into());
        }
        if self.cpus == 0 || self.cpus > MAX_CPUS {
            wrong("--cpus", format!("{} is not between 1 and {MAX_CPUS}", self.cpus));
        }
        if self.memory.0 < MIN_MEMORY {
            wrong("--memory", format!("{} is too little: give the guest 16M or more", self.memory));
        } else if !self.memory.0.is_multiple_of(4096) {
            wrong("--memory", format!("{} is not a whole number of 4 KiB pages", self.memory));
        } else if self.memory.0 > host_memory() {
            let host = host_memory() >> 20;
            wrong("--memory", format!("{} is more than this host has: give at most {host}M", self.memory));
        }
        if self.announce == Announce::Cmdline && self.transport != Transport::Mmio {
            wrong("--announce", "cmdline is for --transport mmio; PCI devices are found on their bus".into());
        }
        if self.without.contains(&Feature::Msix) && self.transport == Transport::Mmio {
            wrong("--without", "msix is for --transport pci; virtio-mmio has none to do without".into());
        }
        let devices = self.device_count();
        if self.transport == Transport::Pci && devices > pci::MAX_FUNCTIONS {
            wrong(
                "--transport",
                format!("{devices} devices do not fit on the PCI bus, which has room for {}", pci::MAX_FUNCTIONS),
            );
        }
        self.check_images(&mut wrong);
        for (index, net) in self.net.iter().enumerate() {
            let before = &self.net[..index];
            if let Some(tap) = &net.tap
                && before.iter().any(|other| other.tap == net.tap)
            {
                wrong("--net", format!("tap={tap} is given twice: each card needs a tap of its own"));
            }
            if net.user && before.iter().any(|other| other.user) {
                wrong("--net", "user is given twice: its addresses are always the same".into());
            }
        }
        for (index, share) in self.fs.iter().enumerate() {
            if self.fs[..index].iter().any(|other| other.tag == share.tag) {
                wrong("--fs", format!("tag={} is given twice: each folder needs a tag of its own", share.tag));
            }
        }
        if mistakes.is_empty() { Ok(()) } else { Err(ConfigError(mistakes)) }
    }

    /// How many VirtIO devices the machine has.
    pub fn device_count(&self) -> usize {
        usize::from(self.console == Console::Virtio) + self.devices().len()
    }

    /// A file that a guest writes must not be seen by it twice: the two would not know of each other.
    fn check_images(&self, wrong: &mut impl FnMut(&'static str, String)) {
        let disks = self.disk.iter().map(|disk| ("--disk", disk.path.as_path(), disk.readonly));
        let pmem = self.pmem.iter().map(|pmem| ("--pmem", pmem.path.as_path(), pmem.readonly));
        let images: Vec<_> = disks.chain(pmem).collect();
        for (index, (option, path, readonly)) in images.iter().enumerate() {
            let clash = images[..index]
                .iter()
                .find(|(_, other, other_readonly)| same_file(path, other) && !(*readonly && *other_readonly));
            if clash.is_some() {
                let path = path.display();
                wrong(option, format!("{path} is given twice and written: make every use of it readonly, or copy it"));
            }
        }
    }
}

fn same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (std::fs::metadata(one), std::fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => one == other,
    }
}

/// Bytes of RAM of the host. One system call; /proc/meminfo, which says the same, takes a dozen.
fn host_memory() -> u64 {
    let info = rustix::system::sysinfo();
    info.totalram.saturating_mul(info.mem_unit.into())
}
