//! The lab: an emulated AMD machine whose Linux 6.12 offers a complete /dev/kvm, where the host's own cannot run Linux.
//!
//! QEMU's TCG emulates SVM with nested paging. `Lab` describes one run: which files are in it, what runs, what comes
//! back. Each run is a machine of its own without a shared writable path, so several run side by side.
//! Not a general virtual machine: there is no terminal and no network to the outside.

mod archive;
mod emulator;
mod ports;
mod qemu;
mod shelf;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::exits::ExitHistogram;
use crate::{Error, packages, shell};

/// Where `count-exits` writes its histogram.
pub const EXITS_FILE: &str = "/tmp/exits.txt";

/// What may happen to a disk of the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    ReadOnly,
    ReadWrite,
}

#[derive(Debug)]
enum Content {
    Host(PathBuf),
    Bytes { permissions: u32, bytes: Vec<u8> },
}

#[derive(Debug)]
struct Disk {
    name: String,
    image: PathBuf,
    access: Access,
}

/// One run of the lab, described.
#[derive(Debug)]
pub struct Lab {
    command: Vec<u8>,
    files: Vec<(String, Content)>,
    disks: Vec<Disk>,
    modules: Vec<String>,
    fetch: Vec<String>,
    cpus: u32,
    memory_mib: u32,
    timeout: Duration,
    echo: bool,
    instruction_clock: bool,
}

/// What a run left behind.
#[derive(Debug)]
pub struct Outcome {
    /// The command's exit status, 128 + signal if a signal ended it.
    pub status: u8,
    /// What the command wrote to standard output and standard error, in its order, and nothing else.
    pub output: Vec<u8>,
    /// What the lab's kernel said.
    pub console: String,
    fetched: BTreeMap<String, Vec<u8>>,
}

impl Lab {
    /// Runs one program with these arguments, exactly as given.
    pub fn command<I>(words: I) -> Lab
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let mut script = b"exec ".to_vec();
        script.extend(shell::command_line(words));
        script.push(b'\n');
        Lab::script(script)
    }

    /// Runs a script for busybox's shell.
    pub fn script(script: impl Into<Vec<u8>>) -> Lab {
        Lab {
            command: script.into(),
            files: Vec::new(),
            disks: Vec::new(),
            modules: Vec::new(),
            fetch: Vec::new(),
            cpus: 1,
            memory_mib: 3072,
            timeout: Duration::from_secs(300),
            echo: false,
            instruction_clock: false,
        }
    }

    /// Brings a file of the host into the lab; a dynamic program comes with its libraries. Files are held in the lab's
    /// memory: for large images there is `disk`.
    pub fn file(mut self, host: impl Into<PathBuf>, path: impl Into<String>) -> Lab {
        self.files.push((path.into(), Content::Host(host.into())));
        self
    }

    /// Brings a program of the host into the lab's /bin.
    pub fn program(self, host: impl Into<PathBuf>) -> Lab {
        let host = host.into();
        let name = host.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.file(host, format!("/bin/{name}"))
    }

    /// Makes a file of these bytes in the lab.
    pub fn bytes(mut self, path: impl Into<String>, permissions: u32, bytes: impl Into<Vec<u8>>) -> Lab {
        self.files.push((path.into(), Content::Bytes { permissions, bytes: bytes.into() }));
        self
    }

    /// A raw image of the host as the block device `/dev/disk/NAME`. Writes are in the image when the run is over.
    /// The name is at most 20 bytes, the length of a virtio-blk serial number.
    pub fn disk(mut self, name: impl Into<String>, image: impl Into<PathBuf>, access: Access) -> Lab {
        self.disks.push(Disk { name: name.into(), image: image.into(), access });
        self
    }

    /// Loads a module of the lab's kernel before the command starts; `modprobe` in a script does the same.
    pub fn module(mut self, name: impl Into<String>) -> Lab {
        self.modules.push(name.into());
        self
    }

    /// Brings a file of the lab back when the command has ended.
    pub fn fetch(mut self, path: impl Into<String>) -> Lab {
        self.fetch.push(path.into());
        self
    }

    /// The lab's own CPUs, all on one host thread: more of them make nothing faster. Guests may have as many as they like.
    pub fn cpus(mut self, cpus: u32) -> Lab {
        self.cpus = cpus;
        self
    }

    pub fn memory_mib(mut self, mib: u32) -> Lab {
        self.memory_mib = mib;
        self
    }

    /// How long the whole run may take before it counts as stuck.
    pub fn timeout(mut self, timeout: Duration) -> Lab {
        self.timeout = timeout;
        self
    }

    /// Also prints the command's output as it comes.
    pub fn echo(mut self, echo: bool) -> Lab {
        self.echo = echo;
        self
    }

    /// Lets the lab's clock advance by a nanosecond for each instruction that it executes, whatever the host does
    /// meanwhile, and jump over waiting: intervals become counts of instructions that repeat. Needs one CPU.
    pub fn instruction_clock(mut self) -> Lab {
        self.instruction_clock = true;
        self
    }

    /// Starts the lab, runs the command and waits for its end. A command that fails is an `Outcome`; a lab that
    /// panics, hangs or does not start is an error.
    pub fn run(self) -> Result<Outcome, Error> {
        packages::require(&[("qemu-system-x86_64", "qemu-system-x86"), ("mkfs.ext4", "e2fsprogs")])?;
        qemu::run(&self)
    }
}

impl Outcome {
    pub fn succeeded(&self) -> bool {
        self.status == 0
    }

    /// The output as text, bytes that are not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }

    /// The content of a file that `fetch` named.
    pub fn fetched(&self, path: &str) -> Result<&[u8], Error> {
        self.fetched.get(path).map(Vec::as_slice).ok_or_else(|| Error::NotFetched { path: path.to_owned() })
    }

    /// What `count-exits` counted; needs `fetch(EXITS_FILE)`.
    pub fn exits(&self) -> Result<ExitHistogram, Error> {
        ExitHistogram::parse(&String::from_utf8_lossy(self.fetched(EXITS_FILE)?))
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(Error::file("read", path))
}

/// A path of the lab where QEMU wants an option's value: commas are doubled.
fn option_value(value: &OsStr) -> OsString {
    value.to_string_lossy().replace(',', ",,").into()
}
