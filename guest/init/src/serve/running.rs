//! A command that runs, between its streams and the connection that it was asked for on.

use std::os::fd::OwnedFd;

use illico_protocol::{Ending, Frame, STDIN_WINDOW, StdinWindow, Stream};
use rustix::event::{PollFd, PollFlags};
use rustix::io::{Errno, ioctl_fionread, read, write};
use rustix::process::{Pid, Signal, WaitStatus, kill_process_group};

use crate::serve::command::{Started, resize};
use crate::serve::connection::Connection;

const STEP: usize = 64 << 10;
/// What a terminal takes for the end of input (`VEOF`).
const END_OF_INPUT: u8 = 4;

#[derive(Debug)]
pub(crate) struct Running {
    pid: Pid,
    terminal: bool,
    stdin: Option<OwnedFd>,
    /// Input that the command has not taken yet.
    pending: Vec<u8>,
    ends: bool,
    window: StdinWindow,
    /// Bytes taken that the host has not been told of.
    untold: u32,
    outputs: Vec<Output>,
    status: Option<WaitStatus>,
}

/// Our end of one of the command's output streams.
#[derive(Debug)]
struct Output {
    stream: Stream,
    fd: OwnedFd,
    /// Once the command has ended: what it left in the pipe. Processes that it left behind may keep the pipe open for ever,
    /// and write to it for ever; that is not the command's output any more.
    left: Option<u64>,
}

impl Running {
    pub(crate) fn new(started: Started) -> Self {
        Self {
            pid: started.pid,
            terminal: started.terminal,
            stdin: started.stdin,
            pending: Vec::new(),
            ends: false,
            window: StdinWindow::new(),
            untold: 0,
            outputs: started.outputs.into_iter().map(|(stream, fd)| Output { stream, fd, left: None }).collect(),
            status: None,
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// The process has ended. What it wrote may still have to be read.
    pub(crate) fn ended(&mut self, status: WaitStatus) {
        self.status = Some(status);
        // Of a terminal the kernel does not say it: there the end is where nothing is left to read.
        for output in self.outputs.iter_mut().filter(|_| !self.terminal) {
            output.left = ioctl_fionread(&output.fd).ok();
        }
    }

    /// What to poll its streams for.
    pub(crate) fn interests<'a>(&'a self, connection: &Connection, into: &mut Vec<PollFd<'a>>) {
        if !self.pending.is_empty() && self.status.is_none() {
            into.extend(self.stdin.iter().map(|fd| PollFd::new(fd, PollFlags::OUT)));
        }
        if connection.has_room() {
            into.extend(self.outputs.iter().map(|output| PollFd::new(&output.fd, PollFlags::IN)));
        }
    }

    /// What the host says while it runs. A reason if it must not say that.
    pub(crate) fn hear(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        match frame {
            Frame::Stdin(data) => {
                if self.ends || !self.window.sent(data.len()) {
                    return Err("more standard input than there is room for".to_owned());
                }
                if self.stdin.is_some() {
                    self.pending.extend_from_slice(data);
                } else {
                    // The command has closed its input; the host must not wait for it.
                    self.took(data.len());
                }
            }
            Frame::StdinEnd => {
                if !self.ends && self.terminal {
                    self.pending.push(END_OF_INPUT);
                    // So that the account of the window comes out even.
                    let _ = self.window.sent(1);
                }
                self.ends = true;
            }
            Frame::Resize(size) => {
                if let (true, Some(terminal)) = (self.terminal, &self.stdin) {
                    let _ = resize(terminal, *size);
                }
            }
            Frame::Signal(number) => self.signal(*number),
            Frame::Closed(stream) => self.outputs.retain(|output| output.stream != *stream || self.terminal),
            _ => return Err("a frame that has no place while a command runs".to_owned()),
        }
        Ok(())
    }

    /// Sends a signal to the command and all that it started in its group.
    pub(crate) fn signal(&self, number: u8) {
        if self.status.is_none()
            && let Some(signal) = signal(number)
        {
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// Carries what there is to carry. How it ended, once it has and all of its output is with the connection.
    pub(crate) fn carry(&mut self, connection: &mut Connection) -> Option<Ending> {
        self.feed();
        if self.untold >= STDIN_WINDOW / 4 {
            connection.queue(&Frame::Taken(self.untold));
            self.untold = 0;
        }
        let dead = self.status.is_some();
        self.outputs.retain_mut(|output| drain(output, dead, connection));
        if !self.outputs.is_empty() {
            return None;
        }
        self.status.map(ending)
    }

    /// Gives the command its input, as much as it takes.
    fn feed(&mut self) {
        while let (Some(stdin), false) = (&self.stdin, self.pending.is_empty()) {
            match write(stdin, &self.pending) {
                Ok(len) => {
                    self.pending.drain(..len);
                    self.took(len);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => {
                    // The command closed its standard input.
                    let rest = self.pending.len();
                    self.pending.clear();
                    self.took(rest);
                    if !self.terminal {
                        self.stdin = None;
                    }
                }
            }
        }
        if self.ends && self.pending.is_empty() && !self.terminal {
            self.stdin = None;
        }
    }

    fn took(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let _ = self.window.taken(bytes);
        self.untold = self.untold.saturating_add(bytes);
    }
}

/// Reads one output stream into the connection while that has room. False once nothing more comes: at the stream's end, or
/// if the process has ended, when all that it left is read.
fn drain(output: &mut Output, dead: bool, connection: &mut Connection) -> bool {
    let mut step = Vec::new();
    while output.left != Some(0) && connection.has_room() {
        let most = output.left.map_or(STEP, |left| STEP.min(usize::try_from(left).unwrap_or(STEP)));
        step.clear();
        step.reserve_exact(most);
        let spare = &mut step.spare_capacity_mut()[..most];
        match read(&output.fd, spare) {
            Ok(([], _)) => return false,
            Ok((data, _)) => {
                output.left = output.left.map(|left| left.saturating_sub(data.len() as u64));
                let stdout = output.stream == Stream::Stdout;
                connection.queue(&if stdout { Frame::Stdout(data) } else { Frame::Stderr(data) });
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return !dead,
            // EIO is the end of a terminal's output.
            Err(_) => return false,
        }
    }
    output.left != Some(0)
}

/// Signals by their numbers, the real-time ones too.
fn signal(number: u8) -> Option<Signal> {
    let number = i32::from(number);
    if (34..=64).contains(&number) {
        // SAFETY: the C library keeps 32 and 33 to itself; it is those that must not be made up.
        return Some(unsafe { Signal::from_raw_unchecked(number) });
    }
    Signal::from_named_raw(number)
}

fn ending(status: WaitStatus) -> Ending {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(status), _) => Ending::Exited(status as u8),
        (None, Some(signal)) => Ending::Signalled(signal as u8),
        (None, None) => Ending::Failed(format!("the command ended in an unknown way: {status:?}")),
    }
}
