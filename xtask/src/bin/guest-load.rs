//! `guest-load SIZE DEPTH COUNT FILE`: reads COUNT blocks of SIZE bytes past the page cache, DEPTH at a time, each from a
//! thread of its own. For guests: it is what `cargo xtask bench` measures disks with.

#![allow(clippy::disallowed_methods, reason = "this program holds no machine")]

use std::error::Error;
use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::thread;

/// `O_DIRECT` on x86-64.
const DIRECT: i32 = 0o40000;
const PAGE: usize = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [size, depth, count, path] = &words[..] else { return Err("usage: guest-load SIZE DEPTH COUNT FILE".into()) };
    let (size, depth, count): (usize, usize, usize) = (size.parse()?, depth.parse()?, count.parse()?);
    let file = OpenOptions::new().read(true).custom_flags(DIRECT).open(path)?;
    thread::scope(|scope| {
        let readers: Vec<_> = (0..depth)
            .map(|reader| {
                let file = &file;
                scope.spawn(move || {
                    let mut memory = vec![0_u8; size + PAGE];
                    // Direct reads want memory that begins where a page does.
                    let start = memory.as_ptr().align_offset(PAGE);
                    let block = memory.get_mut(start..start + size).unwrap_or_default();
                    (reader..count)
                        .step_by(depth)
                        .try_for_each(|number| file.read_exact_at(block, (number * size % (32 << 20)) as u64))
                })
            })
            .collect();
        for reader in readers {
            reader.join().map_err(|_| "a reader panicked")??;
        }
        Ok(())
    })
}
