//! The probe (guest/probe), a PVH kernel of our own, and the shortest guest beside it, as bytes in this program and as
//! files that a machine boots.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, Write};

use rustix::fs::{MemfdFlags, memfd_create};

/// The ELF, linked to be entered by its PVH note.
pub static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/probe/release/probe"));

/// The shortest guest (guest/probe/src/bin/ten.s): ten instructions that end in power-off.
pub static TEN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/probe/release/ten"));

/// One of the two as a file without a name, as `--kernel` would open one.
pub fn file(image: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("illico-kernel", MemfdFlags::CLOEXEC)?);
    file.write_all(image)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn they_are_elfs_for_x86_64() {
        for image in [IMAGE, TEN] {
            assert_eq!(&image[..5], b"\x7fELF\x02");
            assert_eq!(image[0x12..0x14], [0x3e, 0]);
        }
    }

    #[test]
    fn the_file_holds_it_from_the_beginning() {
        let mut first = [0; 4];
        file(TEN).unwrap().read_exact_at(&mut first, 0).unwrap();
        assert_eq!(&first, b"\x7fELF");
        assert_eq!(file(IMAGE).unwrap().metadata().unwrap().len(), IMAGE.len() as u64);
    }
}
