//! The words behind the options: an image or none, and a command.

use std::ffi::{OsStr, OsString};

use crate::failure::Failure;

/// What is to run, where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// The image; without one it is this host's own file system.
    pub image: Option<OsString>,
    /// The command and its arguments; none is that of the image.
    pub command: Vec<OsString>,
}

/// Tells them apart. `arguments` are all of this process, of which `words` are the last: clap takes a `--` that
/// comes first away, and what it meant is that there is no image.
pub fn split(words: &[OsString], arguments: &[OsString]) -> Result<Words, Failure> {
    let before = arguments.len().checked_sub(words.len() + 1).and_then(|index| arguments.get(index));
    if before.is_some_and(|word| word == "--") && !words.is_empty() {
        return Ok(Words { image: None, command: words.to_vec() });
    }
    let Some((image, rest)) = words.split_first() else {
        return Err("no command is given: illico run -- COMMAND, or illico run IMAGE".into());
    };
    if image.as_encoded_bytes().starts_with(b"-") {
        return Err(format!("there is no option {}; `illico run --help` lists them", image.display()).into());
    }
    let command = match rest.split_first() {
        Some((first, command)) if first == OsStr::new("--") => command,
        _ => rest,
    };
    Ok(Words { image: Some(image.clone()), command: command.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    fn told(arguments: &str, words: &str) -> String {
        match split(&os(words), &os(&format!("illico run {arguments}"))) {
            Ok(Words { image, command }) => format!("{image:?} {command:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_image_comes_first_unless_two_dashes_do() {
        assert_eq!(told("-- make test", "make test"), r#"None ["make", "test"]"#);
        assert_eq!(told("-i -- ls -- x", "ls -- x"), r#"None ["ls", "--", "x"]"#);
        assert_eq!(told("debian:12", "debian:12"), r#"Some("debian:12") []"#);
        assert_eq!(told("debian:12 -- cat -n x", "debian:12 -- cat -n x"), r#"Some("debian:12") ["cat", "-n", "x"]"#);
        assert_eq!(
            told("debian:12 sh -c -- x", "debian:12 sh -c -- x"),
            r#"Some("debian:12") ["sh", "-c", "--", "x"]"#
        );
        assert_eq!(told("-- -- x", "-- x"), r#"None ["--", "x"]"#);
    }

    #[test]
    fn nothing_to_run_and_an_option_that_is_none_are_mistakes() {
        assert!(told("", "").contains("no command is given"));
        assert!(told("--", "").contains("no command is given"));
        assert!(told("--detatch x", "--detatch x").contains("no option --detatch"));
    }
}
