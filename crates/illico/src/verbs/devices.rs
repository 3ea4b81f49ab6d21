//! The options that stand for devices, made from the list of the configuration: their help is what the specs say.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use illico_machine::config::{Config, DeviceOption};

/// What was given for devices: option and value, an option's values in order.
#[derive(Debug, Clone, Default)]
pub struct Devices(pub Vec<(&'static str, String)>);

impl FromArgMatches for Devices {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let values = |option: &DeviceOption| {
            let texts = matches.get_many::<String>(option.name).into_iter().flatten().cloned();
            texts.map(|text| (option.name, text)).collect::<Vec<_>>()
        };
        Ok(Self(Config::DEVICE_OPTIONS.iter().flat_map(values).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        // As for other options: what is given replaces all that was given of the same option.
        let given = Self::from_arg_matches(matches)?;
        self.0.retain(|(option, _)| given.0.iter().all(|(other, _)| option != other));
        self.0.extend(given.0);
        Ok(())
    }
}

impl Args for Devices {
    fn augment_args(command: Command) -> Command {
        Config::DEVICE_OPTIONS.iter().map(argument).fold(command, Command::arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn argument(option: &DeviceOption) -> Arg {
    let action = if option.many { ArgAction::Append } else { ArgAction::Set };
    Arg::new(option.name).long(option.name).value_name(option.usage()).action(action).help(help(option))
}

/// What the option does, in the words of its spec.
fn help(option: &DeviceOption) -> String {
    let mut text = option.about.summary();
    if option.many {
        text.truncate(text.trim_end_matches('.').len());
        text.push_str("; may be repeated.");
    }
    if let Some(default) = option.default {
        text.truncate(text.trim_end_matches('.').len());
        text.push_str(&format!(" [default: {default}]."));
    }
    if let Some(example) = option.about.example() {
        text.push_str(&format!(" Example: --{} {example}", option.name));
    }
    text
}

#[cfg(test)]
#[path = "devices_test.rs"]
mod tests;
