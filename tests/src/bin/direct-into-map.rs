//! `direct-into-map DISK FILE` reads the disk's first MiB into a mapping of the file, and writes it from there to the
//! disk's second MiB, both with O_DIRECT: where the file is memory (DAX), the disk's requests name that memory.
//!
//! For guests. The file has a MiB already.

use std::error::Error;
use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::ptr;

use rustix::mm::{MapFlags, MsyncFlags, ProtFlags};

const MIB: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [disk, file] = &words[..] else { return Err("usage: direct-into-map DISK FILE".into()) };
    let direct = rustix::fs::OFlags::DIRECT.bits().cast_signed();
    let disk = OpenOptions::new().read(true).write(true).custom_flags(direct).open(disk)?;
    let file = OpenOptions::new().read(true).write(true).open(file)?;
    if file.metadata()?.len() < MIB as u64 {
        return Err("the file is too short to be mapped".into());
    }
    // SAFETY: a mapping at an address of the kernel's choice replaces nothing.
    let start = unsafe {
        rustix::mm::mmap(ptr::null_mut(), MIB, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &file, 0)
    }?;
    // SAFETY: the mapping is that long and stays until this process ends. Nobody else is in this guest who would
    // shorten or change the file.
    let map = unsafe { std::slice::from_raw_parts_mut(start.cast::<u8>(), MIB) };
    disk.read_exact_at(map, 0)?;
    disk.write_all_at(map, MIB as u64)?;
    disk.sync_all()?;
    // SAFETY: it is the whole mapping from above.
    unsafe { rustix::mm::msync(start, MIB, MsyncFlags::SYNC) }?;
    Ok(())
}
