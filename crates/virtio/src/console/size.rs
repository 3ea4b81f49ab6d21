//! The window size in the configuration space (VirtIO 1.3 § 5.3.4, `VIRTIO_CONSOLE_F_SIZE`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use crate::config_space::ConfigWriter;
use crate::event_loop::{Fault, Polling, Source, Worker};
use crate::interrupt::signal;

/// A window in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

impl Size {
    /// `cols` and `rows` as the configuration space has them.
    pub(super) fn to_config(self) -> [u8; 4] {
        let ([c0, c1], [r0, r1]) = (self.columns.to_le_bytes(), self.rows.to_le_bytes());
        [c0, c1, r0, r1]
    }

    fn to_bits(self) -> u32 {
        u32::from_le_bytes(self.to_config())
    }

    fn from_bits(bits: u32) -> Self {
        let [c0, c1, r0, r1] = bits.to_le_bytes();
        Self { columns: u16::from_le_bytes([c0, c1]), rows: u16::from_le_bytes([r0, r1]) }
    }
}

/// Tells a console how large its window is, from any thread, whether or not the guest listens yet.
#[derive(Debug, Clone)]
pub struct Resizer {
    /// Both numbers in one word, so that they are never seen apart.
    size: Arc<AtomicU32>,
    /// Never read: each write is a new edge for a loop that watches, and a pending one for a loop
    /// that begins to.
    changed: Arc<EventFd>,
}

impl Resizer {
    pub(super) fn new(size: Size) -> io::Result<Self> {
        let changed = Arc::new(EventFd::new(EFD_NONBLOCK)?);
        Ok(Self { size: Arc::new(AtomicU32::new(size.to_bits())), changed })
    }

    pub(super) fn size(&self) -> Size {
        Size::from_bits(self.size.load(Ordering::Acquire))
    }

    /// The window has this size now.
    pub fn resize(&self, size: Size) {
        self.size.store(size.to_bits(), Ordering::Release);
        signal(&self.changed);
    }
}

/// Shows the size to a driver that runs.
pub(super) struct Sizer {
    resizer: Resizer,
    config: ConfigWriter,
}

impl Sizer {
    pub(super) fn new(resizer: Resizer, config: ConfigWriter) -> Self {
        Self { resizer, config }
    }
}

impl Worker for Sizer {
    fn sources(&self) -> Vec<Source> {
        vec![Source::readable(self.resizer.changed.as_ref())]
    }

    fn ready(&mut self, _source: usize) -> Result<Polling, Fault> {
        let size = self.resizer.size().to_config();
        if self.config.space.read::<[u8; 4]>(0) != size {
            self.config.update(0, &size);
        }
        Ok(Polling::Sleep)
    }
}
