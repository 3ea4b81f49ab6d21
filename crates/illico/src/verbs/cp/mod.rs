//! `illico cp`: files into a machine and out of it.

mod place;

use std::ffi::OsString;

use clap::Args;
use illico_launch::copy;

use self::place::Place;
use crate::failure::Failure;
use crate::status::Status;
use crate::vms::Vms;
use crate::{agent, output};

pub const HELP: &str = "\
Examples:
  illico cp web:/var/log/app.log .
  illico cp ./site web:/srv/

Into a folder that is there it copies under the same name; otherwise the copy gets the new name. A host path with
a colon is written with a slash: ./a:b.

Status: 0, or 125: one line says what could not be copied.";

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

/// Copies in the direction that is asked for.
pub fn run(options: &Cp) -> Result<Status, Failure> {
    match (Place::parse(&options.from), Place::parse(&options.to)) {
        (Place::Host(from), Place::Guest(name, to)) => {
            let vm = Vms::of_user()?.open(&name)?;
            std::fs::symlink_metadata(&from).map_err(|error| format!("{}: {error}", from.display()))?;
            copy::to_guest(agent::connect(&vm)?, &from, &to, &output::say)?;
        }
        (Place::Guest(name, from), Place::Host(to)) => {
            let vm = Vms::of_user()?.open(&name)?;
            copy::name_below_root(&from)?;
            copy::to_host(agent::connect(&vm)?, &from, &to, &output::say)?;
        }
        (Place::Host(_), Place::Host(_)) => {
            return Err("neither is in a machine: write NAME:PATH for one of them".into());
        }
        (Place::Guest(..), Place::Guest(..)) => {
            return Err("both are in machines: copy to this host first, and from it then".into());
        }
    }
    Ok(Status::Ended)
}
