//! How long the host lets a thread run before another's turn (sched(7), `sched_setattr(2)`).
//!
//! A kick wakes a device's thread. Where the vCPU that kicked shares its CPU with it, the vCPU usually runs
//! on, finds nothing to do, and halts: an exit more, and the request waits for it. A thread that asks for
//! short turns preempts one with longer turns when it wakes (Linux 6.12 and later), works, and the guest has its
//! answer when it is entered again. Older kernels ignore the request.

use std::mem::size_of;

/// The shortest turn that Linux grants, in nanoseconds.
const MIN_SLICE: u64 = 100_000;

/// `struct sched_attr` of linux/sched/types.h, in its first version.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// Asks for short turns for the calling thread. Whether they are granted makes no difference but to speed.
pub fn take_short_turns() {
    let size = size_of::<Attributes>() as u32;
    let mut attributes = Attributes { size, ..Attributes::default() };
    let this_thread = 0;
    // SAFETY: the kernel writes at most `size` bytes of a structure that has as many.
    let known = unsafe { libc::syscall(libc::SYS_sched_getattr, this_thread, &raw mut attributes, size, 0) };
    if known != 0 || attributes.policy != libc::SCHED_OTHER as u32 {
        return;
    }
    // Policy and niceness stay as they were found.
    attributes.size = size;
    attributes.runtime = MIN_SLICE;
    // SAFETY: the kernel reads a structure that says its own size.
    unsafe { libc::syscall(libc::SYS_sched_setattr, this_thread, &raw const attributes, 0) };
}
