//! `illico man`: man pages, out of the same words as `--help`.

use clap::CommandFactory;

use crate::cli::{Cli, Man};
use crate::commands::Failure;
use crate::status::Status;

/// Writes the pages.
pub fn run(options: &Man) -> Result<Status, Failure> {
    let folder = &options.folder;
    clap_mangen::generate_to(Cli::command(), folder).map_err(|error| {
        format!("cannot write man pages into {}: {error}; name a folder that exists", folder.display())
    })?;
    Ok(Status::Ended)
}
