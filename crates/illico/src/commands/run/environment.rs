//! The command's environment: below, what belongs to the root; above, what the person asked for.
//!
//! On the host's own files a command gets what programs need to find things and to look right. The rest of this process's
//! environment stays here: keys and tokens are in it, and the command is not trusted.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use illico_protocol::Word;

use crate::commands::Failure;

/// Variables that a command on the host's own files has from this process; and all that begin with `LC_`.
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
    /// What a command on the host's own files has.
    pub fn of_host(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let kept = |name: &OsStr| {
            KEPT.iter().any(|kept| name == OsStr::new(kept)) || name.as_encoded_bytes().starts_with(b"LC_")
        };
        Self(variables.filter(|(name, _)| kept(name)).collect())
    }

    /// `NAME=VALUE`, as an image has it. Without a `=` it is nothing.
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

    /// What `-e` and `--env-file` say, files first. `of_process` is where a name without a value is looked up.
    pub fn ask(
        &mut self,
        files: &[PathBuf],
        texts: &[OsString],
        of_process: impl Fn(&OsStr) -> Option<OsString>,
    ) -> Result<(), Failure> {
        for file in files {
            let wrong = |error: String| format!("--env-file: {}: {error}", file.display());
            let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
            for (number, line) in text.lines().enumerate() {
                let line = line.trim_start();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                self.ask_one(OsStr::new(line), &of_process)
                    .map_err(|error| wrong(format!("line {}: {error}", number + 1)))?;
            }
        }
        for text in texts {
            self.ask_one(text, &of_process).map_err(|error| format!("-e: {error}"))?;
        }
        Ok(())
    }

    fn ask_one(&mut self, text: &OsStr, of_process: impl Fn(&OsStr) -> Option<OsString>) -> Result<(), String> {
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

/// The folder that this process is in, by the name that its user knows it by: `PWD`, if it tells the truth.
pub fn current_folder() -> Result<PathBuf, Failure> {
    use std::os::unix::fs::MetadataExt;
    let real = std::env::current_dir().map_err(|error| format!("the current folder: {error}; change to one"))?;
    let same = |path: &Path| match (path.metadata(), real.metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    };
    let known = std::env::var_os("PWD").map(PathBuf::from).filter(|path| path.is_absolute() && same(path));
    Ok(known.unwrap_or(real))
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
        environment.ask(&[file], &asked, |name| (name == "TOKEN").then(|| "secret".into())).unwrap();
        assert_eq!(told(&environment), ["A=asked", "B=1=2", "EMPTY=", "LC_ALL=de", "TOKEN=secret"]);
    }

    #[test]
    fn what_is_no_variable_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("env");
        std::fs::write(&file, "A=1\n=2\n").unwrap();
        let error = of_host().ask(&[file], &[], |_| None).unwrap_err().to_string();
        assert!(error.starts_with("--env-file: ") && error.ends_with("line 2: =2 is not NAME=VALUE"), "{error}");
        assert!(of_host().ask(&[], &["A B=1".into()], |_| None).is_err());
        assert!(of_host().ask(&["/nosuch".into()], &[], |_| None).is_err());
    }
}
