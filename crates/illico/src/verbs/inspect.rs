//! `illico inspect`: one machine, all of it.

use clap::Args;
use serde_json::json;

use crate::failure::Failure;
use crate::output;
use crate::output::ps::Row;
use crate::status::Status;
use crate::vms::{Name, Vms};

pub const HELP: &str = "\
Example: illico inspect web | jq .state

Status: 0, or 125 where there is no such machine.";

/// Options of `illico inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// A machine, by name.
    #[arg(value_name = "NAME")]
    pub name: Name,
}

/// Prints what is known of a machine.
pub fn run(options: &Inspect) -> Result<Status, Failure> {
    let vm = Vms::of_user()?.open(&options.name)?;
    let mut told = serde_json::to_value(&vm.record)?;
    if !told.is_object() {
        told = json!({ "name": vm.name });
    }
    let row = Row::of(&vm);
    told["state"] = json!(row.state);
    told["status"] = json!(row.status);
    told["why"] = json!(row.why);
    told["ended_ms"] = json!(row.ended_ms);
    told["folder"] = json!(vm.path);
    output::print_json(&told)?;
    Ok(Status::Ended)
}
