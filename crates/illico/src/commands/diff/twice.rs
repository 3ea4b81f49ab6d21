//! The same guest booted twice, one thing changed.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::{Args, Parser};
use illico_machine::report::Report;

use crate::cli::{Boot, Cli};
use crate::commands::Failure;
use crate::output;

/// Boots it with `options`, and with what `change` replaces in them.
pub fn boot(options: &[OsString], change: &[String]) -> Result<(Report, Report), Failure> {
    let change: Vec<OsString> = change.iter().flat_map(|words| words.split_whitespace()).map(OsString::from).collect();
    let folder = Folder::new()?;
    // A report of the guest's own would be overwritten by the second run's.
    let own = |report: &Path| [OsString::from("--exits-json"), report.as_os_str().to_owned()];
    let [a, b] = ["a", "b"].map(|name| folder.0.join(name));
    let first = replaced(options, &own(&a));
    let second = replaced(&replaced(options, &change), &own(&b));
    // All that is wrong with either is told before anything runs.
    for options in [&first, &second] {
        let words = ["illico", "boot"].map(OsString::from).into_iter().chain(options.iter().cloned());
        Cli::try_parse_from(words).map_err(|error| output::usage_line(&error.to_string()))?;
    }
    Ok((run("A", &first, &a)?, run("B", &second, &b)?))
}

fn run(name: &str, options: &[OsString], report: &Path) -> Result<Report, Failure> {
    let program = std::env::current_exe().map_err(|error| format!("cannot find illico itself: {error}"))?;
    let mut command = Command::new(program);
    command.arg("boot").args(options).stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.status().map_err(|error| format!("cannot start illico again: {error}"))?;
    if !status.success() {
        return Err(format!("run {name} ended with {status}, and only guests that end well are compared").into());
    }
    super::read(report)
}

/// `options` without those that `change` has as well, and then `change`.
fn replaced(options: &[OsString], change: &[OsString]) -> Vec<OsString> {
    let known = Boot::augment_args(clap::Command::new("boot"));
    let takes_value = |name: &str| {
        let option = known.get_arguments().find(|option| option.get_long() == Some(name));
        option.is_some_and(|option| option.get_action().takes_values())
    };
    let changed: Vec<String> = change.iter().filter_map(|word| long(word)).map(|(name, _)| name).collect();
    let mut kept = Vec::new();
    let mut words = options.iter();
    while let Some(word) = words.next() {
        match long(word) {
            Some((name, with_value)) if changed.contains(&name) => {
                if !with_value && takes_value(&name) {
                    words.next();
                }
            }
            Some((name, false)) if takes_value(&name) => {
                kept.push(word.clone());
                // A value may look like an option.
                kept.extend(words.next().cloned());
            }
            _ => kept.push(word.clone()),
        }
    }
    kept.extend_from_slice(change);
    kept
}

/// The name of a long option, and whether its value is in the same word.
fn long(word: &OsStr) -> Option<(String, bool)> {
    let name = word.to_str()?.strip_prefix("--").filter(|name| !name.is_empty())?;
    Some(match name.split_once('=') {
        Some((name, _)) => (name.to_owned(), true),
        None => (name.to_owned(), false),
    })
}

/// Where both reports are until they are read.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("illico-diff-{}", std::process::id()));
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| format!("cannot make {}: {error}; is TMPDIR writable?", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind is two small files of a folder for such.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_changed_option_replaces_the_same_one_with_its_value() {
        let options = words("--kernel a --exits --cpus=2 --cmdline --transport --transport pci");
        for (change, expected) in [
            ("--kernel b", "--exits --cpus=2 --cmdline --transport --transport pci --kernel b"),
            ("--transport mmio", "--kernel a --exits --cpus=2 --cmdline --transport --transport mmio"),
            ("--cpus 1", "--kernel a --exits --cmdline --transport --transport pci --cpus 1"),
            ("--exits", "--kernel a --cpus=2 --cmdline --transport --transport pci --exits"),
            ("--without msix", "--kernel a --exits --cpus=2 --cmdline --transport --transport pci --without msix"),
        ] {
            assert_eq!(replaced(&options, &words(change)), words(expected), "{change}");
        }
    }
}
