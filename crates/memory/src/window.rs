//! A checked range of host memory that the guest may change at any moment.
//!
//! The length stays with the pointer and every access is checked against it. There are no slices and
//! no references into a window: only copies, and atomic loads and stores of aligned integers.
//! An offset outside is a bug of ours (a guest's numbers are checked when a window or a range is made),
//! so accessors panic on it, like indexing does.

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::mapping::Mapping;

/// A range of a mapping, which it keeps alive.
#[derive(Clone)]
pub struct Window {
    start: NonNull<u8>,
    len: usize,
    mapping: Arc<Mapping>,
}

// SAFETY: a window is a pointer into a `Mapping` that it keeps alive, used through copies and atomics.
unsafe impl Send for Window {}
// SAFETY: as above; concurrent access is what it is made for.
unsafe impl Sync for Window {}

macro_rules! atomics {
    ($($load:ident $store:ident $integer:ty, $atomic:ty;)*) => {$(
        /// Loads the little-endian integer at `offset`, which must be aligned for it.
        #[inline]
        pub fn $load(&self, offset: usize, order: Ordering) -> $integer {
            let at = self.aligned(offset, size_of::<$integer>()).cast::<$atomic>();
            // SAFETY: `aligned` checked range and alignment; the mapping lives as long as self, and
            // guest memory is only ever accessed atomically or by raw copies.
            <$integer>::from_le(unsafe { at.as_ref() }.load(order))
        }

        /// Stores a little-endian integer at `offset`, which must be aligned for it.
        #[inline]
        pub fn $store(&self, offset: usize, value: $integer, order: Ordering) {
            let at = self.aligned(offset, size_of::<$integer>()).cast::<$atomic>();
            // SAFETY: as for the load.
            unsafe { at.as_ref() }.store(value.to_le(), order);
        }
    )*};
}

impl Window {
    pub(crate) fn whole(mapping: Arc<Mapping>) -> Self {
        Self { start: mapping.start(), len: mapping.len(), mapping }
    }

    /// The length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The part from `offset` of `len` bytes, or `None` where that is not inside.
    pub fn part(&self, offset: usize, len: usize) -> Option<Self> {
        let end = offset.checked_add(len)?;
        if end > self.len {
            return None;
        }
        // SAFETY: offset <= end <= self.len, so the pointer stays inside the mapping.
        let start = unsafe { self.start.add(offset) };
        Some(Self { start, len, mapping: Arc::clone(&self.mapping) })
    }

    /// The host address, for the kernel (a KVM memory slot, an iovec); this crate's callers never
    /// dereference it.
    pub fn host_address(&self) -> u64 {
        self.start.as_ptr() as u64
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    #[inline]
    fn aligned(&self, offset: usize, size: usize) -> NonNull<u8> {
        let at = self.at(offset, size);
        assert!(at.as_ptr().addr() & (size - 1) == 0, "window access at {offset} is not aligned to {size}");
        at
    }

    #[inline]
    fn at(&self, offset: usize, size: usize) -> NonNull<u8> {
        let inside = offset.checked_add(size).is_some_and(|end| end <= self.len);
        assert!(inside, "window access of {size} bytes at {offset} outside of {} bytes", self.len);
        // SAFETY: offset + size <= len, checked just above.
        unsafe { self.start.add(offset) }
    }

    atomics! {
        load_u8 store_u8 u8, AtomicU8;
        load_u16 store_u16 u16, AtomicU16;
        load_u32 store_u32 u32, AtomicU32;
        load_u64 store_u64 u64, AtomicU64;
    }

    /// Sets bits of the integer at `offset` in one step and gives what was there.
    pub fn fetch_or_u32(&self, offset: usize, bits: u32) -> u32 {
        let at = self.aligned(offset, 4).cast::<AtomicU32>();
        // SAFETY: as for the loads.
        u32::from_le(unsafe { at.as_ref() }.fetch_or(bits.to_le(), Ordering::AcqRel))
    }

    /// Keeps only `bits` of the integer at `offset` in one step and gives what was there.
    pub fn fetch_and_u32(&self, offset: usize, bits: u32) -> u32 {
        let at = self.aligned(offset, 4).cast::<AtomicU32>();
        // SAFETY: as for the loads.
        u32::from_le(unsafe { at.as_ref() }.fetch_and(bits.to_le(), Ordering::AcqRel))
    }

    /// Copies bytes out. A guest that writes meanwhile makes the bytes a mixture, nothing worse.
    pub fn copy_to(&self, offset: usize, out: &mut [u8]) {
        let from = self.at(offset, out.len());
        let (to, len) = (NonNull::from(&mut *out).cast(), out.len());
        // SAFETY: the source range was checked, `out` is ours and cannot overlap guest memory.
        unsafe { from.copy_to_nonoverlapping(to, len) };
    }

    /// Copies bytes in.
    pub fn copy_from(&self, offset: usize, bytes: &[u8]) {
        let to = self.at(offset, bytes.len());
        // SAFETY: the target range was checked, `bytes` is ours and cannot overlap guest memory.
        unsafe { to.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
    }

    /// Sets `len` bytes from `offset` on to `byte`.
    pub fn fill(&self, offset: usize, len: usize, byte: u8) {
        let at = self.at(offset, len);
        // SAFETY: the range was checked.
        unsafe { at.write_bytes(byte, len) };
    }

    /// Copies a plain structure out, once: what is checked afterwards is what is used, whatever the
    /// guest writes meanwhile.
    #[inline]
    pub fn read<T: FromBytes>(&self, offset: usize) -> T {
        let at = self.at(offset, size_of::<T>()).cast::<Packed<T>>();
        // SAFETY: the range was checked, any bytes are a `T`, and `Packed` asks for no alignment.
        // Volatile, so that no compiler may look again at the place that the copy came from.
        unsafe { at.read_volatile() }.0
    }

    /// Copies a plain structure in.
    pub fn write<T: IntoBytes + Immutable>(&self, offset: usize, value: &T) {
        self.copy_from(offset, value.as_bytes());
    }
}

/// A value at any address.
#[repr(C, packed)]
struct Packed<T>(T);

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Window({:?}, {} bytes)", self.start, self.len)
    }
}
