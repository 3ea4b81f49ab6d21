//! The persistent memory device (VirtIO 1.3 § 5.19): a file of the host that the guest has in its
//! physical address space, and mounts with DAX. Reading and writing it costs no exit and no copy.
//!
//! The device itself says where the memory is and makes it durable: a flush request is one `fdatasync`.
//! Mapping the file's [`Pmem::window`] into the guest is left to the caller.
//!
//! - Guests hold such memory in 2 MiB sections: Linux 6.12 refuses a device whose start or end is not
//!   a multiple of 2 MiB ("misaligned, unable to map"), so a file of another length is refused here.
//! - A read-only file is mapped without the right to write, and its memory slot must be read-only too.
//!   The guest is not told (§ 5.19 has no word for it), so it should mount with `-o ro`: what it writes
//!   all the same leaves the guest as an MMIO exit and goes nowhere.
//! - The blocks of a sparse writable file are allocated before the machine starts. A store to mapped
//!   memory has no way to fail: where the disk were full when a guest first writes to a hole, its vCPU
//!   could not go on, and the monitor itself would get SIGBUS where it copies data there for another
//!   device. So a full disk is found out, and said, at the start.
//! - The file must keep its length while the machine runs. The lock keeps other machines off; a program
//!   that ignores it and cuts the file short ends the machine (`cut_file.rs`).

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use illico_memory::{Access, GuestAddress, MapError, Mapping, Window};
use rustix::fs::{FallocateFlags, SeekFrom, fallocate, fstatvfs, seek};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::chain::Chain;
use crate::complaints::say;
use crate::cut_file::CutFile;
use crate::device::{Activation, Device, DeviceError, DeviceMemory, DeviceSpec};
use crate::device_error::{Key, Remedy, SpecError};
use crate::event_loop::{Fault, Polling, Source, Worker};
use crate::image_lock::{self, LockError};
use crate::queue::{Position, Queue};
use crate::spec::Kind;

crate::device_spec! {
    /// A file that the guest maps as memory (virtio-pmem, DAX).
    /// Example: path=root.ext4
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    pub struct PmemSpec {
        /// `path=FILE`: the file. Its length must be a multiple of 2 MiB.
        pub path: PathBuf,
        /// `readonly`: the guest may not write to it.
        #[serde(default)]
        pub readonly: bool,
    }
}

/// The device cannot be set up.
#[derive(Debug)]
pub struct PmemError {
    path: PathBuf,
    why: Why,
}

impl fmt::Display for PmemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

impl Error for PmemError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.why.source()
    }
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("opening the file for {}", if *.readonly { "reading" } else { "reading and writing" })]
    Open { readonly: bool, source: io::Error },
    #[error("it is not a regular file")]
    NotAFile,
    #[error("its length of {len} bytes is not a multiple of 2 MiB: truncate -s {} '{path}'", wanted(*.len))]
    Length { len: u64, path: PathBuf },
    #[error("its holes take {needed} bytes of disk, and {free} are free: make room")]
    Full { needed: u64, free: u64 },
    #[error("allocating the blocks of its holes (cp --sparse=never makes a copy without holes)")]
    Allocate(#[source] io::Error),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Map(#[from] MapError),
}

impl SpecError for PmemError {
    fn keys(&self) -> Vec<Key> {
        vec![Key::new("path", &self.path.display())]
    }

    fn remedy(&self) -> Option<Remedy> {
        let before = match self.why {
            Why::Open { readonly: false, .. } | Why::Full { .. } => "or say",
            Why::Lock(LockError::InUse) => "or give every use of it",
            _ => return None,
        };
        Some(Remedy::Key { before, key: Key::switch("readonly") })
    }
}

/// What start and length are multiples of.
pub const ALIGNMENT: u64 = 2 << 20;

/// What the memory's guest address is a multiple of.
const PLACE_ALIGNMENT: u64 = 1 << 30;

/// The length to give a file that has not the right one: nothing of it is cut off.
fn wanted(len: u64) -> u64 {
    len.max(1).checked_next_multiple_of(ALIGNMENT).unwrap_or(ALIGNMENT)
}

/// A guest flushes from several threads at once; what waits together is made durable together.
const QUEUE_SIZE: u16 = 64;

/// § 5.19.6 and § 5.19.7: the only request, and its two answers, 0 and -1.
const REQ_TYPE_FLUSH: u32 = 0;
const RESP_OK: u32 = 0;
const RESP_EIO: u32 = u32::MAX;

/// What this device is.
const KIND: Kind = Kind { id: 27, name: "pmem", pci_class: [0x05, 0x80, 0x00] };

/// A persistent memory device at rest.
#[derive(Debug)]
pub struct Pmem {
    name: String,
    backing: Arc<Backing>,
    window: Window,
    address: Option<GuestAddress>,
}

impl Pmem {
    /// Opens, checks, locks and maps the file.
    pub fn open(spec: &PmemSpec, name: impl Into<String>) -> Result<Self, PmemError> {
        let failed = |why| PmemError { path: spec.path.clone(), why };
        let (file, window) = map(&spec.path, spec.readonly).map_err(failed)?;
        let cut = CutFile::watch(&file);
        let backing = Backing { file, readonly: spec.readonly, failed: AtomicBool::new(false), cut };
        Ok(Self { name: name.into(), backing: Arc::new(backing), window, address: None })
    }

    /// The host memory that the guest sees; only to be read where [`Self::readonly`].
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// Its length in bytes, a multiple of [`ALIGNMENT`].
    pub fn size(&self) -> u64 {
        self.window.len() as u64
    }

    /// Whether the guest may only read it: the memory slot must be read-only.
    pub fn readonly(&self) -> bool {
        self.backing.readonly
    }

    /// Says where the guest has it, a multiple of [`ALIGNMENT`]. To be told before the driver looks.
    pub fn place(&mut self, address: GuestAddress) {
        debug_assert!(address.is_aligned(ALIGNMENT), "pmem at {address}");
        self.address = Some(address);
    }
}

fn map(path: &Path, readonly: bool) -> Result<(File, Window), Why> {
    let open = File::options()
        .read(true)
        .write(!readonly)
        // A named pipe would wait for its other end; on regular files it changes nothing.
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    let file = open.map_err(|source| Why::Open { readonly, source })?;
    let metadata = file.metadata().map_err(|source| Why::Open { readonly, source })?;
    if !metadata.is_file() {
        return Err(Why::NotAFile);
    }
    image_lock::lock(&file, readonly)?;
    let len = metadata.len();
    if len == 0 || !len.is_multiple_of(ALIGNMENT) {
        return Err(Why::Length { len, path: path.to_owned() });
    }
    if !readonly {
        fill_holes(&file, len, metadata.blocks().saturating_mul(512))?;
    }
    let access = if readonly { Access::ReadOnly } else { Access::ReadWrite };
    let window = Mapping::file(file.as_fd(), usize::try_from(len).unwrap_or(usize::MAX), access)?;
    Ok((file, window))
}

/// Allocates what a file of `len` bytes has no blocks for, without a change to its content.
fn fill_holes(file: &File, len: u64, allocated: u64) -> Result<(), Why> {
    let wrong = |error: Errno| Why::Allocate(error.into());
    // Asked first: a fallocate(2) that fails half-way keeps what it has allocated, and leaves a full disk behind.
    let needed = len.saturating_sub(allocated);
    let disk = fstatvfs(file).map_err(wrong)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if needed > free {
        return Err(Why::Full { needed, free });
    }
    loop {
        match fallocate(file, FallocateFlags::empty(), 0, len) {
            Err(Errno::INTR) => {}
            // A file system without fallocate, such as NFS before 4.2: good enough if there is no hole.
            Err(Errno::OPNOTSUPP) if seek(file, SeekFrom::Hole(0)).is_ok_and(|hole| hole >= len) => return Ok(()),
            Err(Errno::NOSPC) => return Err(Why::Full { needed, free }),
            done => return done.map_err(wrong),
        }
    }
}

/// The file, kept open for its lock and for flushes.
#[derive(Debug)]
struct Backing {
    file: File,
    readonly: bool,
    /// A flush has failed once.
    failed: AtomicBool,
    /// Tells that another program cut the file short.
    cut: Option<CutFile>,
}

impl Backing {
    /// Makes durable what the guest has written until now, and says so in the words of § 5.19.6.
    ///
    /// A flush that fails is never followed by one that succeeds: the kernel forgets which pages it
    /// could not write, so the next `fdatasync` would promise what is not on the disk.
    fn flush(&self, name: &str) -> u32 {
        if self.readonly {
            return RESP_OK;
        }
        if self.failed.load(Ordering::Relaxed) {
            return RESP_EIO;
        }
        match self.file.sync_data() {
            Ok(()) => RESP_OK,
            Err(error) => {
                self.failed.store(true, Ordering::Relaxed);
                say(&format!("{name}: flushing the file: {error}; from now on every flush of the guest fails"));
                RESP_EIO
            }
        }
    }
}

impl DeviceSpec for PmemSpec {
    fn open(&self, name: &str) -> Result<Box<dyn Device>, DeviceError> {
        Ok(Box::new(Pmem::open(self, name)?))
    }
}

impl Device for Pmem {
    fn kind(&self) -> Kind {
        KIND
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn features(&self) -> u64 {
        0
    }

    fn queue_sizes(&self) -> Vec<u16> {
        vec![QUEUE_SIZE]
    }

    /// § 5.19.4: start and size.
    fn config(&self) -> Vec<u8> {
        let start = self.address.unwrap_or_default().0;
        [start.to_le_bytes(), self.size().to_le_bytes()].concat()
    }

    /// At a multiple of 1 GiB, so that the guest maps it with large pages.
    fn place_memory(&mut self, free: GuestAddress) -> Option<DeviceMemory> {
        let start = GuestAddress(free.0.checked_next_multiple_of(PLACE_ALIGNMENT)?);
        self.place(start);
        Some(DeviceMemory { start, window: self.window.clone(), writable: !self.readonly() })
    }

    /// One: a flush waits for the host's disk.
    fn loops(&self) -> usize {
        1
    }

    fn start(&mut self, mut activation: Activation) -> Result<Vec<Box<dyn Worker>>, Fault> {
        if self.address.is_none() {
            return Err(Fault::new("it was given no guest address"));
        }
        let queue = activation.take_queue(0)?;
        let (name, backing, window) = (self.name.clone(), Arc::clone(&self.backing), self.window.clone());
        Ok(vec![Box::new(Flusher { queue, name, backing, window, waiting: Vec::with_capacity(QUEUE_SIZE.into()) })])
    }
}

/// Answers flush requests.
struct Flusher {
    queue: Queue,
    name: String,
    backing: Arc<Backing>,
    window: Window,
    /// Requests that the next `fdatasync` answers; empty between calls.
    waiting: Vec<Chain>,
}

impl Flusher {
    /// Takes all requests there are and answers them after one flush, which began after each of them.
    fn serve(&mut self) -> Result<Polling, Fault> {
        self.queue.disable_kicks();
        for _ in 0..QUEUE_SIZE {
            let Some(chain) = self.queue.pop()? else { break };
            self.waiting.push(chain);
        }
        let mut flushed = None;
        for chain in self.waiting.drain(..) {
            let mut kind = [0; 4];
            let asked = chain.readable.copy_to(0, &mut kind);
            let response = match asked {
                Ok(()) if u32::from_le_bytes(kind) == REQ_TYPE_FLUSH => {
                    *flushed.get_or_insert_with(|| self.backing.flush(&self.name))
                }
                _ => RESP_EIO,
            };
            // A request without room for the answer gets none.
            let answered = chain.writable.copy_from(0, &response.to_le_bytes());
            self.queue.complete(chain, if answered.is_ok() { 4 } else { 0 });
        }
        Ok(Polling::after(&mut self.queue))
    }
}

impl Worker for Flusher {
    fn sources(&self) -> Vec<Source> {
        let cut = self.backing.cut.iter().map(Source::readable);
        std::iter::once(Source::readable(self.queue.kick())).chain(cut).collect()
    }

    fn ready(&mut self, source: usize) -> Result<Polling, Fault> {
        match (source, &self.backing.cut) {
            (1, Some(cut)) => {
                if cut.is_shorter(&self.backing.file, self.window.len() as u64) {
                    CutFile::end();
                }
                Ok(Polling::Sleep)
            }
            _ => self.serve(),
        }
    }

    fn poll(&mut self) -> Result<Polling, Fault> {
        self.serve()
    }

    fn stop(&mut self) -> Vec<Position> {
        vec![self.queue.position()]
    }
}

#[cfg(test)]
#[path = "pmem_test.rs"]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
