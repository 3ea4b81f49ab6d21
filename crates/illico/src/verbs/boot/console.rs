//! Joins the guest's console to standard input and output, and to the person at the terminal, if there
//! is one: raw keys, Ctrl-A x, and the size of the window.

use std::io::{self, Read, stdin, stdout};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use illico_machine::config::Console as Kind;
use illico_machine::machine::Machine;
use illico_virtio::complaints::say;
use illico_virtio::console::{Console, Feed, Keyboard, Resizer, Spool};
use illico_virtio::device::Device;
use illico_virtio::event_loop::{Fault, OnFault, Polling, Source, Worker};
use illico_virtio::interrupt::Interrupt;
use rustix::termios::isatty;
use signal_hook::consts::SIGWINCH;

use crate::failure::Failure;
use crate::terminal::{self, RawMode};

/// A console, ready for a machine to be built around.
#[derive(Default)]
pub struct Opened {
    /// The VirtIO device.
    pub device: Option<Box<dyn Device>>,
    /// Where the UART writes.
    pub uart: Option<Spool>,
    /// What joins it to the machine that was built.
    pub joint: Joint,
}

/// What runs beside the machine for its console.
#[derive(Default)]
pub struct Joint {
    keyboard: Option<Keyboard>,
    /// What the UART hears.
    typed: Option<OwnedFd>,
    /// What the UART says.
    spool: Option<Spool>,
    resizer: Option<Resizer>,
}

/// Opens standard input and output as the guest's console.
pub fn open(kind: Kind) -> Result<Opened, Failure> {
    if kind == Kind::None {
        return Ok(Opened::default());
    }
    let files = || Ok((stdin().as_fd().try_clone_to_owned()?, stdout().as_fd().try_clone_to_owned()?));
    let (mut input, output) =
        files().map_err(|error: io::Error| format!("--console: standard input and output: {error}"))?;
    let mut opened = Opened::default();
    if isatty(&input) {
        let (keyboard, typed) = Keyboard::open(input).map_err(|error| format!("--console: the terminal: {error}"))?;
        (opened.joint.keyboard, input) = (Some(keyboard), typed);
    }
    if kind == Kind::Virtio {
        let console = Console::open(input, output, window())?;
        opened.joint.resizer = console.resizer();
        opened.device = Some(Box::new(console));
    } else {
        opened.joint.typed = Some(input);
        let spool = Spool::open(output).map_err(|error| format!("--console: standard output: {error}"))?;
        opened.joint.spool = Some(spool.clone());
        opened.uart = Some(spool);
    }
    Ok(opened)
}

fn window() -> Option<illico_virtio::console::Size> {
    terminal::size(stdout()).or_else(|| terminal::size(stdin()))
}

impl Joint {
    /// Joins it to the machine. A terminal is raw until what comes back is dropped.
    pub fn attach(self, machine: &mut Machine) -> Result<Option<RawMode>, Failure> {
        let Self { keyboard, typed, spool, resizer } = self;
        if let Some(file) = typed {
            let feed = Feed::open(file, machine.uart_input())?;
            machine.main_loop().add(Box::new(feed), on_fault())?;
        }
        if let Some(spool) = spool {
            machine.main_loop().add(spool.worker(), on_fault())?;
        }
        if let Some(resizer) = resizer {
            let window = Window::watch(resizer)?;
            machine.main_loop().add(Box::new(window), on_fault())?;
        }
        let Some(keyboard) = keyboard else { return Ok(None) };
        let control = machine.control();
        let keyboard = keyboard.on_leave(Interrupt::from_fn(move || control.leave()));
        // Not with devices: Ctrl-A x must work whatever they do.
        machine.control_loop().add(Box::new(keyboard), on_fault())?;
        Ok(RawMode::enter(stdin())?)
    }
}

fn on_fault() -> OnFault {
    Box::new(|fault| say(&format!("terminal: {fault}")))
}

/// Passes the size of the window on whenever it changes.
struct Window {
    changes: UnixStream,
    resizer: Resizer,
}

impl Window {
    fn watch(resizer: Resizer) -> io::Result<Self> {
        let (changes, handler) = UnixStream::pair()?;
        changes.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGWINCH, handler)?;
        Ok(Self { changes, resizer })
    }
}

impl Worker for Window {
    fn sources(&self) -> Vec<Source> {
        vec![Source::readable(&self.changes)]
    }

    fn ready(&mut self, _source: usize) -> Result<Polling, Fault> {
        while let Ok(1..) = self.changes.read(&mut [0; 16]) {}
        if let Some(size) = window() {
            self.resizer.resize(size);
        }
        Ok(Polling::Sleep)
    }
}
