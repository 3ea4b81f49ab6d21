//! A folder or file of the host that the guest sees, written `HOST:GUEST[:ro]`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::error::{Part, PlanError};

/// A folder or file of the host, and where the guest has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// On the host, without symbolic links: what it is does not change under the guest's hands.
    pub host: PathBuf,
    /// In the guest, absolute.
    pub guest: PathBuf,
    /// Whether the guest may only read it.
    pub readonly: bool,
}

impl Share {
    /// Reads one. A relative path of the host starts at the current folder; `\:` is a colon that is part of a path.
    pub fn parse(text: &OsStr) -> Result<Self, PlanError> {
        let wrong = |why: &str| PlanError::new(Part::Share, format!("{}: {why}", text.display()));
        let parts = split(text);
        let (host, guest, readonly) = match parts.as_slice() {
            [host, guest] => (host, guest, false),
            [host, guest, mode] if mode == "ro" => (host, guest, true),
            [host, guest, mode] if mode == "rw" => (host, guest, false),
            [_, _, _] => return Err(wrong("the last part is ro, or left out")),
            _ => return Err(wrong("write HOST:GUEST or HOST:GUEST:ro, each a path")),
        };
        let guest = PathBuf::from(guest);
        if !guest.is_absolute() || guest == Path::new("/") {
            return Err(wrong("the path in the guest must begin with a / and be more than that"));
        }
        if guest.components().any(|part| part == std::path::Component::ParentDir) {
            return Err(wrong("the path in the guest must not go up with .."));
        }
        let host = Path::new(host);
        let host = host.canonicalize().map_err(|error| wrong(&format!("{}: {error}", host.display())))?;
        Ok(Self { host, guest, readonly })
    }
}

/// The parts between colons.
fn split(text: &OsStr) -> Vec<OsString> {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    let mut bytes = text.as_bytes();
    loop {
        bytes = match bytes {
            [b'\\', b':', rest @ ..] => {
                part.push(b':');
                rest
            }
            [b':', rest @ ..] => {
                parts.push(OsString::from_vec(std::mem::take(&mut part)));
                rest
            }
            [byte, rest @ ..] => {
                part.push(*byte);
                rest
            }
            [] => break,
        };
    }
    parts.push(OsString::from_vec(part));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: impl AsRef<OsStr>) -> Result<Share, String> {
        Share::parse(text.as_ref()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_share_has_two_paths_and_maybe_a_mode() {
        let folder = tempfile::tempdir().unwrap();
        let host = folder.path().canonicalize().unwrap();
        let text = |end: &str| format!("{}:{end}", host.display());
        let share = |guest: &str, readonly| Ok(Share { host: host.clone(), guest: guest.into(), readonly });
        assert_eq!(parse(text("/data")), share("/data", false));
        assert_eq!(parse(text("/data:ro")), share("/data", true));
        assert_eq!(parse(text("/a\\:b:rw")), share("/a:b", false));
    }

    #[test]
    fn the_host_s_path_is_what_links_lead_to() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/usr", folder.path().join("link")).unwrap();
        let share = parse(format!("{}:/x", folder.path().join("link").display())).unwrap();
        assert_eq!(share.host, Path::new("/usr"));
    }

    #[test]
    fn what_is_wrong_is_said_with_what_was_written() {
        for (text, why) in [
            ("/usr", "write HOST:GUEST"),
            ("/usr:/a:ro:x", "write HOST:GUEST"),
            ("/usr:/a:z", "the last part is ro"),
            ("/usr:a", "must begin with a /"),
            ("/usr:/", "must begin with a / and be more"),
            ("/usr:/a/../b", "must not go up"),
            ("/no/such:/a", "No such file"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(&format!("{text}: ")) && error.contains(why), "{error}");
        }
    }
}
