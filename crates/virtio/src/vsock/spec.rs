//! The spec of a vsock device, and what can be wrong with it.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::device_error::{Key, SpecError};

crate::device_spec! {
    /// A VirtIO vsock device. A host program reaches the guest's port P by a connection to the unix socket and the
    /// line `CONNECT P`; the guest reaches the unix socket SOCKET_P by a connection to port P of CID 2.
    /// Example: path=/run/user/1000/vm.sock
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct VsockSpec {
        /// `path=SOCKET`: the unix socket that host programs connect to. A connection of the guest to port P of the
        /// host goes to the unix socket `SOCKET_P`.
        pub path: PathBuf,
        /// `cid=N`: the guest's context id, from 3 up [default: 3]. Only the guest sees it.
        #[serde(default = "first_cid")]
        pub cid: u32,
    }
}

/// § 5.10.4: 0, 1 and 2 are taken, and 2^32 - 1 means any.
pub const FIRST_CID: u32 = 3;
const ANY_CID: u32 = u32::MAX;

/// `sun_path` has 108 bytes (unix(7)), one of them a zero. A guest's connections go to names that are longer by up to
/// eleven bytes, `_4294967295`.
pub const MAX_PATH: usize = 108 - 1 - 11;

fn first_cid() -> u32 {
    FIRST_CID
}

/// The device cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum VsockError {
    /// A context id that is no guest's.
    #[error("a guest's context id is from {FIRST_CID} to {}", ANY_CID - 1)]
    Cid {
        /// What was asked for.
        cid: u32,
    },
    /// A name that does not fit.
    #[error(
        "{len} bytes are too many: the name of a unix socket has at most {MAX_PATH}, so that PATH_PORT fits too; \
         use a shorter folder"
    )]
    Long {
        /// The name.
        path: PathBuf,
        /// Its length.
        len: usize,
    },
    /// Another program listens there.
    #[error("a running program listens there already; choose another name")]
    InUse {
        /// The name.
        path: PathBuf,
    },
    /// Something that is not to be replaced.
    #[error("it exists and is not a socket; choose another name")]
    NotASocket {
        /// The name.
        path: PathBuf,
    },
    /// Something else.
    #[error("{what}")]
    Host {
        /// The name.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

impl SpecError for VsockError {
    fn keys(&self) -> Vec<Key> {
        vec![match self {
            Self::Cid { cid } => Key::new("cid", cid),
            Self::Long { path, .. } | Self::InUse { path } | Self::NotASocket { path } | Self::Host { path, .. } => {
                Key::new("path", &path.display())
            }
        }]
    }
}

impl VsockSpec {
    /// Checks numbers and lengths.
    pub fn check(&self) -> Result<(), VsockError> {
        let Self { path, cid } = self;
        if !(FIRST_CID..ANY_CID).contains(cid) {
            return Err(VsockError::Cid { cid: *cid });
        }
        let len = path.as_os_str().len();
        if len > MAX_PATH {
            return Err(VsockError::Long { path: path.clone(), len });
        }
        Ok(())
    }
}
