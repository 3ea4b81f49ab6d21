//! What a disk is on the host: a raw image file or a block device, opened, locked and measured, and
//! the operations on it that wait until they are done.
//!
//! An image has one writer or several readers. No image formats, no O_DIRECT: the host's page cache is
//! the disk's volatile cache, and a flush empties it.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use illico_memory::Buffers;
use vmm_sys_util::fallocate::{FallocateMode, fallocate};

use crate::complaints::say;
use crate::image_lock;

use super::ioctl;
use super::request::{Extent, SECTOR, Segment};
use super::spec::DiskError;

/// How much is written at once where zeros have to be written out.
const ZEROS: usize = 64 << 10;

/// What the file is, which decides how a range of it is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backing {
    /// A file in a file system.
    File,
    /// A block device.
    Device,
}

/// Block sizes in bytes, as the driver is told them (§ 5.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blocks {
    /// The unit in which the driver should address the disk.
    pub(super) logical: u32,
    /// The unit that is written without reading first.
    pub(super) physical: u32,
    /// The least that is worth transferring.
    pub(super) minimum: u32,
}

/// An open disk, shared by the workers of its queues.
#[derive(Debug)]
pub(super) struct Disk {
    name: String,
    file: Arc<File>,
    backing: Backing,
    extent: Extent,
    blocks: Blocks,
    failures: AtomicU64,
    /// A flush has failed.
    lost: AtomicBool,
}

impl Disk {
    /// Opens and locks the image at `path`.
    pub(super) fn open(path: &Path, readonly: bool, name: String) -> Result<Self, DiskError> {
        let path_of = || path.to_owned();
        let open_error = |source| DiskError::Open { path: path_of(), readonly, source };
        // Looked at before it is opened: opening a FIFO would wait for its other end.
        let kind = path.metadata().map_err(open_error)?.file_type();
        let backing = if kind.is_file() {
            Backing::File
        } else if kind.is_block_device() {
            Backing::Device
        } else {
            let what = if kind.is_dir() { "a directory" } else { "neither a file nor a block device" };
            return Err(DiskError::NotADisk { path: path_of(), what });
        };
        let mut options = OpenOptions::new();
        options.read(true).write(!readonly);
        if backing == Backing::Device && !readonly {
            // On a device it means: not while the host has it mounted, and no mount while we have it.
            options.custom_flags(libc::O_EXCL);
        }
        let file = options.open(path).map_err(open_error)?;
        image_lock::lock(&file, readonly).map_err(|source| DiskError::Lock { path: path_of(), source })?;
        let measure_error = |source| DiskError::Measure { path: path_of(), source };
        // The end of a block device is found like that of a file; its metadata has no size.
        let size = (&file).seek(SeekFrom::End(0)).map_err(measure_error)?;
        if size == 0 || size % SECTOR != 0 {
            return Err(DiskError::Size { path: path_of(), size });
        }
        let blocks = Blocks::of(&file, backing).map_err(measure_error)?;
        Ok(Self::new(file, backing, Extent { sectors: size / SECTOR, readonly }, blocks, name))
    }

    /// A disk over a file that is open already.
    pub(super) fn new(file: File, backing: Backing, extent: Extent, blocks: Blocks, name: String) -> Self {
        Self {
            name,
            file: Arc::new(file),
            backing,
            extent,
            blocks,
            failures: AtomicU64::new(0),
            lost: AtomicBool::new(false),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the image is memory of the host (tmpfs, ramfs): a transfer is a copy and waits for nothing.
    pub(super) fn is_in_memory(&self) -> bool {
        // include/uapi/linux/magic.h
        const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];
        // The type of the field differs between architectures; the number has 32 bits.
        rustix::fs::fstatfs(&*self.file).is_ok_and(|system| IN_MEMORY.contains(&(system.f_type as u32)))
    }

    pub(super) fn extent(&self) -> Extent {
        self.extent
    }

    pub(super) fn blocks(&self) -> Blocks {
        self.blocks
    }

    pub(super) fn backing(&self) -> Backing {
        self.backing
    }

    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Fills `data` from `position` on and leaves it empty. Where this fails, what is left in it was
    /// not filled.
    pub(super) fn read(&self, data: &mut Buffers, position: u64) -> io::Result<()> {
        transfer(data, position, |data, position| data.read_from(self.file.as_fd(), Some(position)))
    }

    /// Writes `data` to `position` and leaves it empty; `stable` where it must survive a crash of the
    /// host once this returns.
    pub(super) fn write(&self, data: &mut Buffers, position: u64, stable: bool) -> io::Result<()> {
        transfer(data, position, |data, position| {
            if stable {
                data.write_stable(self.file.as_fd(), position)
            } else {
                data.write_to(self.file.as_fd(), Some(position))
            }
        })
    }

    /// Returns once everything that was written is on stable storage.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.may_flush()?;
        self.flushed(self.file.sync_data())
    }

    /// Whether a flush can still promise anything. The kernel forgets which pages it could not write:
    /// after one flush that failed, another would succeed, and be a lie.
    pub(super) fn may_flush(&self) -> io::Result<()> {
        if self.lost.load(Ordering::Acquire) {
            return Err(io::Error::other("an earlier flush failed, and what it did not write is lost"));
        }
        Ok(())
    }

    /// Takes note of how a flush ended.
    pub(super) fn flushed(&self, result: io::Result<()>) -> io::Result<()> {
        if result.is_err() {
            self.lost.store(true, Ordering::Release);
        }
        result
    }

    /// Gives the blocks of a range back to the host.
    pub(super) fn discard(&self, segment: Segment) -> io::Result<()> {
        if segment.len == 0 {
            return Ok(());
        }
        match self.backing {
            Backing::File => self.allocate(FallocateMode::PunchHole, segment),
            Backing::Device => ioctl::discard(&self.file, segment.position, segment.len),
        }
    }

    /// Makes a range read as zeros: by the file system's or the device's own means, else by writing.
    pub(super) fn write_zeroes(&self, segment: Segment) -> io::Result<()> {
        if segment.len == 0 {
            return Ok(());
        }
        // A reader sees no difference. Some file systems support one, some the other, some neither.
        let [first, second] = if segment.unmap {
            [FallocateMode::PunchHole, FallocateMode::ZeroRange]
        } else {
            [FallocateMode::ZeroRange, FallocateMode::PunchHole]
        };
        if self.allocate(first, segment).or_else(|_| self.allocate(second, segment)).is_ok() {
            return Ok(());
        }
        self.write_out_zeros(segment)
    }

    fn write_out_zeros(&self, segment: Segment) -> io::Result<()> {
        let zeros = vec![0; ZEROS];
        let mut done = 0;
        while done < segment.len {
            let step = (segment.len - done).min(ZEROS as u64);
            self.file.write_all_at(&zeros[..step as usize], segment.position + done)?;
            done += step;
        }
        Ok(())
    }

    fn allocate(&self, mode: FallocateMode, segment: Segment) -> io::Result<()> {
        Ok(fallocate(&*self.file, mode, true, segment.position, segment.len)?)
    }

    /// One line on the host for a request that failed there. Failing disks fail often: the first, the
    /// second, the fourth, the eighth, ... failure is told, with the number of all.
    pub(super) fn report(&self, what: impl FnOnce() -> String, error: &io::Error) {
        let count = self.failures.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if count.is_power_of_two() {
            say(&format!("{}: {}: {error} (failure {count}; the guest saw an I/O error)", self.name, what()));
        }
    }

    /// Requests that failed on the host.
    #[cfg(test)]
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
}

impl Blocks {
    fn of(file: &File, backing: Backing) -> io::Result<Self> {
        let preferred = u32::try_from(file.metadata()?.blksize()).unwrap_or(u32::MAX);
        Ok(match backing {
            // The page cache takes any sector. It works in pages: smaller writes read one first.
            Backing::File => Self { logical: SECTOR as u32, physical: 4096, minimum: preferred },
            Backing::Device => {
                let physical = ioctl::physical_block_size(file)?;
                Self { logical: ioctl::logical_block_size(file)?, physical, minimum: physical }
            }
        })
    }
}

/// What one system call of a transfer achieved: the data and the position move on past it. `true`
/// where the transfer is complete, `false` where it has to go on.
pub(super) fn progress(data: &mut Buffers, position: &mut u64, result: io::Result<usize>) -> io::Result<bool> {
    match result {
        // The image is shorter than it was when it was opened.
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(done) => {
            data.advance(done).map_err(io::Error::other)?;
            *position += done as u64;
            Ok(data.is_empty())
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error),
    }
}

fn transfer(
    data: &mut Buffers,
    mut position: u64,
    mut once: impl FnMut(&Buffers, u64) -> io::Result<usize>,
) -> io::Result<()> {
    let mut done = data.is_empty();
    while !done {
        let result = once(data, position);
        done = progress(data, &mut position, result)?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "disk_test.rs"]
mod tests;
