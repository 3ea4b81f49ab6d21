//! Whether a configuration can be a machine, as far as numbers and names say. All mistakes at once.

use std::fmt;
use std::path::Path;

use super::place::{Advice, Place};
use super::{Announce, Config, Console, Feature, MAX_CPUS, Transport};
use crate::pci;

/// Least RAM that a guest gets.
const MIN_MEMORY: u64 = 16 << 20;

/// Something that has to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What to change.
    pub place: Place,
    /// What is wrong with it, and what to write instead.
    pub text: String,
    /// Another field that would mend it.
    pub advice: Option<Advice>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Field(field) => write!(f, "{field}: {}", self.text),
            Place::Device { field, index } => write!(f, "{field} {index}: {}", self.text),
        }
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
        let field = |field, text: String| Mistake { place: Place::Field(field), text, advice: None };
        let mut wrong = |mistake| mistakes.push(mistake);
        if self.kernel.as_os_str().is_empty() {
            let advice = Some(Advice::new("add", "kernel", "FILE"));
            wrong(Mistake { advice, ..field("kernel", "no kernel is given (an ELF vmlinux or a bzImage)".into()) });
        }
        if self.cpus == 0 || self.cpus > MAX_CPUS {
            wrong(field("cpus", format!("{} is not between 1 and {MAX_CPUS}", self.cpus)));
        }
        if self.memory.0 < MIN_MEMORY {
            wrong(field("memory", format!("{} is too little: give the guest 16M or more", self.memory)));
        } else if !self.memory.0.is_multiple_of(4096) {
            wrong(field("memory", format!("{} is not a whole number of 4 KiB pages", self.memory)));
        } else if self.memory.0 > host_memory() {
            let host = host_memory() >> 20;
            wrong(field("memory", format!("{} is more than this host has: give at most {host}M", self.memory)));
        }
        if self.announce == Announce::Cmdline && self.transport != Transport::Mmio {
            let advice = Some(Advice::new("it takes", "transport", "mmio"));
            let text = "cmdline is for virtio-mmio; PCI devices are found on their bus".into();
            wrong(Mistake { advice, ..field("announce", text) });
        }
        if self.without.contains(&Feature::Msix) && self.transport == Transport::Mmio {
            let advice = Some(Advice::new("it takes", "transport", "pci"));
            wrong(Mistake { advice, ..field("without", "virtio-mmio has no msix to do without".into()) });
        }
        let devices = self.device_count();
        if self.transport == Transport::Pci && devices > pci::MAX_FUNCTIONS {
            let most = pci::MAX_FUNCTIONS;
            let text = format!("{devices} devices do not fit on the PCI bus, which has room for {most}");
            wrong(field("transport", text));
        }
        self.check_images(&mut wrong);
        let device = |field, index, text| Mistake { place: Place::Device { field, index }, text, advice: None };
        for (index, net) in self.net.iter().enumerate() {
            let before = &self.net[..index];
            if let Some(tap) = &net.tap
                && before.iter().any(|other| other.tap == net.tap)
            {
                wrong(device("net", index, format!("tap={tap} is given twice: each card needs a tap of its own")));
            }
            if net.user && before.iter().any(|other| other.user) {
                wrong(device("net", index, "user is given twice: its addresses are always the same".into()));
            }
        }
        for (index, share) in self.fs.iter().enumerate() {
            if self.fs[..index].iter().any(|other| other.tag == share.tag) {
                let text = format!("tag={} is given twice: each folder needs a tag of its own", share.tag);
                wrong(device("fs", index, text));
            }
        }
        if mistakes.is_empty() { Ok(()) } else { Err(ConfigError(mistakes)) }
    }

    /// How many VirtIO devices the machine has.
    pub fn device_count(&self) -> usize {
        usize::from(self.console == Console::Virtio) + self.devices().len()
    }

    /// A file that a guest writes must not be seen by it twice: the two would not know of each other.
    fn check_images(&self, wrong: &mut impl FnMut(Mistake)) {
        let place = |field, index| Place::Device { field, index };
        let disks = self.disk.iter().enumerate().map(|(n, disk)| (place("disk", n), &*disk.path, disk.readonly));
        let pmem = self.pmem.iter().enumerate().map(|(n, pmem)| (place("pmem", n), &*pmem.path, pmem.readonly));
        let images: Vec<_> = disks.chain(pmem).collect();
        for (index, (place, path, readonly)) in images.iter().enumerate() {
            let clash = images[..index]
                .iter()
                .find(|(_, other, other_readonly)| same_file(path, other) && !(*readonly && *other_readonly));
            if clash.is_some() {
                let path = path.display();
                let text = format!("{path} is given twice and written: make every use of it readonly, or copy it");
                wrong(Mistake { place: *place, text, advice: None });
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
