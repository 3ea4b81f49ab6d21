//! `--jail`: what the process that faces a guest may still do.

use std::io::{IsTerminal, stderr};

use clap::{Args, ValueEnum};
use illico_launch::{Jail, JailError};

use crate::failure::Failure;
use crate::output;

/// Options of verbs that run a guest.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct JailOptions {
    /// What becomes of a system call that the machine's process has no need for: on ends the process, warn prints the
    /// call and makes it, off looks at none. docs/threat-model.md lists them. Example: --jail warn
    #[arg(long, value_name = "off|warn|on", value_enum, default_value_t, hide_possible_values = true)]
    pub jail: Level,
}

/// The words of the option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Level {
    Off,
    Warn,
    #[default]
    On,
}

impl JailOptions {
    /// What was asked for. That there is to be no jail is announced.
    pub fn level(self) -> Jail {
        match self.jail {
            Level::Off => {
                output::to_stderr(&off(stderr().is_terminal() && output::colour::is_liked()));
                Jail::Off
            }
            Level::Warn => Jail::Warn,
            Level::On => Jail::On,
        }
    }
}

/// Names the option that jailing failed for.
pub fn failed(error: &JailError) -> Failure {
    let lines = output::error_lines(error).join("; ");
    format!("--jail: {lines} (`illico doctor` says what this host lacks; --jail off does without)").into()
}

fn off(in_red: bool) -> String {
    let text = "illico: the jail is off: a guest that breaks out has all rights of this process";
    if in_red { format!("\x1b[1;31m{text}\x1b[0m\n") } else { format!("{text}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_is_told_in_red() {
        assert!(off(true).starts_with("\x1b[1;31millico: the jail is off"));
        assert!(off(false).starts_with("illico: the jail is off") && !off(false).contains('\x1b'));
    }
}
