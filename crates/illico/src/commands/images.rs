//! `illico images`, `rmi` and `prune`: what is in the store, and how it gets out.

use std::io::{Write, stdout};

use illico_image::Store;
use illico_image::kernels::Kernels;

use crate::cli::{Images, Prune, Rmi};
use crate::commands::Failure;
use crate::output;
use crate::output::images::Row;
use crate::status::Status;

/// Lists the store.
pub fn list(options: &Images) -> Result<Status, Failure> {
    let store = Store::of_user()?;
    let rows: Vec<Row> = store.list()?.into_iter().map(Row::from).collect();
    let text = if options.json {
        serde_json::to_string_pretty(&rows)? + "\n"
    } else if options.quiet {
        rows.iter().map(|row| row.id.clone() + "\n").collect()
    } else {
        output::images::table(&rows, crate::vms::now_ms() / 1000)
    };
    stdout().write_all(text.as_bytes())?;
    report_damage(&store);
    Ok(Status::Ended)
}

/// Removes images.
pub fn remove(options: &Rmi) -> Result<Status, Failure> {
    let store = Store::of_user()?;
    let mut status = Status::Ended;
    for name in &options.images {
        match store.remove(name) {
            Ok(removed) => {
                for one in removed {
                    writeln!(stdout(), "{one}")?;
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

/// Removes what nothing leads to.
pub fn prune(options: &Prune) -> Result<Status, Failure> {
    let store = Store::of_user()?;
    let (images, bytes) = store.prune()?;
    let bytes = bytes.saturating_add(Kernels::of_user()?.prune()?);
    report_damage(&store);
    if !options.quiet {
        let what = if images == 1 { "image" } else { "images" };
        writeln!(stdout(), "removed {images} {what} without a name; {} freed", output::images::size(bytes))?;
    }
    Ok(Status::Ended)
}

/// Says what is wrong with the store, a line each; the rest of it was listed or pruned all the same.
fn report_damage(store: &Store) {
    for damage in store.damage() {
        output::complain(&damage);
    }
}
