//! `illico man`.

use std::path::PathBuf;

use clap::Args;

pub const HELP: &str = "Example: illico man ~/.local/share/man/man1";

/// Options of `illico man`.
#[derive(Debug, Args)]
pub struct Man {
    /// A folder that exists. One page for illico and one for each verb are written to it.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}
