#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::io::Write;

use super::*;

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn told(bytes: &[u8]) -> String {
    recognise(&file(bytes)).unwrap_err().to_string()
}

#[test]
fn kernels_are_recognised_by_their_bytes() {
    let mut elf = vec![0; 64];
    elf[..4].copy_from_slice(b"\x7fELF");
    assert_eq!(recognise(&file(&elf)).unwrap(), Format::Elf);
    let mut bzimage = vec![0; 4096];
    bzimage[..2].copy_from_slice(b"MZ");
    bzimage[510..512].copy_from_slice(b"\x55\xaa");
    bzimage[0x202..0x206].copy_from_slice(b"HdrS");
    assert_eq!(recognise(&file(&bzimage)).unwrap(), Format::BzImage);
}

#[test]
fn what_is_given_by_mistake_is_named_with_what_to_do() {
    for &(at, magic, what, fix) in MISTAKES {
        let mut bytes = vec![0; 600];
        bytes[at..at + magic.len()].copy_from_slice(magic);
        assert_eq!(told(&bytes), format!("it is {what}; {fix}"));
    }
    assert_eq!(told(&b"root=/dev/vda\n".repeat(100)), "it is a text file; give the kernel itself");
}

#[test]
fn anything_else_is_told_by_size_and_first_bytes() {
    let fix = "give an ELF vmlinux or a bzImage";
    assert_eq!(told(b""), format!("the file is empty; {fix}"));
    for cut in [&b"\x7fEL"[..], b"\x7fELF", b"\x7fELF\x02\x01"] {
        assert_eq!(told(cut), format!("the file has only {} bytes, which is no kernel; {fix}", cut.len()));
    }
    let unknown = "it is neither an ELF file nor a bzImage; it begins with the bytes 90 90 90 90 90 90 90 90";
    assert_eq!(told(&[0x90; 100]), unknown);
    let folder = File::open(std::env::temp_dir()).unwrap();
    assert_eq!(recognise(&folder).unwrap_err().to_string(), format!("it is not a regular file; {fix}"));
}
