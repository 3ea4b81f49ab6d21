//! PID 1 and agent of a guest (guest/init) as bytes in this program: one static ELF, for an initramfs.

#![forbid(unsafe_code)]

/// The program.
pub static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/init/x86_64-unknown-linux-gnu/release/init"));

#[cfg(test)]
mod tests {
    use super::*;

    const PT_INTERP: u32 = 3;

    fn field<const N: usize>(at: usize) -> [u8; N] {
        *IMAGE[at..].first_chunk().unwrap()
    }

    #[test]
    fn it_needs_no_loader_and_no_library() {
        assert_eq!(&IMAGE[..5], b"\x7fELF\x02");
        let (table, size, count) =
            (u64::from_le_bytes(field(0x20)), u16::from_le_bytes(field(0x36)), u16::from_le_bytes(field(0x38)));
        let kinds = (0..count).map(|n| u32::from_le_bytes(field(table as usize + usize::from(n) * usize::from(size))));
        assert!(kinds.clone().count() > 0);
        assert!(kinds.clone().all(|kind| kind != PT_INTERP));
    }

    /// Two thirds of it are the C library's and the standard library's, whatever it does.
    #[test]
    fn every_guest_can_afford_it() {
        assert!(IMAGE.len() < 3 << 19, "{} bytes", IMAGE.len());
    }
}
