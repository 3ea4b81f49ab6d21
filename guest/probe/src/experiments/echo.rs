//! `echo`: sends back each line that the console delivers, as `echo line=<length>:<text>`, until one says `quit`.

use super::{Failure, Outcome};
use crate::{report, say};

const LONGEST: usize = 128;

pub(super) fn run() -> Outcome {
    say!("echo ready=1");
    let (mut line, mut length, mut lines) = ([0_u8; LONGEST], 0, 0_u32);
    loop {
        let byte = report::receive().ok_or(Failure("no-console"))?;
        if byte != b'\n' && byte != b'\r' {
            if length < LONGEST {
                line[length] = byte;
                length += 1;
            }
            continue;
        }
        let text = core::str::from_utf8(&line[..length]).unwrap_or("?");
        lines += 1;
        say!("echo line={length}:{text}");
        if text == "quit" {
            say!("echo lines={lines}");
            return Ok(());
        }
        length = 0;
    }
}
