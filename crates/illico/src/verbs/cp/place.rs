//! `NAME:PATH` or a host path.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::vms::Name;

/// One end of a copy.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// On this host.
    Host(PathBuf),
    /// In a machine.
    Guest(Name, PathBuf),
}

impl Place {
    /// A name and a colon make it a machine's; a slash before the colon does not.
    pub fn parse(text: &OsStr) -> Self {
        let bytes = text.as_bytes();
        let split = bytes.iter().position(|&byte| byte == b':').map(|at| bytes.split_at(at));
        let name = split.and_then(|(name, _)| std::str::from_utf8(name).ok()?.parse().ok());
        match (name, split) {
            (Some(name), Some((_, path))) => {
                let path: OsString = OsStr::from_bytes(path.get(1..).unwrap_or_default()).to_owned();
                Self::Guest(name, path.into())
            }
            _ => Self::Host(text.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_before_a_colon_is_a_machine_s() {
        let guest = |name: &str, path: &str| Place::Guest(name.parse().unwrap(), path.into());
        assert_eq!(Place::parse("web:/etc/hosts".as_ref()), guest("web", "/etc/hosts"));
        assert_eq!(Place::parse("web:a:b".as_ref()), guest("web", "a:b"));
        for host in ["./web:/x", "/web:x", "plain", ".", ":x"] {
            assert_eq!(Place::parse(host.as_ref()), Place::Host(host.into()), "{host}");
        }
    }
}
