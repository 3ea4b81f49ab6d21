//! What a setting is called where the person wrote it: an option, a key of a file, or the image.
//!
//! The libraries say what is wrong and carry, as data, which part of a plan, which field or which key of a device is at
//! fault. Only this room turns those into what a person typed.

mod boot;
mod run;

use std::error::Error;

use illico_launch::vms::VmsError;
use illico_launch::{LaunchError, PlanError};
use illico_machine::build::BuildError;
use illico_machine::config::{Advice, ConfigError, Place};
use illico_virtio::device::DeviceError;

pub use self::boot::Written;
use crate::failure::Failure;
use crate::output;

/// Where the person wrote the machine.
#[derive(Debug, Clone)]
pub enum Origin {
    /// In options of `illico run`.
    Run,
    /// In options of `illico boot`, and in a file, perhaps.
    Boot(Written),
}

impl Origin {
    /// Why a machine cannot be started, in the words that the person used.
    pub fn explain(&self, error: LaunchError) -> Failure {
        match &error {
            LaunchError::Plan(plan) => of_plan(plan),
            LaunchError::Jail(jail) => crate::verbs::jail::failed(jail),
            LaunchError::Kernel(kernel) => {
                format!("{}: {}", self.place(Place::Field("kernel")), reasons(kernel)).into()
            }
            LaunchError::Config(config) => self.of_config(config),
            LaunchError::Build(build) => self.of_build(build),
            LaunchError::Device { part, what, error } => run::device(*part, what, error).into(),
            LaunchError::Open { part, .. } => match run::option(*part) {
                Some(option) => {
                    let field = Place::Field(option.trim_start_matches('-'));
                    format!("{}: {}; check the path", self.place(field), reasons(&error)).into()
                }
                None => error.into(),
            },
            LaunchError::Vms(VmsError::InUse { .. }) => format!("--name: {error}").into(),
            _ => error.into(),
        }
    }

    /// What is wrong with a configuration, a line for each mistake.
    pub fn of_config(&self, error: &ConfigError) -> Failure {
        let line = |mistake: &illico_machine::config::Mistake| {
            format!("{}: {}{}", self.place(mistake.place), mistake.text, self.advice(mistake.advice.as_ref()))
        };
        error.0.iter().map(line).collect::<Vec<_>>().join("\n").into()
    }

    fn of_build(&self, error: &BuildError) -> Failure {
        if let BuildError::Device(device) = error {
            return match (self, device.place) {
                (Self::Boot(written), Place::Device { field, index }) => written.device(field, index, &device.error),
                (Self::Run, Place::Device { field, .. }) => run::foreign_device(field, &device.error),
                (_, Place::Field(field)) => format!("{field}: {}", reasons(&device.error)),
            }
            .into();
        }
        let text = reasons(error) + &self.advice(error.advice().as_ref());
        match error.place() {
            Some(place) => format!("{}: {text}", self.place(place)).into(),
            None => text.into(),
        }
    }

    fn place(&self, place: Place) -> String {
        match (self, place) {
            (Self::Boot(written), place) => written.place(place),
            (Self::Run, Place::Field(field) | Place::Device { field, .. }) => format!("--{field}"),
        }
    }

    /// The field that would mend it, behind what is wrong.
    fn advice(&self, advice: Option<&Advice>) -> String {
        let Some(Advice { before, field, value }) = advice else { return String::new() };
        let setting = match self {
            Self::Boot(written) => written.setting(field, value),
            Self::Run => boot::option(field, value),
        };
        format!("; {before} {setting}")
    }
}

/// Names the option of `illico run` or `illico exec` that a part of a plan was given with.
pub fn of_plan(error: &PlanError) -> Failure {
    run::plan(error).into()
}

/// An error and its reasons, in one line.
fn reasons(error: &(dyn Error + 'static)) -> String {
    output::error_lines(error).join("; ")
}

/// What is wrong with a device and its reasons, without its keys.
fn why(error: &DeviceError) -> String {
    reasons(&*error.why)
}

#[cfg(test)]
#[path = "naming_test.rs"]
mod tests;
