//! The place in a configuration that an error is about, and the setting that would mend it, as data: the program says how
//! a person writes them.

use illico_virtio::device_error::DeviceError;

/// A place in a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A field, by its name.
    Field(&'static str),
    /// A device, by its field and its number there.
    Device {
        /// The field.
        field: &'static str,
        /// Its number, from 0.
        index: usize,
    },
}

/// A field with another value, and the words that lead to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// The words before the setting.
    pub before: &'static str,
    /// The field.
    pub field: &'static str,
    /// Its value, as in a file.
    pub value: String,
}

impl Advice {
    pub(crate) fn new(before: &'static str, field: &'static str, value: impl Into<String>) -> Self {
        Self { before, field, value: value.into() }
    }
}

/// A device of a configuration that cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the device {name} cannot be set up")]
pub struct OpenError {
    /// What the device is called in tables.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// What is wrong with it.
    #[source]
    pub error: Box<DeviceError>,
}
