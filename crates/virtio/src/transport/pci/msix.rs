//! The MSI-X table and its pending bits (PCI Local Bus 3.0 § 6.8.2).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use illico_memory::Window;

use crate::interrupt::MsiMessage;

/// The machine's side of a device's vectors.
pub trait Vectors: Send + Sync {
    /// Raises vector `vector`; one that is masked stays pending and is raised when it is routed again.
    fn raise(&self, vector: u16);
    /// Whether vector `vector` is masked.
    fn is_masked(&self, vector: u16) -> bool;
    /// Where vector `vector` goes from now on; `None` masks it.
    fn route(&self, vector: u16, message: Option<MsiMessage>);
}

/// Raises a vector, and shows it as pending while it is masked.
pub(super) fn raise(vectors: &dyn Vectors, pending: &Window, vector: u16) {
    if vectors.is_masked(vector) {
        show_pending(pending, vector, true);
        // Unmasked meanwhile, by a thread that cleared the bit before it was set here.
        if !vectors.is_masked(vector) {
            show_pending(pending, vector, false);
        }
    }
    vectors.raise(vector);
}

fn show_pending(pending: &Window, vector: u16, set: bool) {
    let (word, bit) = (4 * (usize::from(vector) / 32), 1 << (vector % 32));
    if set {
        pending.fetch_or_u32(word, bit);
    } else {
        pending.fetch_and_u32(word, !bit);
    }
}

pub(super) const ENTRY: usize = 16;
const CONTROL: usize = 12;
const CONTROL_MASKED: u32 = 1;

/// The table, which the guest reads as memory.
pub struct MsixTable {
    table: Window,
    pending: Window,
    vectors: Arc<dyn Vectors>,
    /// What each vector is routed to now.
    routed: Vec<Option<MsiMessage>>,
    enabled: bool,
    masked: bool,
}

impl MsixTable {
    /// A table of `count` vectors, all masked as after a reset.
    pub fn new(table: Window, pending: Window, vectors: Arc<dyn Vectors>, count: u16) -> Self {
        for vector in 0..usize::from(count) {
            table.store_u32(vector * ENTRY + CONTROL, CONTROL_MASKED, Ordering::Relaxed);
        }
        Self { table, pending, vectors, routed: vec![None; count.into()], enabled: false, masked: false }
    }

    /// How many vectors there are.
    pub fn len(&self) -> u16 {
        self.routed.len() as u16
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.routed.is_empty()
    }

    /// The function's own enable and mask bits changed, perhaps.
    pub fn set_function(&mut self, enabled: bool, masked: bool) {
        if (self.enabled, self.masked) != (enabled, masked) {
            (self.enabled, self.masked) = (enabled, masked);
            for vector in 0..self.routed.len() {
                self.update(vector);
            }
        }
    }

    /// A write to the table: aligned, of 4 or 8 bytes.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        let fits = matches!(bytes.len(), 4 | 8) && offset.is_multiple_of(bytes.len());
        let vector = offset / ENTRY;
        if !fits || vector >= self.routed.len() {
            return;
        }
        self.table.copy_from(offset, bytes);
        self.update(vector);
    }

    fn update(&mut self, vector: usize) {
        let entry = |field: usize| self.table.load_u32(vector * ENTRY + field, Ordering::Relaxed);
        let open = self.enabled && !self.masked && entry(CONTROL) & CONTROL_MASKED == 0;
        let message =
            open.then(|| MsiMessage { address: u64::from(entry(0)) | u64::from(entry(4)) << 32, data: entry(8) });
        if self.routed[vector] != message {
            self.routed[vector] = message;
            self.vectors.route(vector as u16, message);
            if message.is_some() {
                show_pending(&self.pending, vector as u16, false);
            }
        }
    }
}

impl std::fmt::Debug for MsixTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MsixTable({:?})", self.routed)
    }
}

#[cfg(test)]
#[path = "msix_test.rs"]
mod tests;
