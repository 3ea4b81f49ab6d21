//! `illico exec`.

use std::ffi::OsString;

use clap::Args;
use illico_protocol::Limit;

use crate::vms::Name;

pub const HELP: &str = "\
Examples:
  illico exec web -- cat /etc/os-release
  illico exec -it web sh

The status is the command's, as for `illico run`.";

/// Options of `illico exec`.
#[derive(Debug, Args)]
pub struct Exec {
    /// Keep standard input open and pass it on.
    #[arg(long, short)]
    pub interactive: bool,

    /// Give the command a terminal; with -i, this one.
    #[arg(long, short)]
    pub tty: bool,

    /// A variable for the command; without a value, that of this process. May be repeated. Example: -e LANG=C
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    pub env: Vec<OsString>,

    /// Folder that the command starts in [default: that of the first command].
    #[arg(long, short, value_name = "FOLDER")]
    pub workdir: Option<OsString>,

    /// User, by name or number, that the command runs as [default: that of the first command].
    #[arg(long, short, value_name = "USER[:GROUP]")]
    pub user: Option<String>,

    /// Limit of the command, beside those of the first command; may be repeated. Example: --ulimit core=0
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    pub ulimit: Vec<Limit>,

    /// A machine, by name.
    #[arg(value_name = "NAME")]
    pub name: Name,

    /// The command and its arguments.
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
}
