//! The end of the machine.

use rustix::system::{RebootCommand, reboot};

/// Powers off. What is to be kept was written back before.
pub(crate) fn off() -> ! {
    loop {
        // It returns only if PID 1 may not do this, and then there is nothing else that it may.
        let _ = reboot(RebootCommand::PowerOff);
    }
}
