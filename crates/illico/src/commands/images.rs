//! `illico images`, `rmi` and `prune`: what is in the store, and how it gets out.

use std::io::{Write, stdout};

use illico_image::{Store, Stored};
use serde::Serialize;

use crate::cli::{Images, Prune, Rmi};
use crate::commands::Failure;
use crate::output;
use crate::status::Status;

/// One image. docs/images.md lists the fields.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The digest of its configuration, or of what it was imported from.
    pub id: String,
    /// As short as people write them.
    pub names: Vec<String>,
    /// Bytes on this host's disk.
    pub disk: u64,
    /// The length of the file system that a guest sees.
    pub size: u64,
    /// `erofs`, `ext4` or `squashfs`.
    pub kind: &'static str,
    /// When it came into the store, in seconds since 1970.
    pub stored: u64,
    /// What it was made from.
    pub source: String,
}

impl From<Stored> for Row {
    fn from(image: Stored) -> Self {
        Self {
            id: image.id.to_string(),
            names: image.names,
            disk: image.disk,
            size: image.record.size,
            kind: image.record.kind.name(),
            stored: image.record.stored,
            source: image.record.source,
        }
    }
}

/// Lists the store.
pub fn list(options: &Images) -> Result<Status, Failure> {
    let rows: Vec<Row> = Store::of_user()?.list()?.into_iter().map(Row::from).collect();
    let text = if options.json {
        serde_json::to_string_pretty(&rows)? + "\n"
    } else if options.quiet {
        rows.iter().map(|row| row.id.clone() + "\n").collect()
    } else {
        output::images::table(&rows, crate::vms::now_ms() / 1000)
    };
    stdout().write_all(text.as_bytes())?;
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
    let (images, bytes) = Store::of_user()?.prune()?;
    if !options.quiet {
        let what = if images == 1 { "image" } else { "images" };
        writeln!(stdout(), "removed {images} {what} without a name; {} freed", output::images::size(bytes))?;
    }
    Ok(Status::Ended)
}
