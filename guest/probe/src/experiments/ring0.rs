//! `ring0`: the same two instructions, as often, in ring 0 and in ring 3. On a KVM that runs both on the CPU the ratio
//! is about 1; one that interprets ring 0 shows a ratio of hundreds, and will not boot Linux.

use super::Outcome;
use crate::gate::{cycles, ring0_loop, ring3_loop};
use crate::say;

/// 4,000 instructions: about a millisecond if interpreted, about a microsecond if not.
const ITERATIONS: u64 = 2_000;
/// The least of as many runs is taken, as an interruption only ever adds.
const RUNS: u32 = 3;

fn least(run: fn(u64)) -> u64 {
    let mut least = u64::MAX;
    for _ in 0..RUNS {
        let before = cycles();
        run(ITERATIONS);
        least = least.min(cycles().wrapping_sub(before));
    }
    least
}

pub(super) fn run() -> Outcome {
    // The way to ring 0 and back is paid once in both counts, and taken off.
    let passage = least(|_| ring0_loop(1));
    let ring0 = least(ring0_loop).saturating_sub(passage).max(1);
    let ring3 = least(ring3_loop).max(1);
    say!(
        "ring0 instructions={} ring0_cycles={ring0} ring3_cycles={ring3} passage_cycles={passage} ratio={}",
        ITERATIONS * 2,
        ring0 / ring3
    );
    Ok(())
}
