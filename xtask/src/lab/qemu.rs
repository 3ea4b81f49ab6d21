//! One run of the lab: QEMU's command line, its end, and telling a failed command from a failed lab.
//!
//! `emulator.rs` says which QEMU that is. All CPUs of the lab run on one host thread: with a host thread each, QEMU 7.2's
//! TCG now and then runs a half-patched jump label, and the lab's kernel oopses.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};

use super::{Access, Lab, Outcome, archive, emulator, option_value, ports, shelf};
use crate::{Error, Kernel, Series};

/// A host that is busy delivers ticks too late for the kernel, which then takes its timer for broken: it need not look.
const CMDLINE: &str = "console=ttyS0 panic=-1 oops=panic quiet mitigations=off no_timer_check";
/// File descriptors in QEMU.
const INITRD: i32 = 3;
const CONSOLE: i32 = 4;
const FIRST_PORT: i32 = 5;
const PORTS: [&str; 4] = ["output", "control", "files", "pulse"];
/// An interrupt ten times a second: #VMEXIT changes `interrupt_request` without the lock under which QEMU's main loop sets
/// it, so the lab's own timer can be lost, and then nothing else wakes the lab.
const PULSE: Duration = Duration::from_millis(100);
const CONSOLE_LINES: usize = 40;

enum Event {
    Status(u8),
    Output(Vec<u8>),
    Files(BTreeMap<String, Vec<u8>>),
    /// A port ended before it said what it had to.
    Lost,
}

pub(super) fn run(lab: &Lab) -> Result<Outcome, Error> {
    let kernel = Kernel::get(Series::V6_12)?;
    let guests = [kernel.clone(), Kernel::get(Series::V6_1)?];
    let shelf = shelf::image(&kernel, &guests)?;
    let marker = format!("<<the lab's command ended, {:?} {}>>", Instant::now(), std::process::id());
    let initrd = anonymous_file(&archive::build(lab, &kernel, marker.as_bytes())?)?;

    let (console, console_far) = pair()?;
    let (output, output_far) = pair()?;
    let (control, control_far) = pair()?;
    let (files, files_far) = pair()?;
    let (pulse, pulse_far) = pair()?;
    pulse.set_nonblocking(true).map_err(start_error)?;
    let mut mappings = vec![mapping(initrd.into(), INITRD), mapping(console_far.into(), CONSOLE)];
    for (far, number) in [output_far, control_far, files_far, pulse_far].into_iter().zip(FIRST_PORT..) {
        mappings.push(mapping(far.into(), number));
    }

    let mut command = emulator::command()?;
    command.args(arguments(lab, &kernel, shelf.as_os_str()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.fd_mappings(mappings).map_err(|source| start_error(io::Error::other(source)))?;
    let mut child = command.spawn().map_err(start_error)?;
    // The command holds our copies of QEMU's ends. Were they open, a dead QEMU would not be an end of file.
    drop(command);

    let console = thread::spawn(move || lossy(console));
    let errors = child.stderr.take().map(|stderr| thread::spawn(move || lossy(stderr)));
    let (sender, events) = mpsc::channel();
    let echo = lab.echo.then(io::stdout);
    report(&sender, move || ports::output(output, marker.as_bytes(), echo).map(Event::Output));
    report(&sender, move || ports::status(&control).map(Event::Status));
    let paths = lab.fetch.clone();
    report(&sender, move || ports::files(files, &paths).map(Event::Files));

    let result = collect(lab, &events, pulse);
    let ended = end(&mut child, matches!(result, Err(None)));
    let console = console.join().unwrap_or_default();
    let qemu = errors.and_then(|errors| errors.join().ok()).unwrap_or_default();
    match result {
        Ok((status, output, fetched)) => Ok(Outcome { status, output, console, fetched }),
        Err(None) => Err(Error::LabDied {
            ended: ended.map_or_else(|error| error.to_string(), |status| status.to_string()),
            console: last_lines(&console),
            qemu: last_lines(&qemu),
        }),
        Err(Some(seconds)) => Err(Error::LabTimeout { seconds, console: last_lines(&console) }),
    }
}

fn arguments(lab: &Lab, kernel: &Kernel, shelf: &OsStr) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    let mut add = |option: &str, value: &OsStr| words.extend([option.into(), value.into()]);
    add("-M", "q35".as_ref());
    add("-accel", "tcg,thread=single".as_ref());
    add("-cpu", "EPYC,+svm".as_ref());
    add("-smp", lab.cpus.to_string().as_ref());
    add("-m", lab.memory_mib.to_string().as_ref());
    add("-display", "none".as_ref());
    add("-kernel", kernel.bzimage().as_os_str());
    add("-initrd", format!("/dev/fd/{INITRD}").as_ref());
    add("-append", CMDLINE.as_ref());
    add("-chardev", format!("socket,id=console,fd={CONSOLE}").as_ref());
    add("-serial", "chardev:console".as_ref());
    add("-device", "virtio-serial-pci".as_ref());
    for (name, number) in PORTS.iter().zip(FIRST_PORT..) {
        add("-chardev", format!("socket,id={name},fd={number}").as_ref());
        add("-device", format!("virtserialport,chardev={name},name={name}").as_ref());
    }
    let disks = lab.disks.iter().map(|disk| (disk.name.as_str(), disk.image.as_os_str(), disk.access));
    for (name, image, access) in [("lab", shelf, Access::ReadOnly)].into_iter().chain(disks) {
        let mut drive = OsString::from(format!("if=none,id=disk-{name},format=raw,file="));
        drive.push(option_value(image));
        if access == Access::ReadOnly {
            drive.push(",readonly=on");
        }
        add("-drive", &drive);
        add("-device", format!("virtio-blk-pci,drive=disk-{name},serial={name}").as_ref());
    }
    if lab.instruction_clock {
        words.extend(["-icount", "shift=0,sleep=off"].map(OsString::from));
    }
    words.extend(["-nodefaults", "-no-reboot"].map(OsString::from));
    words
}

type Collected = (u8, Vec<u8>, BTreeMap<String, Vec<u8>>);

/// All three ports' ends; `None` if one was lost, the seconds if they took too long.
fn collect(lab: &Lab, events: &mpsc::Receiver<Event>, mut pulse: UnixStream) -> Result<Collected, Option<u64>> {
    let deadline = Instant::now() + lab.timeout;
    let (mut status, mut output, mut files) = (None, None, None);
    loop {
        match events.recv_timeout(PULSE) {
            Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {
                // A lab that does not listen yet, or not any more, has a full socket: nothing is missed.
                let _ = pulse.write(b"\n");
            }
            Ok(Event::Status(value)) => status = Some(value),
            Ok(Event::Output(bytes)) => output = Some(bytes),
            Ok(Event::Files(found)) => files = Some(found),
            Ok(Event::Lost) | Err(RecvTimeoutError::Disconnected) => return Err(None),
            Err(RecvTimeoutError::Timeout) => return Err(Some(lab.timeout.as_secs())),
        }
        match (status, output.take(), files.take()) {
            (Some(status), Some(output), Some(files)) => return Ok((status, output, files)),
            (_, kept_output, kept_files) => (output, files) = (kept_output, kept_files),
        }
    }
}

/// Waits for QEMU, which is killed unless it is ending by itself, for which it gets two seconds.
fn end(child: &mut Child, by_itself: bool) -> io::Result<ExitStatus> {
    for _ in 0..if by_itself { 20 } else { 0 } {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(100));
    }
    child.kill()?;
    child.wait()
}

fn report(sender: &mpsc::Sender<Event>, read: impl FnOnce() -> io::Result<Event> + Send + 'static) {
    let sender = sender.clone();
    thread::spawn(move || {
        // Nobody listens any more once the run has failed for another reason.
        let _ = sender.send(read().unwrap_or(Event::Lost));
    });
}

fn lossy(mut source: impl Read) -> String {
    let mut bytes = Vec::new();
    // QEMU that is killed may reset the connection: what was read counts.
    let _ = source.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.len().saturating_sub(CONSOLE_LINES);
    lines.get(start..).unwrap_or_default().iter().map(|line| format!("  {}\n", line.trim_end())).collect()
}

/// A file without a name: nothing is left behind, however this process ends.
fn anonymous_file(content: &[u8]) -> Result<File, Error> {
    let write = || {
        let mut file = tempfile::tempfile()?;
        file.write_all(content)?;
        file.rewind()?;
        Ok(file)
    };
    write().map_err(Error::file("write a temporary file in", std::env::temp_dir()))
}

fn pair() -> Result<(UnixStream, UnixStream), Error> {
    UnixStream::pair().map_err(start_error)
}

fn mapping(parent_fd: OwnedFd, child_fd: i32) -> FdMapping {
    FdMapping { parent_fd, child_fd }
}

fn start_error(source: io::Error) -> Error {
    Error::Start { command: "qemu-system-x86_64".to_owned(), source }
}
