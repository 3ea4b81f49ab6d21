//! Signals, as events on the control loop: SIGTERM and SIGINT press the power button, again they stop.
//!
//! Once the machine has ended they end the process, as they do where no program asks for them: what is left to do then,
//! such as writing a report to a pipe, may wait for others.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use illico_machine::control::Control;
use illico_machine::machine::Machine;
use illico_virtio::complaints::say;
use illico_virtio::event_loop::{Fault, Polling, Source, Worker};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::failure::Failure;

/// Signals that are events.
pub struct Signals {
    over: Arc<AtomicBool>,
}

impl Signals {
    /// From now on they end the process.
    pub fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

/// Watches for signals from now on.
pub fn attach(machine: &mut Machine, stop_timeout: Duration) -> Result<Signals, Failure> {
    let over = Arc::new(AtomicBool::new(false));
    let (ours, handlers) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&over))?;
        signal_hook::low_level::pipe::register(signal, handlers.try_clone()?)?;
    }
    let button = Button { signals: ours, control: machine.control(), stop_timeout, pressed: false };
    machine.control_loop().add(Box::new(button), Box::new(|fault| say(&format!("signals: {fault}"))))?;
    Ok(Signals { over })
}

/// Pressed by the first signal.
struct Button {
    signals: UnixStream,
    control: Control,
    /// How long the guest may take to answer.
    stop_timeout: Duration,
    pressed: bool,
}

impl Worker for Button {
    fn sources(&self) -> Vec<Source> {
        vec![Source::readable(&self.signals)]
    }

    fn ready(&mut self, _source: usize) -> Result<Polling, Fault> {
        let mut bytes = [0; 16];
        while let Ok(count @ 1..) = self.signals.read(&mut bytes) {
            for _ in 0..count {
                if self.pressed {
                    self.control.stop();
                } else {
                    self.control.power_off_within(self.stop_timeout);
                    self.pressed = true;
                }
            }
        }
        Ok(Polling::Sleep)
    }
}
