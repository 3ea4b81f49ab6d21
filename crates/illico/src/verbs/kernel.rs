//! `illico kernel`: kernels for guests, in the store and on the host.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use illico_image::kernels::{Kernel as Stored, Kernels};

use crate::failure::Failure;
use crate::output;
use crate::output::kernels::Row;
use crate::status::Status;

pub const HELP: &str = "\
Examples:
  illico kernel ls
  illico kernel fetch
  illico kernel add mine ./vmlinuz --modules /lib/modules/6.12.9
  illico kernel default mine
  illico run --kernel mine -- uname -r

Status: 0, or 125: one line says what is wrong, and the store is as it was.";

/// Options of `illico kernel`.
#[derive(Debug, Args)]
pub struct Kernel {
    #[command(subcommand)]
    pub action: KernelAction,
}

/// What to do with kernels.
#[derive(Debug, Subcommand)]
pub enum KernelAction {
    /// List kernels; a star marks the one that guests have if --kernel says nothing else.
    Ls {
        /// Print an array of objects instead (docs/kernels.md has the schema).
        #[arg(long)]
        json: bool,

        /// Print names only.
        #[arg(long, short, conflicts_with = "json")]
        quiet: bool,
    },
    /// Copy a kernel into the store.
    Add {
        /// What it is to be called.
        #[arg(value_name = "NAME")]
        name: String,

        /// An ELF vmlinux, or a bzImage such as a distribution's vmlinuz.
        #[arg(value_name = "FILE")]
        file: PathBuf,

        /// Its modules: a folder as /lib/modules/RELEASE. Without, everything must be built in.
        #[arg(long, value_name = "DIR")]
        modules: Option<PathBuf>,
    },
    /// Let guests have this kernel if --kernel says nothing else.
    Default {
        /// A name that `illico kernel ls` lists.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Get the distribution's kernel for cloud machines, without installing it. Takes apt-get; needs no root.
    Fetch {
        /// What it is to be called [default: its release].
        #[arg(value_name = "NAME")]
        name: Option<String>,

        /// Another package than the best one that there is. Example: --package linux-image-cloud-amd64
        #[arg(long, value_name = "PACKAGE")]
        package: Option<String>,

        /// Print the name only.
        #[arg(long, short)]
        quiet: bool,
    },
    /// Remove kernels from the store.
    Rm {
        /// Names that `illico kernel ls` lists.
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
}

/// Does what is asked.
pub fn run(options: &Kernel) -> Result<Status, Failure> {
    let kernels = Kernels::of_user()?;
    match &options.action {
        KernelAction::Ls { json, quiet } => list(&kernels, *json, *quiet)?,
        KernelAction::Add { name, file, modules } => {
            let kernel = kernels.add(name, file, modules.as_deref())?;
            output::print(&format!("{} ({})\n", kernel.name, kernel.release))?;
        }
        KernelAction::Default { name } => kernels.set_default(name)?,
        KernelAction::Fetch { name, package, quiet } => {
            let mut watch = |line: &str| {
                if !quiet {
                    output::say(line);
                }
            };
            let kernel = kernels.fetch(name.as_deref(), package.as_deref(), &mut watch)?;
            output::print(&format!("{}\n", kernel.name))?;
        }
        KernelAction::Rm { names } => return remove(&kernels, names),
    }
    Ok(Status::Ended)
}

fn list(kernels: &Kernels, json: bool, quiet: bool) -> Result<(), Failure> {
    let chosen = kernels.choose(None).ok().map(|kernel| kernel.name);
    let rows: Vec<Row> = kernels.list()?.into_iter().map(|kernel| row(kernel, chosen.as_deref())).collect();
    if json {
        output::print_json(&rows)
    } else if quiet {
        output::print(&rows.iter().map(|row| row.name.clone() + "\n").collect::<String>())
    } else {
        output::print(&output::kernels::table(&rows))
    }
}

fn row(kernel: Stored, chosen: Option<&str>) -> Row {
    let Stored { name, image, modules, release, origin } = kernel;
    Row { default: chosen == Some(&*name), name, release, origin, image, modules }
}

/// Removes them one by one; one that cannot be removed does not keep the others.
fn remove(kernels: &Kernels, names: &[String]) -> Result<Status, Failure> {
    let mut status = Status::Ended;
    for name in names {
        match kernels.remove(name) {
            Ok(()) => output::print(&format!("{name}\n"))?,
            Err(error) => {
                output::complain(&error);
                status = Status::Failed;
            }
        }
    }
    Ok(status)
}
