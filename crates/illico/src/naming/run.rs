//! Options of `illico run`, and the words behind them.

use illico_launch::{Part, PlanError};
use illico_virtio::device::DeviceError;
use illico_virtio::device_error::Remedy;

use super::boot::behind_option;
use super::why;

/// The option for a part of a plan; none where the words behind the options, or nothing that was written, are at fault.
pub(super) fn option(part: Part) -> Option<&'static str> {
    Some(match part {
        Part::Kernel => "--kernel",
        Part::Initrd => "--initrd",
        Part::Environment => "-e",
        Part::EnvironmentFile => "--env-file",
        Part::Share => "-v",
        Part::Scratch => "--scratch",
        Part::Network => "--net",
        Part::Port | Part::PortNetwork => "-p",
        Part::Image | Part::Command | Part::HostRoot | Part::Agent => return None,
    })
}

pub(super) fn plan(error: &PlanError) -> String {
    match option(error.part) {
        // The network's value is the first word of its error, so that both read as they were written.
        Some(option) if error.part == Part::Network => format!("{option} {error}"),
        Some(option) if error.part == Part::PortNetwork => format!("{option}: {error}: --net user"),
        Some(option) => format!("{option}: {error}"),
        None => error.to_string(),
    }
}

/// A device that stands for a part of the plan. `what` is the part as it was written.
pub(super) fn device(part: Part, what: &str, error: &DeviceError) -> String {
    let why = why(error);
    match part {
        Part::Image => format!("the image {what}: {why}"),
        Part::Network => {
            let ports: Vec<_> = error.keys.iter().filter(|key| key.name == "forward").cloned().collect();
            let remedy = if error.remedy == Some(Remedy::Without) { "; use --net none" } else { "" };
            format!("--net {what}{}: {why}{remedy}", behind_option(&ports))
        }
        Part::HostRoot => format!("this host's files: {why}"),
        Part::Agent => format!("the socket of the agent, in {what}: {why}"),
        _ => format!("{}: {what}: {why}", option(part).unwrap_or("the plan")),
    }
}

/// A device of a kernel that is not Linux: the image is its disk.
pub(super) fn foreign_device(field: &str, error: &DeviceError) -> String {
    let path = error.keys.iter().find(|key| key.name == "path").and_then(|key| key.value.as_deref());
    match path {
        Some(path) if field == "disk" => format!("the disk {path}: {}", why(error)),
        _ => format!("--{field}{}: {}", behind_option(&error.keys), why(error)),
    }
}
