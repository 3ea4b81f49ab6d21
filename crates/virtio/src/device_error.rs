//! What is wrong with a device, as data: which of its keys are at fault, and which setting would mend it.
//!
//! How a key is written (behind an option, in a file, in a request) is for the program to say.

use std::error::Error;
use std::fmt;

/// A key of a device's spec, as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// Its value; none for a switch.
    pub value: Option<String>,
}

impl Key {
    /// A key with a value.
    pub fn new(name: &'static str, value: &(impl ToString + ?Sized)) -> Self {
        Self { name, value: Some(value.to_string()) }
    }

    /// A key that is a switch.
    pub fn switch(name: &'static str) -> Self {
        Self { name, value: None }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value}", self.name),
            None => f.write_str(self.name),
        }
    }
}

/// What would mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// Another value of a key of the same device.
    Key {
        /// The words before the key.
        before: &'static str,
        /// The key.
        key: Key,
    },
    /// A machine without the device.
    Without,
}

/// An error of one kind of device.
pub trait SpecError: Error + Send + Sync + 'static {
    /// The keys that are at fault; none if it is the device as a whole.
    fn keys(&self) -> Vec<Key>;

    /// What would mend it, where that is a setting.
    fn remedy(&self) -> Option<Remedy> {
        None
    }
}

/// What is wrong with a device.
#[derive(Debug)]
pub struct DeviceError {
    /// The keys that are at fault; none if it is the device as a whole.
    pub keys: Vec<Key>,
    /// What would mend it, where that is a setting.
    pub remedy: Option<Remedy>,
    /// What is wrong, without the names of keys.
    pub why: Box<dyn Error + Send + Sync>,
}

impl<E: SpecError> From<E> for DeviceError {
    fn from(error: E) -> Self {
        Self { keys: error.keys(), remedy: error.remedy(), why: Box::new(error) }
    }
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, key) in self.keys.iter().enumerate() {
            write!(f, "{}{key}", if index == 0 { "" } else { "," })?;
        }
        write!(f, "{}{}", if self.keys.is_empty() { "" } else { ": " }, self.why)
    }
}

impl Error for DeviceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.why.source()
    }
}
