//! `illico man`: man pages, out of the same words as `--help`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};

use crate::failure::Failure;
use crate::status::Status;
use crate::verbs::Cli;

pub const HELP: &str = "\
Example: illico man ~/.local/share/man/man1

Status: 0, or 125 where the folder cannot be written to.";

/// Options of `illico man`.
#[derive(Debug, Args)]
pub struct Man {
    /// A folder that exists. One page for illico and one for each verb are written to it.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

/// Writes the pages.
pub fn run(options: &Man) -> Result<Status, Failure> {
    let folder = &options.folder;
    clap_mangen::generate_to(Cli::command(), folder).map_err(|error| {
        format!("cannot write man pages into {}: {error}; name a folder that exists", folder.display())
    })?;
    Ok(Status::Ended)
}
