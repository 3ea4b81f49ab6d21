//! What an image says about the program to start in it (OCI image specification, "Image Configuration", `config`).

use serde::{Deserialize, Serialize};

use crate::oci::Execution;

/// The settings of an image, each of which a run may override.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageConfig {
    /// Comes before the command, and stays when another command is given.
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    /// `NAME=VALUE`.
    pub env: Vec<String>,
    /// `user`, `uid`, `user:group` or `uid:gid`; names are those of the image's own /etc/passwd. Empty: root.
    pub user: String,
    /// Empty: the root directory.
    pub workdir: String,
    /// By name or number. Empty: SIGTERM.
    pub stop_signal: String,
    /// `PORT/tcp` or `PORT/udp`.
    pub exposed_ports: Vec<String>,
}

impl From<Execution> for ImageConfig {
    fn from(said: Execution) -> Self {
        Self {
            entrypoint: said.entrypoint.unwrap_or_default(),
            cmd: said.cmd.unwrap_or_default(),
            env: said.env.unwrap_or_default(),
            user: said.user.unwrap_or_default(),
            workdir: said.working_dir.unwrap_or_default(),
            stop_signal: said.stop_signal.unwrap_or_default(),
            exposed_ports: said.exposed_ports.unwrap_or_default().into_keys().collect(),
        }
    }
}
