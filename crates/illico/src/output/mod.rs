//! What people read.

pub mod colour;
pub mod doctor;
pub mod exits;

use std::error::Error;

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
