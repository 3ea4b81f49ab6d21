//! What a setting is called where the person wrote it.
//!
//! The libraries say what is wrong and carry which part is at fault; this file alone turns that part into an option.

use std::error::Error;

use illico_launch::{LaunchError, Part, PlanError};

use crate::failure::Failure;
use crate::output;

/// The option of `illico run` for a part of a plan; none where the words behind the options are at fault.
fn option(part: Part) -> Option<&'static str> {
    Some(match part {
        Part::Kernel => "--kernel",
        Part::Initrd => "--initrd",
        Part::Environment => "-e",
        Part::EnvironmentFile => "--env-file",
        Part::Share => "-v",
        Part::Scratch => "--scratch",
        Part::Network => "--net",
        Part::Port | Part::PortNetwork => "-p",
        Part::Image | Part::Command => return None,
    })
}

/// Names the option that a part of a plan was given with.
pub fn of_plan(error: &PlanError) -> Failure {
    match option(error.part) {
        // The network's value is the first word of its error, so that both read as they were written.
        Some(option) if error.part == Part::Network => format!("{option} {error}").into(),
        Some(option) if error.part == Part::PortNetwork => format!("{option}: {error}: --net user").into(),
        Some(option) => format!("{option}: {error}").into(),
        None => error.to_string().into(),
    }
}

/// Names the option that an error is about.
pub fn of_launch(error: LaunchError) -> Failure {
    match &error {
        LaunchError::Plan(plan) => of_plan(plan),
        LaunchError::Kernel(kernel) => prefixed("--kernel", kernel),
        LaunchError::Open { part, source, .. } => match option(*part) {
            Some(option) => format!("{option}: {error}: {source}; check the path").into(),
            None => error.into(),
        },
        _ => error.into(),
    }
}

fn prefixed(option: &str, error: &(dyn Error + 'static)) -> Failure {
    format!("{option}: {}", output::error_lines(error).join("; ")).into()
}
