//! `illico completions`.

use clap::Args;
use clap_complete::Shell;

pub const HELP: &str = "\
Examples:
  illico completions bash >~/.local/share/bash-completion/completions/illico
  illico completions zsh >~/.zfunc/_illico
  illico completions fish >~/.config/fish/completions/illico.fish";

/// Options of `illico completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}
