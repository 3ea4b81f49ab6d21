//! `console=N`: N bytes through the console in chunks of 4,096, each one chain of a virtio console.

use super::Outcome;
use crate::gate::cycles;
use crate::{report, say};

const CHUNK: usize = 4096;
const LINE: usize = 64;

pub(super) fn run(count: Option<u64>) -> Outcome {
    let mut left = count.unwrap_or(65_536) as usize;
    let bytes = left;
    let mut chunk = [b'.'; CHUNK];
    chunk.iter_mut().skip(LINE - 1).step_by(LINE).for_each(|byte| *byte = b'\n');
    let mut chunks = 0;
    let before = cycles();
    while left > 0 {
        let length = left.min(CHUNK);
        report::send(&chunk[CHUNK - length..]);
        left -= length;
        chunks += 1;
    }
    let spent = cycles().wrapping_sub(before);
    say!("console bytes={bytes} chunks={chunks} cycles={spent}");
    Ok(())
}
