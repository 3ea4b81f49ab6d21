//! `illico images`: what is in the store.

use clap::Args;
use illico_image::Store;

use crate::failure::Failure;
use crate::output;
use crate::output::images::Row;
use crate::status::Status;

pub const HELP: &str = "\
Examples:
  illico images
  illico images --json | jq -r '.[].id'

Status: 0, or 125 where the store cannot be read.";

/// Options of `illico images`.
#[derive(Debug, Args)]
pub struct Images {
    /// Print an array of objects instead (docs/images.md has the schema).
    #[arg(long)]
    pub json: bool,

    /// Print digests only.
    #[arg(long, short, conflicts_with = "json")]
    pub quiet: bool,
}

/// Lists the store.
pub fn run(options: &Images) -> Result<Status, Failure> {
    let store = Store::of_user()?;
    let rows: Vec<Row> = store.list()?.into_iter().map(Row::from).collect();
    if options.json {
        output::print_json(&rows)?;
    } else if options.quiet {
        output::print(&rows.iter().map(|row| row.id.clone() + "\n").collect::<String>())?;
    } else {
        output::print(&output::images::table(&rows, crate::vms::now_ms() / 1000))?;
    }
    report_damage(&store);
    Ok(Status::Ended)
}

/// Says what is wrong with the store, a line each; the rest of it was listed or pruned all the same.
pub fn report_damage(store: &Store) {
    for damage in store.damage() {
        output::complain(&damage);
    }
}
