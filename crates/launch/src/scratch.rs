//! The scratch layer on a disk of the machine's own instead of in its memory.
//!
//! The host makes the file system, since a guest has no program for that. The file system has no journal, because it is
//! mounted only once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use illico_machine::config::Size;

use crate::error::{Part, PlanError};

/// The program, of the Debian package e2fsprogs.
const MKFS: &str = "mkfs.ext4";

/// Below this ext4 cannot be made, or has hardly room for anything.
const MIN_SIZE: u64 = 8 << 20;

/// Reads its size.
pub fn parse(text: &str) -> Result<Size, PlanError> {
    let size: Size = text.parse().map_err(|error| wrong(format!("{error}")))?;
    if size.0 < MIN_SIZE {
        return Err(wrong(format!("{size} is too little: give it {}M or more", MIN_SIZE >> 20)));
    }
    Ok(size)
}

fn wrong(why: String) -> PlanError {
    PlanError::new(Part::Scratch, why)
}

/// Makes a sparse file of this size, and a file system in it.
pub fn make(path: &Path, size: Size) -> Result<(), PlanError> {
    let refused = |error: std::io::Error| wrong(format!("{}: {error}", path.display()));
    let mkfs = find(std::env::var_os("PATH"))
        .ok_or_else(|| wrong(format!("{MKFS} is not on this host; install e2fsprogs, or use no scratch disk")))?;
    File::create_new(path).and_then(|file| file.set_len(size.0)).map_err(refused)?;
    let made = Command::new(&mkfs)
        .args(["-q", "-F", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard"])
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| wrong(format!("cannot start {}: {error}", mkfs.display())))?;
    if !made.status.success() {
        let said = String::from_utf8_lossy(&made.stderr);
        return Err(wrong(format!("{MKFS} failed: {}", said.trim())));
    }
    Ok(())
}

/// Finds mkfs.ext4. It is a program for administrators, whose folder is often missing in PATH.
fn find(path: Option<std::ffi::OsString>) -> Option<PathBuf> {
    let folders = path.map(|path| std::env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let folders = folders.into_iter().chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(MKFS)).find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_at_least_one_that_a_file_system_fits_in() {
        assert_eq!(parse("1G").unwrap().0, 1 << 30);
        assert!(parse("1M").unwrap_err().to_string().contains("8M or more"));
        assert!(parse("much").is_err());
    }

    #[test]
    fn the_program_is_sought_in_the_path_and_where_administrators_have_it() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join(MKFS);
        std::fs::write(&program, "").unwrap();
        assert_eq!(find(Some(folder.path().into())), Some(program));
    }

    #[test]
    fn a_disk_that_is_there_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scratch.img");
        std::fs::write(&path, "mine").unwrap();
        assert!(make(&path, Size::mebibytes(16)).is_err());
        assert_eq!(std::fs::read_to_string(path).unwrap(), "mine");
    }
}
