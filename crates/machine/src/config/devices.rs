//! The devices of a configuration: one list, from which its fields, its options and its machine's devices are made.
//!
//! A new device is a line in the list of `config/mod.rs`. The command line, the manual and the machine go over the list.

use illico_virtio::describe::{Described, Description};
use illico_virtio::device::DeviceSpec;
use illico_virtio::entropy::EntropySpec;
use serde::de::DeserializeOwned;

use super::Switch;
use super::key_value::{self, KeyValueError};

/// An option that adds devices to a machine, or takes one away.
#[derive(Debug, Clone, Copy)]
pub struct DeviceOption {
    /// The option, and the key in a file.
    pub name: &'static str,
    /// Whether it may be given several times.
    pub many: bool,
    /// Its values, where they are not the keys of the spec.
    pub choices: Option<&'static str>,
    /// What it does if it is not given, where that is not nothing.
    pub default: Option<&'static str>,
    /// What the spec says about itself.
    pub about: Description,
}

impl DeviceOption {
    pub(super) const fn new<F: DeviceField>(name: &'static str) -> Self {
        Self { name, many: F::MANY, choices: F::CHOICES, default: F::DEFAULT, about: F::Spec::DESCRIPTION }
    }

    /// What is written behind the option.
    pub fn usage(&self) -> String {
        self.choices.map_or_else(|| self.about.usage(), str::to_owned)
    }
}

/// A field of a configuration that stands for devices of one kind.
pub(super) trait DeviceField {
    /// What each of them is made from.
    type Spec: Described;
    const MANY: bool = false;
    const CHOICES: Option<&'static str> = None;
    const DEFAULT: Option<&'static str> = None;

    /// The specs, in order.
    fn specs(&self) -> Vec<&dyn DeviceSpec>;

    /// Takes one more value of the option.
    fn add(&mut self, name: &str, text: &str) -> Result<(), KeyValueError>;
}

impl<T: DeviceSpec + Described + DeserializeOwned> DeviceField for Vec<T> {
    type Spec = T;
    const MANY: bool = true;

    fn specs(&self) -> Vec<&dyn DeviceSpec> {
        self.iter().map(|spec| spec as &dyn DeviceSpec).collect()
    }

    fn add(&mut self, _name: &str, text: &str) -> Result<(), KeyValueError> {
        self.push(key_value::from_str(text)?);
        Ok(())
    }
}

impl<T: DeviceSpec + Described + DeserializeOwned> DeviceField for Option<T> {
    type Spec = T;

    fn specs(&self) -> Vec<&dyn DeviceSpec> {
        self.iter().map(|spec| spec as &dyn DeviceSpec).collect()
    }

    fn add(&mut self, _name: &str, text: &str) -> Result<(), KeyValueError> {
        *self = Some(key_value::from_str(text)?);
        Ok(())
    }
}

/// The entropy device, which has no keys.
impl DeviceField for Switch {
    type Spec = EntropySpec;
    const CHOICES: Option<&'static str> = Some("on|off");
    const DEFAULT: Option<&'static str> = Some("on");

    fn specs(&self) -> Vec<&dyn DeviceSpec> {
        match self {
            Self::On => vec![&EntropySpec {}],
            Self::Off => Vec::new(),
        }
    }

    fn add(&mut self, name: &str, text: &str) -> Result<(), KeyValueError> {
        *self = key_value::word(name, text)?;
        Ok(())
    }
}

/// Declares `Config`: fields with their defaults, then devices, whose fields are options of the same name.
macro_rules! config {
    (
        $(#[$about:meta])* pub struct Config {
            $($(#[$($field_about:tt)*])* pub $field:ident: $type:ty = $default:expr,)*
        }
        devices {
            $($(#[$device_about:meta])* pub $device:ident: $device_type:ty,)*
        }
    ) => {
        $(#[$about])*
        pub struct Config {
            $($(#[$($field_about)*])* pub $field: $type,)*
            $($(#[$device_about])* pub $device: $device_type,)*
        }

        impl Default for Config {
            fn default() -> Self {
                Self { $($field: $default,)* $($device: Default::default(),)* }
            }
        }

        impl Config {
            /// The fields that are not devices, with the lines of their doc comments.
            pub const FIELDS: &[(&str, &[Option<&str>])] =
                &[$((stringify!($field), &[$(illico_virtio::doc_line!($($field_about)*)),*]),)*];

            /// The options that stand for devices, in the order in which the guest sees their devices.
            pub const DEVICE_OPTIONS: &[DeviceOption] =
                &[$(DeviceOption::new::<$device_type>(stringify!($device)),)*];

            /// Every device with its name and its place, in the order in which the guest sees them; a console comes before.
            pub fn devices(&self) -> Vec<(String, Place, &dyn DeviceSpec)> {
                let mut devices = Vec::new();
                $(for (index, spec) in self.$device.specs().into_iter().enumerate() {
                    let many = <$device_type as DeviceField>::MANY;
                    let number = if many { index.to_string() } else { String::new() };
                    let place = Place::Device { field: stringify!($device), index };
                    devices.push((format!("{}{number}", stringify!($device)), place, spec));
                })*
                devices
            }

            /// Takes a value of the device option of that name.
            pub fn add_device(&mut self, option: &str, text: &str) -> Result<(), KeyValueError> {
                match option {
                    $(stringify!($device) => self.$device.add(stringify!($device), text),)*
                    _ => unreachable!("an option of DEVICE_OPTIONS"),
                }
            }
        }
    };
}

pub(super) use config;
