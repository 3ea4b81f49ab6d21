//! What a guest is for: what PID 1 mounts, sets up and runs first.
//!
//! A file of JSON in the initramfs ([`crate::RUN_SPEC_PATH`]), so that no round trip to the host comes before the command. Devices are
//! named as the guest's kernel names them: the first PCI disk is `/dev/vda`, the first pmem device `/dev/pmem0`.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{Exec, VERSION, Word};

/// All that PID 1 must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// [`VERSION`].
    pub version: u16,
    pub hostname: String,
    /// File names in [`crate::MODULES_PATH`], each after those that it needs. The initramfs writer fills them in.
    pub modules: Vec<String>,
    pub root: Root,
    pub upper: Upper,
    pub mounts: Vec<Mount>,
    pub network: Option<Network>,
    /// The first command. The guest ends when it does.
    pub command: Exec,
}

/// Where the root file system comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Root {
    /// A folder that virtio-fs shares.
    Share { tag: String },
    /// A block device. `options` are those of the file system, such as `dax` for erofs on pmem.
    Device { path: String, filesystem: String, options: String },
}

/// What catches writes to the root file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Upper {
    /// An overlay in memory, of at most so many bytes; half of the memory if it is not said.
    Memory { bytes: Option<u64> },
    /// An overlay on a block device. The host has made the file system; there is no mkfs in a guest.
    Device { path: String, filesystem: String },
}

/// A folder that virtio-fs shares beside the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    pub tag: String,
    /// Where in the guest; made if it is missing and can be made. A file, if the share is of one: see `file`.
    pub path: Word,
    pub readonly: bool,
    /// The name of the one file in the share that is meant, if it is not the share's folder itself.
    #[serde(default)]
    pub file: Option<Word>,
}

/// The network card and what is reached through it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Such as `eth0`.
    pub interface: String,
    pub addresses: Vec<Address>,
    /// Default routes, one of each family at most.
    pub gateways: Vec<IpAddr>,
    /// For `/etc/resolv.conf`.
    pub dns: Vec<IpAddr>,
    pub search: Vec<String>,
    #[serde(default)]
    pub mtu: Option<u32>,
}

/// An address and the length of its network's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    pub ip: IpAddr,
    pub prefix: u8,
}

/// A file that is no [`RunSpec`] of this version.
#[derive(Debug, thiserror::Error)]
pub enum RunSpecError {
    #[error("it is for version {0} of the agent, this one is {VERSION}")]
    Version(u16),
    #[error("it cannot be read")]
    Json(#[from] serde_json::Error),
}

impl RunSpec {
    /// Runs `command` on `root` below an overlay in memory, with no network and nothing else mounted.
    pub fn new(hostname: impl Into<String>, root: Root, command: Exec) -> Self {
        Self {
            version: VERSION,
            hostname: hostname.into(),
            modules: Vec::new(),
            root,
            upper: Upper::Memory { bytes: None },
            mounts: Vec::new(),
            network: None,
            command,
        }
    }

    pub fn to_json(&self) -> Result<Vec<u8>, RunSpecError> {
        Ok(serde_json::to_vec(self)?)
    }

    pub fn from_json(json: &[u8]) -> Result<Self, RunSpecError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u16,
        }
        // The version first: a file of another one may not read as this one does.
        match serde_json::from_slice::<Versioned>(json)?.version {
            VERSION => Ok(serde_json::from_slice(json)?),
            other => Err(RunSpecError::Version(other)),
        }
    }
}

impl Root {
    /// The share that the host calls `root`.
    pub fn share() -> Self {
        Self::Share { tag: "root".to_owned() }
    }

    /// An erofs image on the first pmem device, read in place.
    pub fn erofs_dax() -> Self {
        Self::Device { path: "/dev/pmem0".to_owned(), filesystem: "erofs".to_owned(), options: "dax".to_owned() }
    }
}

impl Mount {
    /// A shared folder at `path` in the guest.
    pub fn folder(tag: impl Into<String>, path: impl Into<Word>, readonly: bool) -> Self {
        Self { tag: tag.into(), path: path.into(), readonly, file: None }
    }
}

#[cfg(test)]
#[path = "run_spec_test.rs"]
mod tests;
