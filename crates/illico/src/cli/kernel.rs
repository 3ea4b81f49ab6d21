//! `illico kernel`: the kernels that guests can have.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
