//! `illico rmi`: images leave the store.

use clap::Args;
use illico_image::Store;

use crate::failure::Failure;
use crate::output;
use crate::status::Status;

pub const HELP: &str = "\
Example: illico rmi debian:12 3f1c

Machines that run an image keep it until they end.

Status: 0, or 125 where one of them is not there.";

/// Options of `illico rmi`.
#[derive(Debug, Args)]
pub struct Rmi {
    /// Names, or beginnings of digests. An image goes with its last name.
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<String>,
}

/// Removes images.
pub fn run(options: &Rmi) -> Result<Status, Failure> {
    let store = Store::of_user()?;
    let mut status = Status::Ended;
    for name in &options.images {
        match store.remove(name) {
            Ok(removed) => {
                for one in removed {
                    output::print(&format!("{one}\n"))?;
                }
            }
            Err(error) => {
                output::complain(&error);
                status = Status::Failed;
            }
        }
    }
    Ok(status)
}
