//! Reports of a machine's exits: a table, a file, and whether the budget was kept.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Args;
use illico_machine::machine::Machine;
use illico_machine::report::Report;

use crate::budget::{Budget, Excess};
use crate::failure::Failure;
use crate::output;

/// What to report of the exits, and how many there may be.
#[derive(Debug, Default, Args)]
pub struct AccountingOptions {
    /// At the end, print where the exits went. Example: --exits
    #[arg(long)]
    pub exits: bool,

    /// At the end, write where the exits went as JSON (docs/exits.md has the schema).
    /// Example: --exits-json exits.json
    #[arg(long, value_name = "FILE")]
    pub exits_json: Option<PathBuf>,

    /// Hold the guest to a budget of exits (docs/exits.md has the format): what it spent more is printed at the
    /// end, and the status is 105 where it would be 0. Example: --budget budget.toml
    #[arg(long, value_name = "FILE.toml")]
    pub budget: Option<PathBuf>,
}

/// What was asked for.
#[derive(Debug)]
pub struct Accounting<'a> {
    options: &'a AccountingOptions,
    budget: Option<Budget>,
    json: Option<File>,
}

impl<'a> Accounting<'a> {
    /// Reads the budget: what is wrong with it is said before anything runs.
    pub fn asked(options: &'a AccountingOptions) -> Result<Self, Failure> {
        let budget = options.budget.as_deref().map(read_budget).transpose()?;
        Ok(Self { options, budget, json: None })
    }

    /// Makes the file of `--exits-json`: one that cannot be written is said before the guest runs, not after.
    pub fn create(&mut self) -> Result<(), Failure> {
        self.json = self.options.exits_json.as_deref().map(create).transpose()?;
        Ok(())
    }

    /// Whether the machine can be held to the budget.
    pub fn check(&self, machine: &Machine) -> Result<(), Failure> {
        let Some(budget) = &self.budget else { return Ok(()) };
        Ok(budget.check(machine.device_names()).map_err(|error| format!("--budget: {error}"))?)
    }

    /// Whether a report is wanted at all.
    pub fn is_wanted(&self) -> bool {
        self.options.exits || self.json.is_some() || self.budget.is_some()
    }

    /// Every limit of the budget that was passed.
    pub fn excess(&self, report: &Report) -> Result<Vec<Excess>, Failure> {
        let Some(budget) = &self.budget else { return Ok(Vec::new()) };
        Ok(budget.excess(report).map_err(|error| format!("--budget: {error}"))?)
    }

    /// Tells all of it.
    pub fn tell(self, report: &Report, excess: &[Excess]) -> Result<(), Failure> {
        if self.options.exits {
            output::to_stderr(&output::exits::table(report));
        }
        if let Some(mut file) = self.json {
            serde_json::to_writer_pretty(&mut file, report)?;
        }
        output::to_stderr(&output::budget::lines(excess));
        Ok(())
    }
}

fn read_budget(path: &Path) -> Result<Budget, Failure> {
    let wrong = |error: String| format!("--budget: {}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    Ok(Budget::parse(&text).map_err(|error| wrong(error.to_string()))?)
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|error| {
        format!("--exits-json: cannot create {}: {error}; name a file in a folder that exists", path.display()).into()
    })
}
