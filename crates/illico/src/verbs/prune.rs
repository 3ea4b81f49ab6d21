//! `illico prune`: what nothing leads to leaves the store.

use clap::Args;
use illico_image::Store;
use illico_image::kernels::Kernels;

use super::images::report_damage;
use crate::failure::Failure;
use crate::output;
use crate::status::Status;

pub const HELP: &str = "\
Example: illico prune

Status: 0, or 125 where the store cannot be changed.";

/// Options of `illico prune`.
#[derive(Debug, Args)]
pub struct Prune {
    /// Print nothing but complaints.
    #[arg(long, short)]
    pub quiet: bool,
}

/// Removes what nothing leads to.
pub fn run(options: &Prune) -> Result<Status, Failure> {
    let store = Store::of_user()?;
    let (images, bytes) = store.prune()?;
    let bytes = bytes.saturating_add(Kernels::of_user()?.prune()?);
    report_damage(&store);
    if !options.quiet {
        let what = if images == 1 { "image" } else { "images" };
        let freed = output::images::size(bytes);
        output::print(&format!("removed {images} {what} without a name; {freed} freed\n"))?;
    }
    Ok(Status::Ended)
}
