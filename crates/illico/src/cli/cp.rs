//! `illico cp`.

use std::ffi::OsString;

use clap::Args;

pub const HELP: &str = "\
Examples:
  illico cp web:/var/log/app.log .
  illico cp ./site web:/srv/

Into a folder that is there it copies under the same name; otherwise the copy gets the new name. A host path with
a colon is written with a slash: ./a:b.";

/// Options of `illico cp`.
#[derive(Debug, Args)]
pub struct Cp {
    /// What to copy: a host path, or NAME:PATH in a machine.
    #[arg(value_name = "FROM")]
    pub from: OsString,

    /// Where to: NAME:PATH in a machine, or a host path.
    #[arg(value_name = "TO")]
    pub to: OsString,
}
