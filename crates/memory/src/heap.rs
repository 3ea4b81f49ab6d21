//! The monitor's own heap.

/// Makes all threads share one malloc arena, for the whole process. To be called before threads start.
///
/// glibc gives each thread an arena of its own so that allocations do not wait for each other. Nothing
/// on illico's data paths allocates, so the arenas would only cost: address space, pages that are
/// touched once, and a seventh of the start of a small machine.
pub fn share_one_arena() {
    // SAFETY: `mallopt` only sets a number in the allocator; no memory is touched.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}
