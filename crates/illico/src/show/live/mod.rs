//! A running machine's counters, shared with other processes of its user (docs/watch.md).
//!
//! Two files in the machine's folder of sockets: `counters` is the page that the monitor counts in, and a
//! connection to `refresh` has it copy there what it does not count itself. They are there and not in the
//! folder of its state because that may be on a disk, and the page is written all the time.

mod look;
mod rates;
mod threads;

pub use illico_launch::watch::EXITS;
use illico_launch::watch::{COUNTERS, REFRESH};
pub use look::look;
pub use rates::{MachineRates, Moment, QueueRates, Shares, VcpuRates};
pub use threads::{TICKS, Thread, Times, of_process};
