//! Programs for the lab: a host's program with the shared libraries that it needs.
//!
//! `ldd` runs the dynamic loader on the program, so this is for the developer's own programs only.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;
use crate::error::output_of;

/// The shared libraries and the loader of a dynamic program; nothing for a static program or another file.
pub fn libraries(program: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut magic = [0; 4];
    let length =
        File::open(program).and_then(|mut file| file.read(&mut magic)).map_err(Error::file("read", program))?;
    if length < 4 || magic != *b"\x7fELF" {
        return Ok(Vec::new());
    }
    match output_of(Command::new("ldd").arg(program).env("LC_ALL", "C")) {
        Ok(listing) => Ok(parse_ldd(&String::from_utf8_lossy(&listing))),
        // ldd's way to say that the program is static.
        Err(Error::Failed { stderr, .. }) if stderr.contains("not a dynamic executable") => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x7f…)` and `/lib64/ld-linux-x86-64.so.2 (0x7f…)`.
fn parse_ldd(listing: &str) -> Vec<PathBuf> {
    listing
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(PathBuf::from)
        .collect()
}

#[cfg(test)]
#[path = "programs_test.rs"]
mod tests;
