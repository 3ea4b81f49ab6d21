//! The ELF file that a machine enters, found in whatever kernel file a person gave: the file itself, or what is packed in
//! a bzImage.
//!
//! The machine reads and checks the ELF file; here only its magic is looked at. Nothing packed is read in a process's later
//! life: when the machine is built, its kernel is an open ELF file.

use std::fs::File;
use std::time::Instant;

use super::Cache;
use super::bzimage::{BzImageError, Payload};
use super::format::{Format, FormatError, recognise};

/// Called after each piece of work that takes time, with its name, its beginning and its end.
pub type Timed<'a> = &'a dyn Fn(&'static str, Instant, Instant);

/// A [`Timed`] that keeps nothing.
pub fn untimed(_: &'static str, _: Instant, _: Instant) {}

/// Why a file gives no ELF kernel.
#[derive(Debug, thiserror::Error)]
pub enum NoElf {
    /// It has another format.
    #[error("cannot boot this file")]
    Format(#[from] FormatError),
    /// It is a bzImage whose kernel cannot be unpacked.
    #[error("cannot unpack this bzImage")]
    BzImage(#[from] BzImageError),
}

/// The ELF file in `kernel`: the same file, or the unpacked payload of a bzImage, which the cache may have already.
pub fn elf(kernel: File, cache: &Cache, timed: Timed<'_>) -> Result<File, NoElf> {
    let began = Instant::now();
    let format = recognise(&kernel)?;
    timed("recognise the kernel", began, Instant::now());
    match format {
        Format::Elf => Ok(kernel),
        Format::BzImage => Ok(cache.unpacked(&kernel, &Payload::find(&kernel)?, timed)?),
    }
}

#[cfg(test)]
#[path = "elf_test.rs"]
mod tests;
