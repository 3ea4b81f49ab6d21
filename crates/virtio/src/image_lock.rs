//! The lock on a file that a guest uses as a disk or as memory: one writer, or any number of readers.
//!
//! It is the whole-file lock of `flock(2)`, bound to the open file: it holds between programs and
//! inside this one (a disk and persistent memory on the same file), and ends with the last descriptor.

use std::fs::{File, TryLockError};
use std::io;

/// The file was not locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Someone else has it, and one of the two wants to write.
    #[error("it is in use: a file may have one writer or several readers, lsof shows who has it open")]
    InUse,
    /// The file system does not do this.
    #[error("locking it")]
    Unsupported(#[source] io::Error),
}

/// Locks `file` for as long as it is open: for itself alone where it is written, else with other readers.
pub fn lock(file: &File, readonly: bool) -> Result<(), LockError> {
    let locked = if readonly { file.try_lock_shared() } else { file.try_lock() };
    locked.map_err(|error| match error {
        TryLockError::WouldBlock => LockError::InUse,
        TryLockError::Error(error) => LockError::Unsupported(error),
    })
}

#[cfg(test)]
#[path = "image_lock_test.rs"]
mod tests;
