//! A fixed computation that the probe runs in a guest and `illico` runs on the host: the same source, so that equal
//! results show that the guest computed rightly, and the ratio of cycles what virtualisation took. Integers only, no
//! memory, no allocation: it measures the instruction stream and nothing else.
#![no_std]
#![forbid(unsafe_code)]

/// What the generator starts from; any value but zero would do.
pub const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Rounds that the probe does unless told otherwise: some tens of milliseconds at native speed, hours if interpreted.
pub const ROUNDS: u64 = 10_000_000;

/// Runs `rounds` steps of a 64-bit xorshift, folding each value into an accumulator by multiply and rotate, so that no
/// step can be left out and none can be computed ahead.
#[must_use]
#[inline(never)]
pub fn compute(rounds: u64) -> u64 {
    let mut state = SEED;
    let mut folded = 0_u64;
    for _ in 0..rounds {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        folded = folded.rotate_left(5).wrapping_add(state).wrapping_mul(0x2545_f491_4f6c_dd1d);
    }
    folded
}

#[cfg(test)]
#[path = "lib_test.rs"]
mod tests;
