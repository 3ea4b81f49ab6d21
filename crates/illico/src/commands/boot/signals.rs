//! Signals, as events on the main loop: SIGTERM and SIGINT press the power button, again they stop.

use std::io::Read;
use std::os::unix::net::UnixStream;

use illico_machine::control::Control;
use illico_machine::machine::Machine;
use illico_virtio::complaints::say;
use illico_virtio::event_loop::{Fault, Polling, Source, Worker};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::commands::Failure;

/// Watches for signals from now on.
pub fn attach(machine: &mut Machine) -> Result<(), Failure> {
    let (ours, handlers) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    for signal in [SIGTERM, SIGINT] {
        signal_hook::low_level::pipe::register(signal, handlers.try_clone()?)?;
    }
    let button = Button { signals: ours, control: machine.control(), pressed: false };
    machine.main_loop().add(Box::new(button), Box::new(|fault| say(&format!("signals: {fault}"))))?;
    Ok(())
}

/// Pressed by the first signal.
struct Button {
    signals: UnixStream,
    control: Control,
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
                    self.control.press_power_button();
                    self.pressed = true;
                }
            }
        }
        Ok(Polling::Sleep)
    }
}
