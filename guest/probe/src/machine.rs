//! What the experiments get: the command line, and what was found.

use crate::command_line::CommandLine;

#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) command_line: CommandLine,
    /// The local APIC answers, so interrupts can come.
    pub(crate) interrupts: bool,
}
