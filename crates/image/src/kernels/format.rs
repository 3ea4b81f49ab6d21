//! Recognises a kernel file by its first bytes: an ELF file, a bzImage, or something else that is given by mistake.
//! Headers behind the magic are checked by those who read them: `bzimage`, and the machine's ELF loader.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A format that can be booted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An uncompressed kernel: `vmlinux`, or any other that PVH enters.
    Elf,
    /// The compressed `vmlinuz` of a distribution.
    BzImage,
}

/// Why a file is no kernel image.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    #[error("reading its first bytes")]
    Read(#[source] io::Error),
    #[error("it is not a regular file; give an ELF vmlinux or a bzImage")]
    NotAFile,
    #[error("the file is empty; give an ELF vmlinux or a bzImage")]
    Empty,
    #[error("the file has only {0} bytes, which is no kernel; give an ELF vmlinux or a bzImage")]
    Short(u64),
    #[error("it is {what}; {fix}")]
    Other { what: &'static str, fix: &'static str },
    #[error("it is neither an ELF file nor a bzImage; it begins with the bytes {0}")]
    Unknown(String),
}

/// Where the setup header of a bzImage begins with its magic (Linux Documentation/arch/x86/boot.rst).
const SETUP_MAGIC: (usize, &[u8]) = (0x202, b"HdrS");
/// No image of either format is shorter than its first sector and the header in the second one.
const MIN_SIZE: u64 = 52;
const ELF_MAGIC: &[u8] = b"\x7fELF";

/// Formats that are given by mistake: where their magic is, the magic, what it is, what to do.
#[rustfmt::skip]
const MISTAKES: &[(usize, &[u8], &str, &str)] = &[
    (0x00, b"\x1f\x8b", "a file compressed with gzip", "unpack it with gunzip"),
    (0x00, b"\x28\xb5\x2f\xfd", "a file compressed with zstd", "unpack it with unzstd"),
    (0x00, b"\xfd7zXZ\0", "a file compressed with xz", "unpack it with unxz"),
    (0x00, b"BZh", "a file compressed with bzip2", "unpack it with bunzip2"),
    (0x00, b"\x04\x22\x4d\x18", "a file compressed with lz4", "unpack it with unlz4"),
    (0x00, b"\x02\x21\x4c\x18", "a file compressed with lz4", "unpack it with unlz4"),
    (0x00, b"\x5d\0\0", "a file compressed with lzma", "unpack it with unlzma"),
    (0x00, b"07070", "a cpio archive, which looks like an initramfs", "give it as the initial RAM disk"),
    (0x00, b"#!", "a script", "give the kernel itself"),
    (0x00, b"!<arch>\n", "a Debian package or an ar archive", "unpack it with dpkg -x and give boot/vmlinuz-*"),
    (0x00, b"\xed\xab\xee\xdb", "an RPM package", "unpack it with rpm2cpio and give the vmlinuz in it"),
    (0x00, b"QFI\xfb", "a qcow2 disk image", "give its kernel, and this as a disk"),
    (0x00, b"\x27\x05\x19\x56", "a U-Boot image", "give the kernel in it"),
    (0x38, b"ARM\x64", "a kernel for 64-bit ARM", "this machine is x86-64"),
    (0x38, b"RSC\x05", "a kernel for RISC-V", "this machine is x86-64"),
    (257, b"ustar", "a tar archive", "unpack it and give the kernel in it"),
    (0x00, b"MZ", "an EFI program without a Linux setup header", "give the kernel in it (for a unified kernel image: objcopy --dump-section .linux=FILE)"),
    (510, b"\x55\xaa", "a boot sector or a disk image", "give its kernel, and this as a disk"),
];

/// Recognises the format of `file`.
pub fn recognise(file: &File) -> Result<Format, FormatError> {
    let mut head = [0; 1024];
    let read = file.read_at(&mut head, 0);
    // The usual case takes one system call: whoever loads the ELF file asks for its size.
    if let Ok(len) = read
        && len as u64 >= MIN_SIZE
        && head.starts_with(ELF_MAGIC)
    {
        return Ok(Format::Elf);
    }
    let metadata = file.metadata().map_err(FormatError::Read)?;
    if !metadata.is_file() {
        return Err(FormatError::NotAFile);
    }
    let len = read.map_err(FormatError::Read)?;
    recognise_bytes(head.get(..len).unwrap_or_default(), metadata.len())
}

fn recognise_bytes(head: &[u8], size: u64) -> Result<Format, FormatError> {
    let has = |(at, magic): (usize, &[u8])| head.get(at..).is_some_and(|rest| rest.starts_with(magic));
    if size == 0 {
        return Err(FormatError::Empty);
    }
    if has((0, ELF_MAGIC)) {
        return if size < MIN_SIZE { Err(FormatError::Short(size)) } else { Ok(Format::Elf) };
    }
    if has(SETUP_MAGIC) {
        return Ok(Format::BzImage);
    }
    for &(at, magic, what, fix) in MISTAKES {
        if has((at, magic)) {
            return Err(FormatError::Other { what, fix });
        }
    }
    if size < MIN_SIZE {
        return Err(FormatError::Short(size));
    }
    if head.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
        return Err(FormatError::Other { what: "a text file", fix: "give the kernel itself" });
    }
    let first: Vec<String> = head.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Err(FormatError::Unknown(first.join(" ")))
}

#[cfg(test)]
#[path = "format_test.rs"]
mod tests;
