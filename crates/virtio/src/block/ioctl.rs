//! What only an ioctl can ask of a block device: its block sizes, and to forget a range.
//!
//! The one file of the disk with `unsafe` in it; everything else goes through calls that are safe.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

// include/uapi/linux/fs.h: _IO(0x12, n), so the same number on every architecture of this project.
const BLKSSZGET: libc::c_ulong = 0x1268;
const BLKDISCARD: libc::c_ulong = 0x1277;
const BLKPBSZGET: libc::c_ulong = 0x127b;

/// The smallest unit that the device addresses, in bytes.
pub(super) fn logical_block_size(device: &File) -> io::Result<u32> {
    get(device, BLKSSZGET)
}

/// The smallest unit that it writes without reading first, in bytes.
pub(super) fn physical_block_size(device: &File) -> io::Result<u32> {
    get(device, BLKPBSZGET)
}

fn get(device: &File, request: libc::c_ulong) -> io::Result<u32> {
    let mut value: libc::c_uint = 0;
    // SAFETY: both requests store one integer of 32 bits where the third argument points.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), request, &raw mut value) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(value) }
}

/// Tells the device that `len` bytes are unused, from `position` on.
pub(super) fn discard(device: &File, position: u64, len: u64) -> io::Result<()> {
    let range = [position, len];
    // SAFETY: BLKDISCARD reads two integers of 64 bits where the third argument points.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), BLKDISCARD, range.as_ptr()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
