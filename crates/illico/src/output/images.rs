//! What `illico images` prints of an image, as data and as a table.

use illico_image::Stored;
use serde::Serialize;

use crate::output::table;

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

/// A line for each name of an image, below a head. `now` is in seconds since 1970.
pub fn table(rows: &[Row], now: u64) -> String {
    let mut cells = vec![["NAME", "ID", "DISK", "AGE"].map(str::to_owned)];
    for row in rows {
        let id: String = row.id.chars().skip("sha256:".len()).take(12).collect();
        let names = if row.names.is_empty() { vec!["-".to_owned()] } else { row.names.clone() };
        for name in names {
            cells.push([name, id.clone(), size(row.disk), table::age(now.saturating_sub(row.stored))]);
        }
    }
    table::lines(&cells)
}

/// Bytes, for people.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..0x400 => format!("{bytes} B"),
        0x400..0x10_0000 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        0x10_0000..0x4000_0000 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, names: &[&str], disk: u64) -> Row {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        Row { id: id.to_owned(), names, disk, size: 4 << 20, kind: "erofs", stored: 1000, source: String::new() }
    }

    #[test]
    fn every_name_has_a_line() {
        let rows = [row("sha256:0123456789abcdef", &["debian:12", "mine"], 3 << 20), row("sha256:ffff", &[], 5)];
        assert_eq!(
            table(&rows, 1060),
            "NAME       ID            DISK     AGE\n\
             debian:12  0123456789ab  3.0 MiB  60 s\n\
             mine       0123456789ab  3.0 MiB  60 s\n\
             -          ffff          5 B      60 s\n"
        );
    }
}
