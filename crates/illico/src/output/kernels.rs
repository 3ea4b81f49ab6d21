//! What `illico kernel ls` prints of a kernel, as data and as a table.

use std::path::PathBuf;

use serde::Serialize;

use crate::output::table;

/// One kernel. docs/kernels.md lists the fields.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Its name in the store, or `host`.
    pub name: String,
    /// What `uname -r` says in it.
    pub release: String,
    /// Whether guests have it if nothing else is asked for.
    pub default: bool,
    /// Where it came from: a package, a file, or `this host`.
    pub origin: String,
    /// Its file.
    pub image: PathBuf,
    /// Its modules.
    pub modules: Option<PathBuf>,
}

/// The table of `illico kernel ls`.
pub fn table(rows: &[Row]) -> String {
    let mut cells = vec![["", "NAME", "RELEASE", "FROM"].map(str::to_owned)];
    for row in rows {
        let star = if row.default { "*" } else { "" };
        cells.push([star.to_owned(), row.name.clone(), row.release.clone(), row.origin.clone()]);
    }
    table::lines(&cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_marks_what_guests_have() {
        let row = |name: &str, default, origin: &str| Row {
            name: name.to_owned(),
            release: "6.12.9".to_owned(),
            default,
            origin: origin.to_owned(),
            image: "/vmlinuz".into(),
            modules: None,
        };
        assert_eq!(
            table(&[row("host", false, "this host"), row("mine", true, "/boot/vmlinuz")]),
            "   NAME  RELEASE  FROM\n   host  6.12.9   this host\n*  mine  6.12.9   /boot/vmlinuz\n"
        );
    }
}
