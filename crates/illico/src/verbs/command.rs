//! Options of a command in a guest, the same for `illico run` and `illico exec`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use illico_launch::Environment;
use illico_protocol::{Exec, Limit};

use crate::failure::Failure;
use crate::naming;

/// What a command gets.
#[derive(Debug, Default, Args)]
pub struct CommandOptions {
    /// A variable for the command; without a value, that of this process. May be repeated. Example: -e LANG=C -e TOKEN
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    pub env: Vec<OsString>,

    /// Folder that the command starts in [default: the image's, or the current one; in a machine that runs, that of its
    /// first command]. Example: -w /src
    #[arg(long, short, value_name = "FOLDER")]
    pub workdir: Option<OsString>,

    /// User, by name or number, that the command runs as [default: the image's, or you; in a machine that runs, that of
    /// its first command]. Example: -u nobody
    #[arg(long, short, value_name = "USER[:GROUP]")]
    pub user: Option<String>,

    /// Limit of the command, by its name in setrlimit(2); may be repeated. -1 is no limit. Open files are limited to
    /// 1,048,576 without. Example: --ulimit nofile=1024:4096
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    pub ulimit: Vec<Limit>,
}

impl CommandOptions {
    /// Sets what was given, over what the command has.
    pub fn apply(&self, command: &mut Exec) {
        command.limits.clone_from(&self.ulimit);
        if let Some(folder) = &self.workdir {
            command.cwd = Some(folder.clone().into());
        }
        if let Some(user) = &self.user {
            command.user = Some(user.clone());
        }
    }

    /// Adds variables of files, then those that were given.
    pub fn add_variables(&self, files: &[PathBuf], environment: &mut Environment) -> Result<(), Failure> {
        let added = environment.add(files, &self.env, |name| std::env::var_os(name));
        added.map_err(|error| naming::of_plan(&error))
    }
}
