//! Words for a POSIX shell: quoted so that they arrive exactly as they were given.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// One word in single quotes. Only the single quote itself needs care: it cannot be escaped inside single quotes.
pub fn quote(word: impl AsRef<OsStr>) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for &byte in word.as_ref().as_bytes() {
        match byte {
            b'\'' => quoted.extend_from_slice(b"'\\''"),
            _ => quoted.push(byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

/// A command line of these words.
pub fn command_line<I>(words: I) -> Vec<u8>
where
    I: IntoIterator,
    I::Item: AsRef<OsStr>,
{
    let words: Vec<Vec<u8>> = words.into_iter().map(quote).collect();
    words.join(&b' ')
}

#[cfg(test)]
#[path = "shell_test.rs"]
mod tests;
