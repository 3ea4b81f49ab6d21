//! A program for inside a guest: so many reads, and nothing beside them.
//!
//! `guest-reads direct FILE N` reads 4 KiB past the page cache, one after the other. `guest-reads mapped FILE N` maps the
//! file, touches each of its pages, and then reads a word N times.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::ptr;

use rustix::mm::{MapFlags, ProtFlags, mmap};

const PAGE: usize = 4096;

#[repr(align(4096))]
struct Page([u8; PAGE]);

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [how, path, count] = &words[..] else { return Err("usage: guest-reads direct|mapped FILE N".into()) };
    let count = count.parse()?;
    match how.as_str() {
        "direct" => direct(path, count),
        "mapped" => mapped(path, count),
        _ => Err(format!("{how} is neither direct nor mapped").into()),
    }
}

fn direct(path: &str, count: usize) -> Result<(), Box<dyn Error>> {
    let flags = rustix::fs::OFlags::DIRECT.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut page = Box::new(Page([0; PAGE]));
    for number in 0..count {
        file.read_exact_at(&mut page.0, (number * PAGE) as u64)?;
    }
    Ok(())
}

fn mapped(path: &str, count: usize) -> Result<(), Box<dyn Error>> {
    let file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len())? / PAGE * PAGE;
    // SAFETY: a mapping at an address of the kernel's choice replaces nothing.
    let start = unsafe { mmap(ptr::null_mut(), length, ProtFlags::READ, MapFlags::SHARED, &file, 0) }?;
    let mut sum = 0_u64;
    let pages = length / PAGE;
    for number in (0..pages).chain((0..count).map(|number| number * 7 % pages)) {
        // SAFETY: the page is one of the mapping.
        let word = unsafe { start.byte_add(number * PAGE) }.cast::<u64>();
        // SAFETY: it is mapped and aligned; nobody is in this guest who would shorten the file.
        sum = sum.wrapping_add(unsafe { word.read_volatile() });
    }
    println!("read {count} words: {sum:x}");
    Ok(())
}
