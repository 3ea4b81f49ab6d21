//! Whether KVM runs the guest's kernel mode on the CPU. One without VMX or SVM may interpret it: then it
//! takes a thousand times as long, and knows too few instructions for Linux.
//!
//! Found out by running a guest: the probe (guest/probe) times the same instructions in ring 0 and ring 3.

use std::time::Duration;

use illico_machine::control::End;
use illico_machine::kvm::Kvm;

use super::Finding;
use crate::verbs::probe::{self, Heard};

const CHECK: &str = "ring0";
/// It takes some milliseconds; more than this, and it will never end.
const LIMIT: Duration = Duration::from_secs(10);
/// On the CPU both rings are as fast; interpreted, ring 0 is slower by hundreds.
const INTERPRETED: u64 = 20;

/// Runs the probe and judges what it says.
pub fn check(kvm: &Kvm) -> Finding {
    match probe::run(kvm, &probe::config("ring0"), LIMIT) {
        Ok(Heard { end, said, .. }) => judge(&end, &said),
        Err(error) => Finding::problem(
            CHECK,
            format!("a small guest could not be made: {}", crate::output::error_lines(error.as_ref()).join(" ")),
            "see the other lines; `illico boot --kernel :probe: --cmdline probe=ring0` does the same",
        ),
    }
}

fn judge(end: &End, report: &str) -> Finding {
    let ratio = report.split_ascii_whitespace().find_map(|word| word.strip_prefix("ratio=")?.parse().ok());
    match (end, ratio) {
        (End::PowerOff, Some(0..INTERPRETED)) => {
            Finding::ok(CHECK, "a guest's kernel mode runs on the CPU, as fast as its user mode")
        }
        (End::PowerOff, Some(ratio)) => Finding::problem(
            CHECK,
            format!(
                "KVM interprets a guest's kernel mode here, {ratio} times slower than user mode: Linux guests will not boot"
            ),
            "use a host whose CPU has VMX or SVM, or whose own hypervisor passes it on (nested virtualisation); \
             to try things out, the lab emulates one: cargo xtask lab",
        ),
        (End::Stopped, _) => Finding::problem(
            CHECK,
            format!("a small guest did not end within {} seconds", LIMIT.as_secs()),
            "look at what the host is doing; `illico boot --kernel :probe: --cmdline probe=ring0` is the same guest",
        ),
        (end, _) => Finding::problem(
            CHECK,
            format!("a small guest failed ({}): this KVM cannot run guests", word(end)),
            "`illico boot --kernel :probe: --cmdline probe=ring0` is the same guest and shows its registers",
        ),
    }
}

fn word(end: &End) -> String {
    match end {
        End::PowerOff => "it reported nothing".to_owned(),
        End::Reset => "reset".to_owned(),
        End::Panicked => "panic".to_owned(),
        End::TripleFault { .. } => "triple fault".to_owned(),
        End::InternalError { error, .. } => error.to_string(),
        End::VcpuFailed { why, .. } => why.clone(),
        End::Left | End::Stopped | End::Unanswered { .. } => "stopped".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::doctor::Verdict;

    fn report(ratio: &str) -> String {
        format!("probe: ring0 instructions=4000 ring0_cycles=1 ratio={ratio}\nprobe: end experiments=1 failed=0\n")
    }

    #[test]
    fn twenty_times_slower_is_interpreted() {
        assert_eq!(judge(&End::PowerOff, &report("0")).verdict, Verdict::Ok);
        assert_eq!(judge(&End::PowerOff, &report("19")).verdict, Verdict::Ok);
        assert_eq!(judge(&End::PowerOff, &report("20")).verdict, Verdict::Problem);
        assert!(judge(&End::PowerOff, &report("1803")).text.contains("1803 times slower"));
    }

    #[test]
    fn a_guest_that_does_not_get_there_is_a_problem() {
        assert_eq!(judge(&End::PowerOff, "").verdict, Verdict::Problem);
        assert_eq!(judge(&End::PowerOff, &report("no")).verdict, Verdict::Problem);
        assert_eq!(judge(&End::Reset, &report("1")).verdict, Verdict::Problem);
        assert!(judge(&End::Stopped, "").text.contains("did not end"));
    }
}
