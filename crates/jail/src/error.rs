//! What can go wrong when rights are taken away.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use crate::role::Role;

/// A wall could not be raised.
#[derive(Debug, thiserror::Error)]
pub enum JailError {
    /// The kernel refused a call.
    #[error("cannot {attempt}")]
    Refused {
        /// What for.
        attempt: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A folder that a thread is to be left could not be opened.
    #[error("cannot open {}, which a thread is to be left", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Landlock refused rules.
    #[error("cannot restrict a thread to folders")]
    Paths {
        /// Why not.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The rules of a role do not make a filter.
    #[error("the system calls of the role {role} do not make a filter")]
    Filter {
        /// Whose rules.
        role: Role,
        /// Why not.
        #[source]
        source: seccompiler::BackendError,
    },
}

/// Names what was attempted.
pub(crate) fn refused<E: Into<io::Error>>(attempt: &'static str) -> impl FnOnce(E) -> JailError {
    move |source| JailError::Refused { attempt, source: source.into() }
}
