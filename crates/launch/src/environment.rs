//! The environment of a command: variables of its root first, those that the person asked for over them.
//!
//! On the host's own files a command gets only the variables that programs need to find things and to look right. All
//! others stay on the host: keys and tokens are among them, and the command is not trusted.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use illico_protocol::Word;

use crate::error::{Part, PlanError};

/// Variables of the host that a command on the host's own files gets, beside all that begin with `LC_`.
const KEPT: [&str; 14] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "EDITOR",
    "PAGER",
    "MAKEFLAGS",
];

/// An environment: names and values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The environment of a command on the host's own files, out of the variables of the host.
    pub fn of_host(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let kept = |name: &OsStr| {
            KEPT.iter().any(|kept| name == OsStr::new(kept)) || name.as_encoded_bytes().starts_with(b"LC_")
        };
        Self(variables.filter(|(name, _)| kept(name)).collect())
    }

    /// Sets `NAME=VALUE`, as an image has it. A text without a `=` is ignored.
    pub fn set(&mut self, text: &str) {
        if let Some((name, value)) = text.split_once('=') {
            self.0.insert(name.into(), value.into());
        }
    }

    /// Sets a variable where there is none of that name.
    pub fn set_if_missing(&mut self, name: &str, value: Option<OsString>) {
        if let Some(value) = value {
            self.0.entry(name.into()).or_insert(value);
        }
    }

    /// Adds the variables of files, then `texts`: `NAME=VALUE`, or a name whose value `of_process` looks up.
    pub fn add(
        &mut self,
        files: &[PathBuf],
        texts: &[OsString],
        of_process: impl Fn(&OsStr) -> Option<OsString>,
    ) -> Result<(), PlanError> {
        for file in files {
            let wrong = |error: String| PlanError::new(Part::EnvironmentFile, format!("{}: {error}", file.display()));
            let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
            for (number, line) in text.lines().enumerate() {
                let line = line.trim_start();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                self.add_one(OsStr::new(line), &of_process)
                    .map_err(|error| wrong(format!("line {}: {error}", number + 1)))?;
            }
        }
        for text in texts {
            self.add_one(text, &of_process).map_err(|error| PlanError::new(Part::Environment, error))?;
        }
        Ok(())
    }

    fn add_one(&mut self, text: &OsStr, of_process: impl Fn(&OsStr) -> Option<OsString>) -> Result<(), String> {
        use std::os::unix::ffi::OsStrExt;
        let bytes = text.as_bytes();
        let (name, value) = match bytes.iter().position(|&byte| byte == b'=') {
            Some(at) => (OsStr::from_bytes(&bytes[..at]), Some(OsStr::from_bytes(&bytes[at + 1..]).to_owned())),
            None => (text, of_process(text)),
        };
        if name.is_empty() || name.as_bytes().iter().any(|&byte| byte.is_ascii_whitespace() || byte == 0) {
            return Err(format!("{} is not NAME=VALUE", text.display()));
        }
        // As with docker, what is not set here is not set there.
        match value {
            Some(value) => drop(self.0.insert(name.to_owned(), value)),
            None => drop(self.0.remove(name)),
        }
        Ok(())
    }

    /// As the guest takes it.
    pub fn words(&self) -> Vec<Word> {
        let word = |(name, value): (&OsString, &OsString)| {
            let mut text = name.clone();
            text.push("=");
            text.push(value);
            Word::from(text)
        };
        self.0.iter().map(word).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_host() -> Environment {
        let variables = [("PATH", "/bin"), ("LC_ALL", "C"), ("AWS_SECRET_ACCESS_KEY", "x"), ("SSH_AUTH_SOCK", "/s")];
        Environment::of_host(variables.into_iter().map(|(name, value)| (name.into(), value.into())))
    }

    fn told(environment: &Environment) -> Vec<String> {
        environment.words().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_programs_need_is_passed_on_and_secrets_are_not() {
        assert_eq!(told(&of_host()), ["LC_ALL=C", "PATH=/bin"]);
    }

    #[test]
    fn what_is_asked_for_wins_over_files_and_files_over_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("env");
        std::fs::write(&file, "# a comment\n\nLC_ALL=de\n  A=from the file\nB=1=2\nTOKEN\n").unwrap();
        let mut environment = of_host();
        let asked = ["A=asked".into(), "PATH".into(), "EMPTY=".into()];
        environment.add(&[file], &asked, |name| (name == "TOKEN").then(|| "secret".into())).unwrap();
        assert_eq!(told(&environment), ["A=asked", "B=1=2", "EMPTY=", "LC_ALL=de", "TOKEN=secret"]);
    }

    #[test]
    fn what_is_no_variable_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("env");
        std::fs::write(&file, "A=1\n=2\n").unwrap();
        let error = of_host().add(&[file], &[], |_| None).unwrap_err();
        assert_eq!(error.part, Part::EnvironmentFile);
        let error = error.to_string();
        assert!(error.ends_with("line 2: =2 is not NAME=VALUE"), "{error}");
        assert!(of_host().add(&[], &["A B=1".into()], |_| None).is_err());
        assert!(of_host().add(&["/nosuch".into()], &[], |_| None).is_err());
    }
}
