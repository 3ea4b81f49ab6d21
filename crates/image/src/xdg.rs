//! Base folders of a user: the XDG base directory specification 0.8, "Environment variables".
//!
//! Says where a folder is to be; it neither makes nor checks it. What is put below, and for whom, is the caller's.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// What a folder is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// Images and kernels: `$XDG_DATA_HOME`, or `~/.local/share`.
    Data,
    /// Settings and logins: `$XDG_CONFIG_HOME`, or `~/.config`.
    Config,
    /// Records and logs of machines: `$XDG_STATE_HOME`, or `~/.local/state`.
    State,
    /// What can be made anew: `$XDG_CACHE_HOME`, or `~/.cache`.
    Cache,
    /// Sockets: `$XDG_RUNTIME_DIR`, which has no default in the home folder.
    Runtime,
}

impl Base {
    /// This process's folder, or `None` if neither the variable nor `HOME` holds an absolute path.
    pub fn folder(self) -> Option<PathBuf> {
        self.folder_from(|name| env::var_os(name))
    }

    /// The same with variables from elsewhere. Relative paths are ignored, as the specification demands.
    pub fn folder_from(self, variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
        let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let (name, below_home) = match self {
            Self::Data => ("XDG_DATA_HOME", ".local/share"),
            Self::Config => ("XDG_CONFIG_HOME", ".config"),
            Self::State => ("XDG_STATE_HOME", ".local/state"),
            Self::Cache => ("XDG_CACHE_HOME", ".cache"),
            Self::Runtime => return absolute("XDG_RUNTIME_DIR"),
        };
        absolute(name).or_else(|| Some(absolute("HOME")?.join(below_home)))
    }
}

#[cfg(test)]
#[path = "xdg_test.rs"]
mod tests;
