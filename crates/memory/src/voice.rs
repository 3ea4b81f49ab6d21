//! What the monitor says on standard error while a guest runs, and how text that a guest made is shown.
//!
//! Two rules, for all crates above:
//! - text from a guest, an image or a registry reaches a terminal only through [`printable`];
//! - a line about a guest never holds up its machine. A reader of standard error that pauses for longer than
//!   [`PATIENCE`] loses lines, and the next line that it gets is preceded by how many.
//!
//! Not here: which lines are worth a place (`complaints` in the crate of devices limits their number).

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::stderr;

/// How long a line waits for a reader of standard error. Once one was dropped the next ones do not wait.
pub const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// pipe(7): a write of no more than this does not wait where poll(2) says that the pipe is writable.
const PIPE_BUF: usize = 4096;
/// Bytes of a line at most, so that it fits into [`PIPE_BUF`] with the notice in front of it.
const MAX_LINE: usize = PIPE_BUF - 128;

/// Lines that were dropped since the last one that was written.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// The text with each character that would steer a terminal, or change the order in which the rest is shown, replaced by
/// a question mark. A tab becomes a space; a line feed is replaced like any other control character.
pub fn printable(text: &str) -> String {
    let shown = |c| match c {
        '\t' => ' ',
        c if steers(c) => '?',
        c => c,
    };
    text.chars().map(shown).collect()
}

/// Whether a character is a control character (Unicode's category Cc), a line or paragraph separator (Zl, Zp), or a
/// format character (Cf), among which are those that turn the direction of text and those that nobody sees.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
            | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

/// Says a line on standard error, if somebody reads it. It may contain what a guest made.
pub fn say(line: &str) {
    write(stderr(), &format!("illico: {}", printable(line)), &DROPPED);
}

/// Writes text of several lines on standard error, as many lines at once as a pipe takes, so that those of two threads do
/// not mix. `end` is what ends a line.
pub fn show(text: &str, end: &str) {
    let mut block = String::new();
    for line in text.lines().map(printable) {
        if !block.is_empty() && block.len() + end.len() + line.len() > MAX_LINE {
            block.push_str(end.trim_end_matches('\n'));
            write(stderr(), &block, &DROPPED);
            block.clear();
        }
        if !block.is_empty() {
            block.push_str(end);
        }
        block.push_str(&line);
    }
    if !block.is_empty() {
        block.push_str(end.trim_end_matches('\n'));
        write(stderr(), &block, &DROPPED);
    }
}

/// Writes a line, or drops and counts it.
fn write(to: impl AsFd, line: &str, dropped: &AtomicU64) {
    let before = dropped.load(Ordering::Relaxed);
    let patience = if before > 0 { Timespec { tv_sec: 0, tv_nsec: 0 } } else { PATIENCE };
    // Where poll(2) itself fails there is no standard error, and the write says so at once.
    if poll(&mut [PollFd::new(&to, PollFlags::OUT)], Some(&patience)) == Ok(0) {
        dropped.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let mut text = String::new();
    // Only one of two threads that come here together brings the notice.
    if before > 0 && dropped.compare_exchange(before, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
        text = format!("illico: {before} lines were dropped: standard error was not read\n");
    }
    text.push_str(&line[..line.floor_char_boundary(MAX_LINE)]);
    text.push('\n');
    // One call, so that the lines of two threads do not mix.
    let _ = rustix::io::write(to, text.as_bytes());
}

#[cfg(test)]
#[path = "voice_test.rs"]
mod tests;
