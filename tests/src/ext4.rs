//! ext4 images on the host: made before a guest has them, checked and read after.
//!
//! e2fsprogs reads them without a mount, so what a test sees is what the machine left, and needs no rights.

use std::path::Path;
use std::process::{Command, Output};

use xtask::packages;

/// Makes an empty file system. The block size of DAX is that of a page, 4096.
pub fn make(image: &Path, mib: u64, block_size: u32) {
    let block_size = block_size.to_string();
    let made =
        run(Command::new(program("mkfs.ext4")).args(["-q", "-F", "-b", &block_size]).arg(image).arg(format!("{mib}M")));
    assert!(made.status.success(), "{made:?}");
}

/// It was unmounted, and all of it is consistent.
pub fn assert_clean(image: &Path) {
    let checked = run(Command::new(program("e2fsck")).args(["-f", "-n"]).arg(image));
    let report = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{}: {report}", image.display());
    let superblock = run(Command::new(program("dumpe2fs")).arg("-h").arg(image));
    assert!(superblock.status.success(), "{superblock:?}");
    let superblock = String::from_utf8_lossy(&superblock.stdout);
    assert!(!superblock.contains("needs_recovery"), "{} was not unmounted: {superblock}", image.display());
}

/// What is in a file of it.
pub fn content(image: &Path, path: &str) -> Vec<u8> {
    let read = run(Command::new(program("debugfs")).args(["-R", &format!("cat {path}")]).arg(image));
    assert!(read.status.success(), "{read:?}");
    read.stdout
}

fn program(name: &str) -> std::path::PathBuf {
    packages::require(&[(name, "e2fsprogs")]).unwrap_or_else(|error| panic!("{error}"));
    packages::find_program(name).unwrap_or_else(|| panic!("e2fsprogs has no {name}"))
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"))
}
