//! A person at a terminal, as a program: `on-a-terminal [--leave KEYS] COMMAND...` runs a command on a pseudo-terminal of 100
//! columns and 30 rows, waits for its `ready`, asks for the size, makes the window larger, asks again, and leaves with Ctrl-A x,
//! or those keys.
//!
//! What it saw of the terminal is printed, a line each. The command gets no controlling terminal: SIGWINCH is sent to it as
//! the kernel would.

use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OutputModes, Termios, Winsize, tcgetattr, tcsetwinsize};

/// How often the size is asked for until it is the new one: it reaches the guest's terminal some time after the window.
const TRIES: u32 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = env::args_os().skip(1).peekable();
    let leaves = words.next_if(|word| word == "--leave").and_then(|_| words.next());
    let leaves = leaves.unwrap_or_else(|| "\x01x".into());
    let program = words.next().ok_or("usage: on-a-terminal [--leave KEYS] COMMAND...")?;
    let (person, terminal) = terminal()?;
    let before = tcgetattr(&terminal)?;
    resize(&terminal, 100, 30)?;
    let mut child = Command::new(program)
        .args(words)
        .stdin(Stdio::from(terminal.try_clone()?))
        .stdout(Stdio::from(terminal.try_clone()?))
        .spawn()?;
    let mut person = Person { file: File::from(person), seen: Vec::new() };

    person.read_line("ready")?;
    println!("while it runs: {}", modes(&tcgetattr(&terminal)?));
    println!("{}", person.ask()?);
    resize(&terminal, 120, 40)?;
    kill_process(Pid::from_child(&child), Signal::WINCH)?;
    let mut answer = String::new();
    for _ in 0..TRIES {
        answer = person.ask()?;
        if answer.contains("40 120") {
            break;
        }
    }
    println!("{answer}");
    person.file.write_all(leaves.as_encoded_bytes())?;
    println!("it ended: {}", child.wait()?);
    let after = tcgetattr(&terminal)?;
    println!("afterwards: {}", modes(&after));
    println!("as before: {}", same(&before, &after));
    Ok(())
}

/// Both ends of a new pseudo-terminal.
fn terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&person)?;
    unlockpt(&person)?;
    let name = ptsname(&person, Vec::new())?;
    let terminal = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty())?;
    Ok((person, terminal))
}

fn resize(terminal: impl AsFd, columns: u16, rows: u16) -> io::Result<()> {
    Ok(tcsetwinsize(terminal, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?)
}

fn modes(terminal: &Termios) -> String {
    let said = |on| if on { "on" } else { "off" };
    format!(
        "lines {}, echo {}, signals {}, output {}",
        said(terminal.local_modes.contains(LocalModes::ICANON)),
        said(terminal.local_modes.contains(LocalModes::ECHO)),
        said(terminal.local_modes.contains(LocalModes::ISIG)),
        said(terminal.output_modes.contains(OutputModes::OPOST)),
    )
}

fn same(one: &Termios, other: &Termios) -> bool {
    let flags = |of: &Termios| (of.input_modes, of.output_modes, of.control_modes, of.local_modes);
    flags(one) == flags(other)
}

/// Whoever types and reads.
struct Person {
    file: File,
    seen: Vec<u8>,
}

impl Person {
    /// Asks the guest for the size of its terminal.
    fn ask(&mut self) -> io::Result<String> {
        self.file.write_all(b"size\n")?;
        self.read_line("size:")
    }

    /// Reads on to the end of the next line that begins with this word.
    fn read_line(&mut self, word: &str) -> io::Result<String> {
        loop {
            while let Some(end) = self.seen.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.seen.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line).trim().to_owned();
                if line.starts_with(word) {
                    return Ok(line);
                }
            }
            let mut bytes = [0; 256];
            let count = self.file.read(&mut bytes)?;
            self.seen.extend(bytes.iter().take(count));
        }
    }
}
