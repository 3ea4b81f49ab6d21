//! PID 1 and agent of a guest (guest/init) as bytes in this program: one static ELF, for an initramfs.

#![forbid(unsafe_code)]

use std::io::Read;

use flate2::read::GzDecoder;

static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/init.gz"));

/// The program, unpacked: some milliseconds, once for each guest.
pub fn image() -> Vec<u8> {
    let mut program = Vec::new();
    GzDecoder::new(PACKED).read_to_end(&mut program).expect("the build packed it");
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    const PT_INTERP: u32 = 3;

    fn field<const N: usize>(image: &[u8], at: usize) -> [u8; N] {
        *image[at..].first_chunk().unwrap()
    }

    #[test]
    fn it_needs_no_loader_and_no_library() {
        let image = image();
        assert_eq!(&image[..5], b"\x7fELF\x02");
        let (table, size, count) = (
            u64::from_le_bytes(field(&image, 0x20)),
            u16::from_le_bytes(field(&image, 0x36)),
            u16::from_le_bytes(field(&image, 0x38)),
        );
        let kind = |n: u16| u32::from_le_bytes(field(&image, table as usize + usize::from(n) * usize::from(size)));
        let kinds = (0..count).map(kind);
        assert!(kinds.clone().count() > 0);
        assert!(kinds.clone().all(|kind| kind != PT_INTERP));
    }

    /// Two thirds of it are the C library's and the standard library's, whatever it does.
    #[test]
    fn every_guest_can_afford_it() {
        assert!(image().len() < 3 << 19, "{} bytes", image().len());
    }
}
