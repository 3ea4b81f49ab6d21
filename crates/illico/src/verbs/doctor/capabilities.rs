//! Whether KVM can all that the machine is made of (Documentation/virt/kvm/api.rst, each under its name).

use illico_machine::kvm::{Cap, Kvm};

use super::Finding;

const CHECK: &str = "capabilities";

/// What every machine is made with, and what for.
const NEEDED: &[(Cap, &str, &str)] = &[
    (Cap::UserMemory, "USER_MEMORY", "guest memory"),
    (Cap::ReadonlyMem, "READONLY_MEM", "PCI configuration space that is read without exits"),
    (Cap::SplitIrqchip, "SPLIT_IRQCHIP", "local APICs in the kernel, the IOAPIC in the monitor"),
    (Cap::IrqRouting, "IRQ_ROUTING", "MSI-X"),
    (Cap::Irqfd, "IRQFD", "interrupts that devices raise without the monitor"),
    (Cap::Ioeventfd, "IOEVENTFD", "kicks that do not come up to the monitor"),
    (Cap::IoeventfdNoLength, "IOEVENTFD_NO_LENGTH", "kicks that are not even decoded"),
    (Cap::ImmediateExit, "IMMEDIATE_EXIT", "stopping a vCPU"),
    (Cap::ExtCpuid, "EXT_CPUID", "the guest's CPUID"),
    (Cap::GetTscKhz, "GET_TSC_KHZ", "a guest that calibrates no clock"),
    (Cap::TscDeadlineTimer, "TSC_DEADLINE_TIMER", "the guest's timer"),
    (Cap::SetTssAddr, "SET_TSS_ADDR", "real mode on old Intel processors"),
];

/// Asks for each of them.
pub fn check(kvm: &Kvm) -> Finding {
    judge(|capability| kvm.check(capability) > 0, kvm.has_stats())
}

fn judge(has: impl Fn(Cap) -> bool, stats: bool) -> Finding {
    let missing: Vec<_> = NEEDED
        .iter()
        .filter(|(capability, ..)| !has(*capability))
        .map(|(_, name, purpose)| format!("KVM_CAP_{name} ({purpose})"))
        .collect();
    if !missing.is_empty() {
        return Finding::problem(CHECK, format!("KVM lacks {}", missing.join(", ")), "use Linux 5.10 or newer");
    }
    if !stats {
        return Finding::warning(
            CHECK,
            "KVM lacks KVM_CAP_BINARY_STATS_FD: --exits cannot tell what the kernel handled",
            "use Linux 5.14 or newer",
        );
    }
    Finding::ok(CHECK, format!("KVM has all {} that a machine is made with, and its statistics", NEEDED.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::doctor::Verdict;

    #[test]
    fn each_missing_one_is_named_with_what_it_is_for() {
        let finding = judge(|capability| !matches!(capability, Cap::Irqfd | Cap::ReadonlyMem), true);
        assert_eq!(finding.verdict, Verdict::Problem);
        assert_eq!(
            finding.text,
            "KVM lacks KVM_CAP_READONLY_MEM (PCI configuration space that is read without exits), \
             KVM_CAP_IRQFD (interrupts that devices raise without the monitor)"
        );
    }

    #[test]
    fn without_statistics_guests_run_all_the_same() {
        assert_eq!(judge(|_| true, false).verdict, Verdict::Warning);
        assert_eq!(judge(|_| true, true).verdict, Verdict::Ok);
    }
}
