//! What was measured, as it is kept: `docs/benchmarks/figures.json`, a table for each part.

use std::fs;
use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::Part;
use crate::{Error, project};

/// One part's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The name of its part and of its plot's file.
    pub id: String,
    pub title: String,
    /// What is measured, from where to where, and on what.
    pub boundary: String,
    /// What the columns are, with their units.
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
    /// The column that is drawn.
    pub plotted: usize,
}

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    /// A figure for each column, none where it does not apply.
    pub values: Vec<Option<f64>>,
}

/// All tables, in the order of the report.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    pub tables: Vec<Table>,
}

/// Where figures and plots are.
pub fn folder() -> PathBuf {
    project::root().join("docs/benchmarks")
}

impl Figures {
    /// What earlier runs have kept.
    pub fn read() -> Result<Figures, Error> {
        let path = folder().join("figures.json");
        if !path.exists() {
            return Ok(Figures::default());
        }
        let text = fs::read(&path).map_err(Error::file("read", &path))?;
        serde_json::from_slice(&text).map_err(|error| Error::file("understand", &path)(error.into()))
    }

    /// Replaces the table of that name. The report has them in the order of their parts.
    pub fn keep(&mut self, table: Table) {
        self.tables.retain(|kept| kept.id != table.id);
        self.tables.push(table);
        let named = |part: &Part, id: &str| part.to_possible_value().is_some_and(|value| value.get_name() == id);
        self.tables.sort_by_key(|table| Part::value_variants().iter().position(|part| named(part, &table.id)));
    }

    pub fn write(&self) -> Result<(), Error> {
        let path = folder().join("figures.json");
        fs::create_dir_all(folder()).map_err(Error::file("create", folder()))?;
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        fs::write(&path, text).map_err(Error::file("write", &path))
    }
}
