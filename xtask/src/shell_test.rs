//! Words survive a real shell.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use super::command_line;

#[test]
fn words_arrive_exactly_as_they_were_given() {
    let words: [&[u8]; 7] =
        [b"plain", b"two words", b"it's", b"", b"$HOME `id` \\ \"x\" *", b"line\nbreak\n", b"\xff\xfe"];
    let mut line = b"printf '%s\\0' ".to_vec();
    line.extend(command_line(words.iter().map(|word| OsStr::from_bytes(word))));
    let output = Command::new("sh").arg("-c").arg(OsStr::from_bytes(&line)).output().expect("sh runs");
    let mut expected = words.join(&0);
    expected.push(0);
    assert_eq!(output.stdout, expected);
}
