//! The time stamp counter: the clock that a guest and its host both read, without an exit (Intel SDM 3B § 19.17).
//!
//! KVM gives the guest an offset to it, and the same pace.

use std::arch::x86_64::{_mm_lfence, _rdtsc};

/// Ticks since some moment; the same pace as in the guest. What comes before it has been executed.
pub fn cycles() -> u64 {
    // SAFETY: every x86-64 processor has SSE2, which LFENCE is of; it only orders.
    unsafe { _mm_lfence() };
    // SAFETY: every x86-64 processor has RDTSC, and Linux lets programs execute it.
    unsafe { _rdtsc() }
}
