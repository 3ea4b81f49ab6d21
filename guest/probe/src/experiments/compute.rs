//! `compute[=rounds]`: the computation of `illico-probe-compute`, whose result the host knows.

use super::Outcome;
use crate::gate::cycles;
use crate::say;

pub(super) fn run(rounds: Option<u64>) -> Outcome {
    let rounds = rounds.unwrap_or(illico_probe_compute::ROUNDS);
    let before = cycles();
    let result = illico_probe_compute::compute(rounds);
    let spent = cycles().wrapping_sub(before);
    say!("compute rounds={rounds} result={result:#018x} cycles={spent}");
    Ok(())
}
