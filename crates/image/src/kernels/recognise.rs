//! What kernel a file is, by its bytes: the release that it will say it is.
//!
//! A bzImage has the offset of its version string in the setup header (Documentation/arch/x86/boot.rst, `kernel_version`).
//! An ELF file has it in its banner, "Linux version RELEASE (...", somewhere in its read-only data.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::fs::File;
use std::io::{self, Read};

use memchr::memmem;

const SETUP_MAGIC: (usize, &[u8]) = (0x202, b"HdrS");
const VERSION_OFFSET: usize = 0x20e;
/// The offset counts from the end of the boot sector.
const BOOT_SECTOR: usize = 0x200;
/// The setup code, with the version string in it, is 64 sectors at most, and its sector.
const MAX_SETUP: u64 = 65 * 512;
const BANNER: &[u8] = b"Linux version ";
/// e_machine of x86-64.
const EM_X86_64: [u8; 2] = [62, 0];
const MAX_RELEASE: usize = 128;

/// The release, or `None` if it is no kernel.
pub(super) fn release(file: &File) -> io::Result<Option<String>> {
    let mut start = Vec::new();
    file.take(MAX_SETUP).read_to_end(&mut start)?;
    if start.get(SETUP_MAGIC.0..).is_some_and(|rest| rest.starts_with(SETUP_MAGIC.1)) {
        return Ok(of_bzimage(&start));
    }
    if !start.starts_with(b"\x7fELF\x02\x01") || start.get(18..20) != Some(&EM_X86_64) {
        return Ok(None);
    }
    of_elf(start, file)
}

fn of_bzimage(start: &[u8]) -> Option<String> {
    let offset = u16::from_le_bytes(*start.get(VERSION_OFFSET..)?.first_chunk()?);
    token(start.get(usize::from(offset).checked_add(BOOT_SECTOR)?..)?)
}

/// Looks through the file step by step, each with the end of the one before.
fn of_elf(start: Vec<u8>, mut file: &File) -> io::Result<Option<String>> {
    const STEP: u64 = 1 << 20;
    let mut window = start;
    loop {
        let mut releases =
            memmem::find_iter(&window, BANNER).filter_map(|at| token(window.get(at.checked_add(BANNER.len())?..)?));
        // Format strings look like banners.
        if let Some(release) = releases.find(|release| release.starts_with(|first: char| first.is_ascii_digit())) {
            return Ok(Some(release));
        }
        drop(releases);
        let keep = window.len().saturating_sub(BANNER.len().saturating_add(MAX_RELEASE));
        window.drain(..keep);
        if (&mut file).take(STEP).read_to_end(&mut window)? == 0 {
            return Ok(None);
        }
    }
}

/// The word that begins here and ends with a space.
fn token(bytes: &[u8]) -> Option<String> {
    let word = bytes.get(..MAX_RELEASE.min(bytes.len()))?.split(|&byte| byte == b' ' || byte == 0).next()?;
    let is_whole = word.len() < MAX_RELEASE.min(bytes.len());
    (is_whole && !word.is_empty() && word.iter().all(u8::is_ascii_graphic))
        .then(|| String::from_utf8_lossy(word).into_owned())
}

#[cfg(test)]
#[path = "recognise_test.rs"]
pub(super) mod tests;
