//! What people read.
//!
//! Everything that a verb prints passes [`print()`] or [`print_json`] on standard output and [`to_stderr`] on standard error.
//! Both show what steers a terminal as question marks, since any string in it may be a guest's, an image's or a registry's.
//! Threads beside a running machine say what they have to say with `illico_memory::voice`, which never waits long.

pub mod budget;
pub mod colour;
pub mod diff;
pub mod doctor;
pub mod exits;
pub mod images;
pub mod kernels;
pub mod metrics;
pub mod progress;
pub mod ps;
pub mod stdout;
pub mod table;

use std::error::Error;
use std::io::{Write, stderr};

use illico_memory::voice::{printable, steers};

pub use self::stdout::{Unread, is_unread, print, print_bytes, print_json};

/// An error and its reasons as one line; several mistakes at once are several lines.
pub fn error_lines(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut text = error.to_string();
    let mut reason = error.source();
    while let Some(error) = reason {
        let words = error.to_string();
        // Transparent errors say the same as their source.
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        reason = error.source();
    }
    text.lines().map(str::to_owned).collect()
}

/// Tells a person why something could not be done.
pub fn complain(error: &(dyn Error + 'static)) {
    for line in error_lines(error) {
        to_stderr(&format!("illico: {line}\n"));
    }
}

/// Tells a person something, on one line.
pub fn say(text: &str) {
    to_stderr(&format!("illico: {}\n", printable(text)));
}

/// Writes to standard error. A write that fails, such as to a terminal that was closed, is ignored: `eprintln!` would panic
/// there, and nothing would be tidied up. It waits for a reader that pauses.
pub fn to_stderr(text: &str) {
    let shown: String = text.chars().map(|c| if c != '\n' && steers(c) { '?' } else { c }).collect();
    let _ = stderr().write_all(shown.as_bytes());
}

/// A mistake on the command line as one line: what clap says of it, without the usage that comes after.
pub fn usage_line(text: &str) -> String {
    let said =
        text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let words: Vec<_> = said.map(|line| line.trim_start_matches("error: ")).filter(|line| !line.is_empty()).collect();
    // What is listed below a line is its end.
    format!("{}; `illico help` explains", words.join("; ").replace(":; ", ": "))
}

#[cfg(test)]
#[path = "output_test.rs"]
mod tests;
