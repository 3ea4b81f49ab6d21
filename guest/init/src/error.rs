//! What goes wrong inside a guest, in words that the host shows to a person.

use std::fmt::{self, Display};
use std::io;

use illico_protocol::RunSpecError;

/// Something that the guest needs did not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    #[error("cannot {action} {what}: {source}")]
    Os { action: &'static str, what: String, source: io::Error },
    #[error("cannot mount {source_name} as {filesystem} on {target}: {source}{}", Hint(filesystem, source))]
    Mount { source_name: String, filesystem: String, target: String, source: io::Error },
    #[error("cannot load the kernel module {name}: {source}")]
    Module { name: String, source: io::Error },
    #[error("the guest has no device {0}")]
    NoDevice(String),
    #[error("the run spec is wrong: {error}{}", cause(error))]
    Spec { error: RunSpecError },
}

impl InitError {
    /// For `map_err`: what was attempted, on what.
    pub(crate) fn os<E: Into<io::Error>>(action: &'static str, what: impl Display) -> impl FnOnce(E) -> Self {
        move |source| Self::Os { action, what: what.to_string(), source: source.into() }
    }
}

fn cause(error: &RunSpecError) -> String {
    std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default()
}

/// What the kernel's errno does not say.
struct Hint<'a>(&'a str, &'a io::Error);

impl Display for Hint<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::NODEV) => write!(out, " (the kernel has no {})", self.0),
            Some(rustix::io::Errno::INVAL) if self.0 == "virtiofs" => out.write_str(" (no share has this tag)"),
            _ => Ok(()),
        }
    }
}
