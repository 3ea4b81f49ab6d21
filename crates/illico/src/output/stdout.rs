//! Standard output: what a verb prints, and what becomes of it once its reader has left.
//!
//! A reader that has seen enough, such as `head`, is no error: the verb ends without a word and with the status that a
//! shell has for a process that SIGPIPE ended. What a command in a guest writes does not pass here: those bytes are as
//! the command made them.

use std::error::Error;
use std::io::{self, ErrorKind, Write, stdout};

use illico_memory::voice::steers;
use serde::Serialize;

use crate::failure::Failure;

/// Nobody reads standard output any more.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads standard output any more")]
pub struct Unread;

/// Prints text of illico's own, in which lines end with a line feed. Colours are kept; whatever else would steer a
/// terminal came from a guest, and is shown as a question mark.
pub fn print(text: &str) -> Result<(), Failure> {
    print_bytes(shown(text).as_bytes())
}

/// Prints a value as JSON of several lines. Characters that would steer a terminal are escaped, as JSON has it.
pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    print(&json(value)?)
}

/// Prints bytes as they are.
pub fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

/// Whether an error says that the reader of standard output has left.
pub fn is_unread(error: &(dyn Error + 'static)) -> bool {
    error.is::<Unread>()
}

/// Tells a reader that left from a disk that is full.
pub fn written(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Unread.into(),
        _ => format!("cannot write standard output: {error}").into(),
    })
}

/// JSON whose every character can be shown.
fn json(value: &impl Serialize) -> serde_json::Result<String> {
    let mut out = String::new();
    for c in serde_json::to_string_pretty(value)?.chars() {
        if c != '\n' && steers(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out.push('\n');
    Ok(out)
}

/// The text without what steers, but for line feeds and colours (SGR of ECMA-48, § 8.3.117).
fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if c == '\x1b' { colour(rest) } else { 0 };
        if length > 0 {
            out.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        out.push(if c != '\n' && steers(c) { '?' } else { c });
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// Bytes of the colour that a text begins with; none if it begins with something else.
fn colour(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\x1b[") else { return 0 };
    match parameters.find(|c: char| !c.is_ascii_digit() && c != ';') {
        Some(end) if parameters[end..].starts_with('m') => "\x1b[".len() + end + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stay_and_what_steers_goes() {
        assert_eq!(shown("\x1b[1;31mred\x1b[0m\n\x1b[2J\x1b[31K\x1b]0;title\x07é\u{202e}\x1b["), {
            "\x1b[1;31mred\x1b[0m\n?[2J?[31K?]0;title?é??["
        });
    }

    #[test]
    fn json_has_escapes_that_a_reader_undoes() {
        let words = ["\x1b[2J\u{9b}\u{202e}\u{e0041}", "plain é"];
        let text = json(&words).unwrap();
        assert!(!text.chars().any(|c| c != '\n' && steers(c)), "{text}");
        assert_eq!(serde_json::from_str::<[String; 2]>(&text).unwrap(), words);
    }

    #[test]
    fn only_a_reader_that_left_is_no_error() {
        let full = written(Err(io::Error::from_raw_os_error(28))).unwrap_err();
        assert!(!is_unread(full.as_ref()) && full.to_string().contains("standard output"), "{full}");
        assert!(is_unread(written(Err(ErrorKind::BrokenPipe.into())).unwrap_err().as_ref()));
    }
}
