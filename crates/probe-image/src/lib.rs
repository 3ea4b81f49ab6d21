//! The probe (guest/probe), a PVH kernel of our own, as bytes in this program and as a file that a machine boots.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, Write};

use rustix::fs::{MemfdFlags, memfd_create};

/// The ELF, linked to be entered by its PVH note.
pub static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/probe/release/probe"));

/// The probe as a file without a name, as `--kernel` would open one.
pub fn file() -> io::Result<File> {
    let mut file = File::from(memfd_create("illico-probe", MemfdFlags::CLOEXEC)?);
    file.write_all(IMAGE)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn it_is_an_elf_for_x86_64() {
        assert_eq!(&IMAGE[..5], b"\x7fELF\x02");
        assert_eq!(IMAGE[0x12..0x14], [0x3e, 0]);
    }

    #[test]
    fn the_file_holds_it_from_the_beginning() {
        let mut first = [0; 4];
        file().unwrap().read_exact_at(&mut first, 0).unwrap();
        assert_eq!(&first, b"\x7fELF");
        assert_eq!(file().unwrap().metadata().unwrap().len(), IMAGE.len() as u64);
    }
}
