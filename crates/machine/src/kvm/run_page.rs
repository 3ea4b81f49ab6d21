//! `struct kvm_run`: the pages that a vCPU shares with the kernel (api.rst § 5).
//!
//! It is read and written field by field, by offset, and never borrowed: the kernel writes it during
//! `KVM_RUN`, and other threads set `immediate_exit` at any moment.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, Ordering};

use kvm_bindings::kvm_run;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A pointer to the shared pages. Its holder keeps the vCPU's `VcpuFd` beside it, which unmaps them when it is
/// dropped.
pub(crate) struct RunPage {
    start: NonNull<u8>,
    size: usize,
}

// SAFETY: the pointer is to memory that any thread may access, by the rules of this file.
unsafe impl Send for RunPage {}
// SAFETY: as above. All fields but `immediate_exit`, which is atomic, are used by `Vcpu` alone, through
// `&mut self`.
unsafe impl Sync for RunPage {}

impl RunPage {
    pub(super) fn new(run: &mut kvm_run, size: usize) -> Self {
        Self { start: NonNull::from(run).cast(), size }
    }

    fn at(&self, offset: usize, size: usize) -> NonNull<u8> {
        let inside = offset.checked_add(size).is_some_and(|end| end <= self.size);
        assert!(inside, "{size} bytes at {offset} of kvm_run, which has {}", self.size);
        // SAFETY: offset + size is inside the mapping, checked just above.
        unsafe { self.start.add(offset) }
    }

    #[inline]
    pub(crate) fn load<T: FromBytes>(&self, offset: usize) -> T {
        // SAFETY: `at` checked the range, and any bytes are a `T`.
        unsafe { self.at(offset, size_of::<T>()).cast::<T>().read_unaligned() }
    }

    #[inline]
    pub(crate) fn store<T: IntoBytes + Immutable>(&self, offset: usize, value: T) {
        // SAFETY: `at` checked the range; the kernel takes any bytes as data.
        unsafe { self.at(offset, size_of::<T>()).cast::<T>().write_unaligned(value) };
    }

    /// Reads `size` bytes, 8 at most, as a little-endian number.
    pub(crate) fn number(&self, offset: usize, size: u8) -> u64 {
        let bytes = (0..size.min(8)).rev().map(|n| self.load::<u8>(offset + usize::from(n)));
        bytes.fold(0, |value, byte| value << 8 | u64::from(byte))
    }

    /// Writes the low `size` bytes of `value`.
    pub(crate) fn put_number(&self, offset: usize, size: u8, value: u64) {
        for (n, byte) in value.to_le_bytes().into_iter().enumerate().take(size.into()) {
            self.store(offset + n, byte);
        }
    }

    fn immediate_exit(&self) -> &AtomicU8 {
        let at = self.at(std::mem::offset_of!(kvm_run, immediate_exit), 1);
        // SAFETY: a live byte, which this program touches only through this atomic.
        unsafe { AtomicU8::from_ptr(at.as_ptr()) }
    }

    /// Makes the next `KVM_RUN` come back without entering the guest.
    pub(super) fn ask_to_leave(&self) {
        self.immediate_exit().store(1, Ordering::SeqCst);
    }

    /// Takes such a request back and says whether there was one.
    pub(super) fn was_asked_to_leave(&self) -> bool {
        self.immediate_exit().swap(0, Ordering::SeqCst) != 0
    }
}
