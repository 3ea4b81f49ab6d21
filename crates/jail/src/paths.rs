//! Paths by role (landlock(7)): which folders of the host the calling thread can still open something in.
//!
//! Descriptors that are open already stay as they are. What a kernel's landlock does not know is left open there: the
//! first one (Linux 5.13) knows files, later ones TCP, abstract sockets, and sockets with a path. Signals are left to
//! seccomp, since threads of one process that restrict themselves one by one cannot signal each other on some kernels.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, PathFdError, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use crate::error::JailError;

/// What a thread may do in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// Read files and list folders.
    Read,
    /// Also make, write and remove them. Not: execute them, or make nodes of devices.
    Write,
    /// Connect to sockets.
    Connect,
    /// Remove files and sockets.
    Remove,
}

/// A folder, and what a thread may do in it.
#[derive(Debug)]
pub struct Rule {
    folder: OwnedFd,
    rights: Rights,
}

impl Rule {
    /// For the folder that has this path now.
    pub fn new(folder: &Path, rights: Rights) -> Result<Self, JailError> {
        let folder = PathFd::new(folder).map_err(|error| match error {
            PathFdError::OpenCall { source, path, .. } => JailError::Folder { folder: path, source },
            other => JailError::Paths { source: other.into() },
        })?;
        let folder =
            folder.as_fd().try_clone_to_owned().map_err(|source| JailError::Paths { source: source.into() })?;
        Ok(Self { folder, rights })
    }
}

/// The newest landlock that is made use of.
const NEWEST: ABI = ABI::V10;

/// Leaves the calling thread these folders only. Returns whether the kernel does so; one without landlock does not. Sets
/// `no_new_privs`.
pub fn enter<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> Result<bool, JailError> {
    let entered = || -> Result<bool, RulesetError> {
        let mut ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(NEWEST))?
            .handle_access(AccessNet::from_all(NEWEST))?
            .scope(Scope::AbstractUnixSocket)?
            .create()?;
        for Rule { folder, rights } in rules {
            ruleset = ruleset.add_rule(PathBeneath::new(folder, rights.access()))?;
        }
        Ok(ruleset.restrict_self()?.ruleset != RulesetStatus::NotEnforced)
    };
    entered().map_err(|error| JailError::Paths { source: error.into() })
}

impl Rights {
    fn access(self) -> landlock::BitFlags<AccessFs> {
        let nodes = AccessFs::MakeBlock | AccessFs::MakeChar;
        match self {
            Self::Read => AccessFs::ReadFile | AccessFs::ReadDir,
            Self::Write => {
                AccessFs::from_all(NEWEST) & !(nodes | AccessFs::Execute | AccessFs::IoctlDev | AccessFs::ResolveUnix)
            }
            Self::Remove => AccessFs::RemoveFile.into(),
            Self::Connect => AccessFs::ResolveUnix.into(),
        }
    }
}

#[cfg(test)]
#[path = "paths_test.rs"]
mod tests;
