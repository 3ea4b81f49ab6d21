//! Output of a console that is not VirtIO, such as a UART: written by a vCPU, which must never wait for its reader.
//!
//! A byte is written at once where the reader takes it. What it does not take waits here, up to [`MAX_WAITING`], and is
//! written by a worker on a loop once there is room. More than that is dropped, since a UART cannot tell its guest to wait,
//! and how much is said once the reader is back.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::stream::{Stream, Transfer};
use crate::complaints::say;
use crate::event_loop::{Fault, Polling, Source, Worker};

/// Bytes that wait for a reader at most.
const MAX_WAITING: usize = 1 << 20;

/// Where a UART writes. Clones write to the same file.
#[derive(Debug, Clone)]
pub struct Spool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: Stream,
    waiting: Mutex<Waiting>,
    /// Readable once something waits that a worker is to write.
    wake: EventFd,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: VecDeque<u8>,
    dropped: u64,
}

impl Spool {
    /// On this file.
    pub fn open(file: OwnedFd) -> io::Result<Self> {
        let (file, wake) = (Stream::output(file)?, EventFd::new(EFD_NONBLOCK)?);
        Ok(Self(Arc::new(Inner { file, waiting: Mutex::default(), wake })))
    }

    /// What writes the rest, on a loop.
    pub fn worker(&self) -> Box<dyn Worker> {
        Box::new(Rest(self.clone()))
    }

    /// Writes what waits, also where that takes as long as its reader does. For after the guest has ended.
    pub fn finish(&self) {
        while !self.write_waiting() {
            self.0.file.wait_for_room();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes as much of what waits as is taken now, and says what is missing behind it. Whether that was all.
    fn write_waiting(&self) -> bool {
        let mut waiting = self.waiting();
        while !waiting.bytes.is_empty() {
            match self.0.file.write(waiting.bytes.as_slices().0) {
                Transfer::Moved(count) => drop(waiting.bytes.drain(..count)),
                Transfer::NotNow => return false,
                Transfer::Over => waiting.bytes.clear(),
            }
        }
        let dropped = std::mem::take(&mut waiting.dropped);
        drop(waiting);
        if dropped > 0 && !self.0.file.is_over() {
            say(&format!("{dropped} bytes of the guest's UART are missing: nobody read them for too long"));
        }
        true
    }
}

impl Write for Spool {
    /// Takes all of it, always.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut waiting = self.waiting();
        let mut rest = bytes;
        if waiting.bytes.is_empty()
            && let Transfer::Moved(count) = self.0.file.write(bytes)
        {
            rest = bytes.get(count..).unwrap_or_default();
        }
        if rest.is_empty() || self.0.file.is_over() {
            return Ok(bytes.len());
        }
        let kept = rest.len().min(MAX_WAITING.saturating_sub(waiting.bytes.len()));
        let wakes = waiting.bytes.is_empty();
        waiting.bytes.extend(rest.iter().take(kept));
        waiting.dropped += (rest.len() - kept) as u64;
        if wakes {
            let _ = self.0.wake.write(1);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what waits.
struct Rest(Spool);

impl Worker for Rest {
    fn sources(&self) -> Vec<Source> {
        [Source::readable(&self.0.0.wake)].into_iter().chain(self.0.0.file.source()).collect()
    }

    fn ready(&mut self, _source: usize) -> Result<Polling, Fault> {
        self.0.write_waiting();
        Ok(Polling::Sleep)
    }

    fn poll(&mut self) -> Result<Polling, Fault> {
        self.ready(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, pipe};

    use super::*;

    #[test]
    fn a_vcpu_never_waits_for_the_reader_who_misses_nothing_that_fits() {
        let (mut reader, writer) = pipe().unwrap();
        let mut spool = Spool::open(writer.into()).unwrap();
        // A blocking pipe holds 64 KiB: the old way, a write of each byte, would wait here for ever.
        let said: Vec<u8> = (0..MAX_WAITING).map(|n| (n % 251) as u8).collect();
        said.chunks(1000).for_each(|part| spool.write_all(part).unwrap());
        let finished = std::thread::spawn(move || spool.finish());
        let mut seen = vec![0; said.len()];
        reader.read_exact(&mut seen).unwrap();
        finished.join().unwrap();
        assert!(seen == said);
    }

    #[test]
    fn what_waits_is_bounded_and_the_rest_is_counted() {
        let (mut reader, writer) = pipe().unwrap();
        let mut spool = Spool::open(writer.into()).unwrap();
        let said = vec![b'.'; 4 * MAX_WAITING];
        said.chunks(1).for_each(|part| spool.write_all(part).unwrap());
        let dropped = spool.waiting().dropped;
        assert_eq!(spool.waiting().bytes.len(), MAX_WAITING);
        let mut worker = spool.worker();
        let mut pipe = vec![0; 64 << 10];
        let mut seen = 0;
        while spool.waiting().dropped > 0 {
            seen += reader.read(&mut pipe).unwrap();
            worker.ready(1).unwrap();
        }
        drop((worker, spool));
        seen += std::io::copy(&mut reader, &mut std::io::sink()).unwrap() as usize;
        assert_eq!(seen + dropped as usize, said.len());
    }

    #[test]
    fn a_reader_that_left_costs_nothing() {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut spool = Spool::open(writer.into()).unwrap();
        (0..1000).for_each(|_| spool.write_all(b"to nobody").unwrap());
        spool.finish();
        let waiting = spool.waiting();
        assert_eq!((waiting.bytes.len(), waiting.dropped), (0, 0));
    }
}
