//! Options of `illico boot` and keys of its file.

use std::path::PathBuf;

use illico_machine::config::{Config, Place};
use illico_virtio::device::DeviceError;
use illico_virtio::device_error::{Key, Remedy};

use super::why;

/// What stands in a file, and what in options.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// The file of --config, with how many devices it has of each kind.
    pub file: Option<(PathBuf, Vec<(&'static str, usize)>)>,
    /// Fields that options have set, in the place of the file.
    pub options: Vec<&'static str>,
}

impl Written {
    /// What stands in this file.
    pub fn in_file(path: PathBuf, config: &Config) -> Self {
        let mut counts = Vec::new();
        for (_, place, _) in config.devices() {
            if let Place::Device { field, index } = place {
                counts.retain(|(other, _)| *other != field);
                counts.push((field, index + 1));
            }
        }
        Self { file: Some((path, counts)), options: Vec::new() }
    }

    /// The name of the file, if this field stands there.
    fn file_of(&self, place: Place) -> Option<String> {
        let (path, counts) = self.file.as_ref()?;
        let is_there = match place {
            Place::Field(field) => !self.options.contains(&field),
            // Devices of the file come first.
            Place::Device { field, index } => counts.iter().any(|(other, count)| *other == field && index < *count),
        };
        is_there.then(|| path.display().to_string())
    }

    pub(super) fn place(&self, place: Place) -> String {
        match (self.file_of(place), place) {
            (Some(file), Place::Field(field)) => format!("{file}: {field}"),
            (Some(file), Place::Device { field, index }) => format!("{file}: {}", element(field, index)),
            (None, Place::Field(field) | Place::Device { field, .. }) => format!("--{field}"),
        }
    }

    pub(super) fn setting(&self, field: &'static str, value: &str) -> String {
        match self.file_of(Place::Field(field)) {
            Some(_) => format!("{field} = {}", literal(value)),
            None => option(field, value),
        }
    }

    pub(super) fn device(&self, field: &'static str, index: usize, error: &DeviceError) -> String {
        let place = self.place(Place::Device { field, index });
        let why = why(error);
        if self.file_of(Place::Device { field, index }).is_none() {
            return format!("{place}{}: {why}{}", behind_option(&error.keys), remedy(field, error.remedy.as_ref()));
        }
        let keys: Vec<_> = error.keys.iter().map(assignment).collect();
        let keys = if keys.is_empty() { String::new() } else { format!(": {}", keys.join(", ")) };
        let remedy = match &error.remedy {
            Some(Remedy::Key { before, key }) => format!("; {before} {}", assignment(key)),
            Some(Remedy::Without) if field == "entropy" => "; or say entropy = \"off\"".to_owned(),
            Some(Remedy::Without) => "; or leave it out".to_owned(),
            None => String::new(),
        };
        format!("{place}{keys}: {why}{remedy}")
    }
}

/// A field as an option.
pub(super) fn option(field: &str, value: &str) -> String {
    match (field, value) {
        ("default-cmdline", "false") => "--no-default-cmdline".to_owned(),
        _ => format!("--{field} {value}"),
    }
}

/// Keys behind the option of a device, in the form in which they are written there; ports have an option of their own.
pub(super) fn behind_option(keys: &[Key]) -> String {
    let (ports, keys): (Vec<_>, Vec<_>) = keys.iter().partition(|key| key.name == "forward");
    let keys: Vec<_> = keys.iter().map(ToString::to_string).collect();
    let ports = ports.iter().filter_map(|port| port.value.as_ref()).map(|port| format!(": -p {port}"));
    let space = if keys.is_empty() { "" } else { " " };
    format!("{space}{}{}", keys.join(","), ports.collect::<String>())
}

fn remedy(field: &str, remedy: Option<&Remedy>) -> String {
    match remedy {
        Some(Remedy::Key { before, key }) => format!("; {before} {key}"),
        Some(Remedy::Without) if field == "entropy" => "; or say --entropy off".to_owned(),
        Some(Remedy::Without) => format!("; or leave --{field} out"),
        None => String::new(),
    }
}

/// One of several devices, or the only one.
fn element(field: &str, index: usize) -> String {
    let is_many = Config::DEVICE_OPTIONS.iter().any(|option| option.name == field && option.many);
    if is_many { format!("{field}[{index}]") } else { field.to_owned() }
}

/// A key as in a file.
fn assignment(key: &Key) -> String {
    format!("{} = {}", key.name, key.value.as_deref().map_or_else(|| "true".to_owned(), literal))
}

fn literal(value: &str) -> String {
    let is_plain = value == "true" || value == "false" || value.parse::<u64>().is_ok();
    if is_plain { value.to_owned() } else { format!("{value:?}") }
}
