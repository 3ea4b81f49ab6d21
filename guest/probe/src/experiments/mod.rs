//! The experiments by name. Each is a file; each says its findings in one or a few lines and returns what kept it from
//! finding anything. A failed one does not stop those behind it.

use core::fmt;

use crate::machine::Machine;
use crate::power;
use crate::say;

mod compute;
mod echo;
mod exits;
mod hello;
mod interrupt;
mod ring0;
mod uart;

/// Why an experiment came to nothing: a word with hyphens, fit for `error=`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure(&'static str);

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

type Outcome = Result<(), Failure>;

/// Runs one experiment. `off`, `reset`, `panic`, `crash` and `spin` do not come back.
pub(crate) fn run(machine: &mut Machine, name: &str, argument: Option<&str>) -> Outcome {
    let count = argument.and_then(crate::command_line::number);
    match name {
        "hello" => hello::run(machine),
        "ring0" => ring0::run(),
        "compute" => compute::run(count),
        "interrupt" => interrupt::run(machine, count),
        "echo" => echo::run(machine),
        "uart" => uart::run(machine, count),
        "exits" => exits::run(machine, count),
        "off" => power::off(),
        "reset" => power::reset(),
        "panic" => power::panicked(),
        "crash" => {
            say!("crash");
            crate::gate::crash()
        }
        "spin" => {
            say!("spin");
            loop {
                core::hint::spin_loop();
            }
        }
        _ => Err(Failure("unknown-experiment")),
    }
}
