//! Why a guest could not be loaded.

use illico_memory::OutOfRam;

use super::elf::ElfError;
use super::initrd::InitrdError;

/// Why a guest could not be loaded.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the variants and fields are")]
pub enum LoadError {
    /// The ELF file cannot be booted.
    #[error("cannot boot this kernel")]
    Elf(#[from] ElfError),
    /// The initrd could not be placed.
    #[error("cannot load the initrd")]
    Initrd(#[from] InitrdError),
    /// There is not even memory for what every guest gets.
    #[error("{bytes} bytes of memory are too little for any guest; give it 16M or more")]
    Memory { bytes: u64 },
    /// A range that was checked turned out not to be RAM.
    #[error("writing the boot data")]
    BootData(#[from] OutOfRam),
}

impl LoadError {
    /// The field of the configuration that the error is about.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Elf(ElfError::OutOfRam { .. }) | Self::Memory { .. } | Self::BootData(_) => "memory",
            Self::Elf(_) => "kernel",
            Self::Initrd(_) => "initrd",
        }
    }
}
