//! `illico kernel`: kernels for guests, in the store and on the host.

use std::io::{Write, stdout};

use illico_image::kernels::{Kernel as Stored, Kernels};

use crate::cli::{Kernel, KernelAction};
use crate::commands::Failure;
use crate::output;
use crate::output::kernels::Row;
use crate::status::Status;

/// Does what is asked.
pub fn run(options: &Kernel) -> Result<Status, Failure> {
    let kernels = Kernels::of_user()?;
    match &options.action {
        KernelAction::Ls { json, quiet } => list(&kernels, *json, *quiet)?,
        KernelAction::Add { name, file, modules } => {
            let kernel = kernels.add(name, file, modules.as_deref())?;
            writeln!(stdout(), "{} ({})", kernel.name, kernel.release)?;
        }
        KernelAction::Default { name } => kernels.set_default(name)?,
        KernelAction::Fetch { name, package, quiet } => {
            let mut watch = |line: &str| {
                if !quiet {
                    output::say(line);
                }
            };
            let kernel = kernels.fetch(name.as_deref(), package.as_deref(), &mut watch)?;
            writeln!(stdout(), "{}", kernel.name)?;
        }
        KernelAction::Rm { names } => return remove(&kernels, names),
    }
    Ok(Status::Ended)
}

fn list(kernels: &Kernels, json: bool, quiet: bool) -> Result<(), Failure> {
    let chosen = kernels.choose(None).ok().map(|kernel| kernel.name);
    let rows: Vec<Row> = kernels.list()?.into_iter().map(|kernel| row(kernel, chosen.as_deref())).collect();
    let text = if json {
        serde_json::to_string_pretty(&rows)? + "\n"
    } else if quiet {
        rows.iter().map(|row| row.name.clone() + "\n").collect()
    } else {
        output::kernels::table(&rows)
    };
    Ok(stdout().write_all(text.as_bytes())?)
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
            Ok(()) => writeln!(stdout(), "{name}")?,
            Err(error) => {
                output::complain(&error);
                status = Status::Failed;
            }
        }
    }
    Ok(status)
}
