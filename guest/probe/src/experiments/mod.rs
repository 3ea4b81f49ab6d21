//! The experiments by name. Each is a file; each says its findings in one or a few lines and returns what kept it from
//! finding anything. A failed one does not stop those behind it.

use core::fmt;

use crate::machine::Machine;
use crate::power;
use crate::say;

mod blk;
mod block_queue;
mod compute;
mod console;
mod echo;
mod entropy;
mod exits;
mod frame;
mod hello;
mod interrupt;
mod kicks;
mod net;
mod pmem;
mod ring0;
mod uart;
mod wild;

/// Why an experiment came to nothing: a word with hyphens, fit for `error=`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure(pub(crate) &'static str);

impl From<virtio_drivers::Error> for Failure {
    fn from(error: virtio_drivers::Error) -> Self {
        use virtio_drivers::Error;
        Self(match error {
            Error::QueueFull => "queue-full",
            Error::NotReady => "not-ready",
            Error::WrongToken => "wrong-token",
            Error::AlreadyUsed => "already-used",
            Error::InvalidParam => "queue-too-small",
            Error::DmaError => "no-memory",
            Error::IoError => "io-error",
            Error::Unsupported => "unsupported",
            Error::ConfigSpaceTooSmall | Error::ConfigSpaceMissing => "no-configuration-space",
            Error::SocketDeviceError(_) => "socket",
        })
    }
}

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
        "console" => console::run(count),
        "echo" => echo::run(),
        "blk" => blk::run(machine),
        "blk-reset" => blk::reset(machine),
        "net" => net::run(machine, count),
        "entropy" => entropy::run(machine),
        "pmem" => pmem::run(machine),
        "kicks" => kicks::run(machine, count),
        "wild" => wild::run(machine, argument),
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
