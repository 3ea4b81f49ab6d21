//! The initial RAM disk: where it goes, and getting it there.
//!
//! As high as possible in RAM below the hole for devices, on a page of its own, clear of the kernel:
//! the kernel allocates from low addresses upwards while it unpacks it.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use illico_memory::{GuestAddress, Ram};

use super::range::Range;
use crate::arch::boot::places::{self, PAGE};

/// Below this no initrd is placed: it would lie among the boot data.
const FLOOR: u64 = 1 << 20;
const MIB: u64 = 1 << 20;

/// Why there is no initrd in guest memory.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the variants and fields are")]
pub enum InitrdError {
    #[error("the file is empty; give a cpio archive, or leave it out")]
    Empty,
    #[error("it is not a regular file; give a cpio archive, compressed or not")]
    NotAFile,
    #[error("reading it")]
    Read(#[source] io::Error),
    #[error("its {size} bytes do not fit beside the kernel into {ram} MiB of memory")]
    NeedsMemory { size: u64, ram: u64, least: u64 },
    #[error("its {size} bytes are more than fit below {ceiling:#x}, where this kernel looks for it")]
    TooLarge { size: u64, ceiling: u64 },
}

/// Loads `file` below `ceiling` and clear of `kernel`, and says where it is.
pub fn load(ram: &Ram, file: &File, ceiling: u64, kernel: &[Range]) -> Result<Range, InitrdError> {
    let metadata = file.metadata().map_err(InitrdError::Read)?;
    if !metadata.is_file() {
        return Err(InitrdError::NotAFile);
    }
    let size = metadata.len();
    if size == 0 {
        return Err(InitrdError::Empty);
    }
    let top = places::low_ram_end(ram);
    let Some(start) = place(size, top.min(ceiling), kernel) else {
        let ceiling = ceiling.min(illico_memory::HOLE_START.0);
        if place(size, ceiling, kernel).is_none() {
            return Err(InitrdError::TooLarge { size, ceiling });
        }
        let kernel_end = kernel.iter().map(|range| range.end).filter(|&end| end < ceiling).max().unwrap_or(FLOOR);
        let least = (kernel_end + size + PAGE).div_ceil(MIB);
        return Err(InitrdError::NeedsMemory { size, ram: ram.size() / MIB, least });
    };
    ram.load(GuestAddress(start), size, file.as_fd(), 0).map_err(InitrdError::Read)?;
    Ok(Range { start, end: start + size })
}

/// The highest page below `top` at which `size` bytes are clear of the kernel.
fn place(size: u64, top: u64, kernel: &[Range]) -> Option<u64> {
    let mut top = top;
    loop {
        let start = top.checked_sub(size)? & !(PAGE - 1);
        if start < FLOOR {
            return None;
        }
        let wanted = Range { start, end: start + size };
        match kernel.iter().find(|range| range.overlaps(wanted)) {
            None => return Some(start),
            Some(range) => top = range.start,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use illico_memory::{Layout, Pages};

    use super::*;

    const KERNEL: Range = Range { start: 16 << 20, end: 40 << 20 };

    fn file(size: usize) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![0xa5; size]).unwrap();
        file
    }

    fn ram(mib: u64) -> Ram {
        Ram::new(&Layout::around_hole(mib << 20), Pages::Small).unwrap()
    }

    #[test]
    fn it_ends_on_the_last_page_of_low_ram() {
        let ram = ram(64);
        let range = load(&ram, &file(5000), u64::MAX, &[KERNEL]).unwrap();
        assert_eq!(range, Range { start: (64 << 20) - 0x2000, end: (64 << 20) - 0x2000 + 5000 });
        let mut last = [0; 2];
        ram.read(GuestAddress(range.end - 1), &mut last).unwrap();
        assert_eq!(last, [0xa5, 0]);
    }

    #[test]
    fn it_keeps_below_the_ceiling_and_the_hole() {
        assert_eq!(load(&ram(64), &file(1), 50 << 20, &[KERNEL]).unwrap().start, (50 << 20) - 0x1000);
        assert_eq!(load(&ram(5 << 10), &file(1), u64::MAX, &[KERNEL]).unwrap().start, (3 << 30) - 0x1000);
    }

    #[test]
    fn it_goes_below_a_kernel_that_leaves_no_room_above() {
        assert_eq!(load(&ram(40), &file(5000), u64::MAX, &[KERNEL]).unwrap().start, (16 << 20) - 0x2000);
    }

    #[test]
    fn too_little_memory_is_told_with_what_would_do() {
        let InitrdError::NeedsMemory { size, ram: 48, least } =
            load(&ram(48), &file(20 << 20), u64::MAX, &[KERNEL]).unwrap_err()
        else {
            panic!("wrong error");
        };
        assert_eq!((size, least), (20 << 20, 61));
        assert!(load(&ram(least), &file(20 << 20), u64::MAX, &[KERNEL]).is_ok());
    }

    #[test]
    fn what_no_memory_would_hold_is_told_apart() {
        let huge = tempfile::tempfile().unwrap();
        huge.set_len(4 << 30).unwrap();
        assert!(matches!(load(&ram(48), &huge, 0x7fff_ffff, &[KERNEL]), Err(InitrdError::TooLarge { .. })));
        assert!(matches!(load(&ram(48), &file(0), u64::MAX, &[KERNEL]), Err(InitrdError::Empty)));
        let folder = File::open(std::env::temp_dir()).unwrap();
        assert!(matches!(load(&ram(48), &folder, u64::MAX, &[KERNEL]), Err(InitrdError::NotAFile)));
    }
}
