//! Progress on standard error, on a terminal only. One line, which goes away at the end.
//!
//! A line and not a crate: the crates for it do arithmetic that needs a second shared library, which every start of a
//! machine would wait for (`build.rs`).

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use illico_image::Progress;
use illico_memory::voice::printable;

/// Ten times a second is as much as anybody reads.
const PAUSE: Duration = Duration::from_millis(100);
/// Characters of a bar.
const BAR: u64 = 30;
/// Back to the beginning of the line, which is emptied.
const EMPTY: &str = "\r\x1b[K";

/// One line, for one piece of work after the other.
#[derive(Debug)]
pub struct Bars {
    work: Option<Work>,
    shown: bool,
}

/// A piece of work.
#[derive(Debug)]
struct Work {
    what: String,
    bytes: Option<u64>,
    done: u64,
    drawn: Instant,
}

impl Bars {
    /// Nothing is drawn if `quiet`, or where standard error is no terminal.
    pub fn new(quiet: bool) -> Self {
        Self { work: None, shown: !quiet && stderr().is_terminal() }
    }

    /// Draws how far it is.
    pub fn tell(&mut self, progress: Progress<'_>) {
        if let Progress::Warning(text) = progress {
            if self.shown {
                draw("");
            }
            super::say(text);
        }
        if !self.shown {
            return;
        }
        match progress {
            // The next step draws the bar again.
            Progress::Warning(_) => {}
            Progress::Begin { what, bytes } => {
                let work = Work { what: what.to_owned(), bytes, done: 0, drawn: Instant::now() };
                draw(&work.line());
                self.work = Some(work);
            }
            Progress::Advance(bytes) => {
                let Some(work) = &mut self.work else { return };
                work.done += bytes;
                if work.drawn.elapsed() >= PAUSE {
                    work.drawn = Instant::now();
                    draw(&work.line());
                }
            }
            Progress::End => self.clear(),
            Progress::Wait => {
                let what = "another illico makes the same image".to_owned();
                draw(&what);
                self.work = Some(Work { what, bytes: None, done: 0, drawn: Instant::now() });
            }
        }
    }

    fn clear(&mut self) {
        if self.work.take().is_some() {
            draw("");
        }
    }
}

impl Work {
    fn line(&self) -> String {
        let Self { what, bytes, done, .. } = self;
        match bytes {
            Some(all) => {
                let full = (done.min(all) * BAR).checked_div(*all).unwrap_or(BAR);
                let (full, empty) = ("#".repeat(full as usize), "-".repeat((BAR - full) as usize));
                format!("{what} [{full}{empty}] {}/{}", size(*done), size(*all))
            }
            None => format!("{what} {}", size(*done)),
        }
    }
}

/// Bytes as people say them.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..10_485_760 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

/// Puts `text` in place of what the line holds. A terminal that cannot be written to shows nothing.
fn draw(text: &str) {
    let mut out = stderr().lock();
    let _ = write!(out, "{EMPTY}{}", printable(text)).and_then(|()| out.flush());
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_done_how_far_it_is_and_of_how_much() {
        let work = |bytes, done| Work { what: "layer".to_owned(), bytes, done, drawn: Instant::now() }.line();
        assert_eq!(work(Some(40 << 20), 0), format!("layer [{}] 0 B/40 MiB", "-".repeat(30)));
        assert_eq!(
            work(Some(40 << 20), 20 << 20),
            format!("layer [{}{}] 20 MiB/40 MiB", "#".repeat(15), "-".repeat(15))
        );
        assert_eq!(work(Some(100), 300), format!("layer [{}] 300 B/100 B", "#".repeat(30)));
        assert_eq!(work(Some(0), 0), format!("layer [{}] 0 B/0 B", "#".repeat(30)));
        assert_eq!(work(None, 700 << 10), "layer 700 KiB");
    }
}
