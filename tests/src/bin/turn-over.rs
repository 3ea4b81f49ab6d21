//! `turn-over FILE` turns the order of a file's bytes round, in a shared mapping of it.
//!
//! For guests, to be compared with what the host's file then holds.

use std::error::Error;
use std::fs::OpenOptions;
use std::ptr;

use rustix::mm::{MapFlags, MsyncFlags, ProtFlags};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: turn-over FILE")?;
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len())?;
    // SAFETY: a mapping at an address of the kernel's choice replaces nothing.
    let start = unsafe {
        rustix::mm::mmap(ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &file, 0)
    }?;
    // SAFETY: the mapping is that long and stays until this process ends. Nobody else is in this guest who would
    // shorten or change the file.
    unsafe { std::slice::from_raw_parts_mut(start.cast::<u8>(), length) }.reverse();
    // SAFETY: it is the whole mapping from above.
    unsafe { rustix::mm::msync(start, length, MsyncFlags::SYNC) }?;
    Ok(())
}
