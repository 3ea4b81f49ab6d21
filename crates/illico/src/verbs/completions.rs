//! `illico completions`: what a shell needs to complete verbs and options.

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use crate::failure::Failure;
use crate::output;
use crate::status::Status;
use crate::verbs::Cli;

pub const HELP: &str = "\
Examples:
  illico completions bash >~/.local/share/bash-completion/completions/illico
  illico completions zsh >~/.zfunc/_illico
  illico completions fish >~/.config/fish/completions/illico.fish

Status: 0, or 125 where the script cannot be written.";

/// Options of `illico completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Prints the script for a shell.
pub fn run(options: &Completions) -> Result<Status, Failure> {
    let mut all = Cli::command();
    all.build();
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut visible(&all), "illico", &mut script);
    output::print_bytes(&script)?;
    Ok(Status::Ended)
}

/// The command without its hidden options, which clap_complete offers like all others.
fn visible(command: &Command) -> Command {
    let names = Command::new(command.get_name().to_owned())
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .about(command.get_about().cloned().unwrap_or_default());
    let options = command.get_arguments().filter(|option| !option.is_hide_set()).cloned();
    names.args(options).subcommands(command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(visible))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn hidden_options_are_not_completed_and_all_others_are() {
        let mut all = Cli::command();
        all.build();
        let run = all.find_subcommand("run").unwrap().clone();
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut visible(&all), "illico", &mut script);
            let script = String::from_utf8(script).unwrap();
            for option in run.get_arguments().filter_map(|option| Some((option.get_long()?, option.is_hide_set()))) {
                assert_eq!(script.contains(option.0), !option.1, "{shell}: --{}", option.0);
            }
        }
    }
}
