//! Whether /dev/kvm is there, may be opened, and speaks the version that everybody speaks.

use illico_machine::kvm::{DEVICE, Kvm, KvmError};

use super::{Finding, cpu};

const CHECK: &str = "kvm";

/// KVM for the checks that ask it, or what is in the way.
pub fn open() -> Result<(Kvm, Finding), Finding> {
    match Kvm::open() {
        Ok(kvm) => Ok((kvm, Finding::ok(CHECK, format!("{DEVICE} opens and has API version 12")))),
        Err(error) => Err(judge(&error, cpu::extension(&cpu::info()))),
    }
}

fn judge(error: &KvmError, extension: Option<cpu::Extension>) -> Finding {
    match error {
        KvmError::Missing { .. } => {
            let fix = match extension {
                Some(extension) => format!("load KVM: modprobe {}", extension.module()),
                None => "switch VT-x or AMD-V on in the firmware; where this host is a virtual machine, switch \
                         nested virtualisation on in its hypervisor"
                    .to_owned(),
            };
            Finding::problem(CHECK, format!("{DEVICE} does not exist"), fix)
        }
        KvmError::NotPermitted { .. } => Finding::problem(
            CHECK,
            format!("{DEVICE} may not be opened by this user"),
            "join its group and log in again: sudo usermod -aG kvm \"$USER\" (or run as root)",
        ),
        other => Finding::problem(CHECK, crate::output::error_lines(other).join(" "), "use Linux 5.10 or newer"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::verbs::doctor::Verdict;

    fn fix(error: &KvmError, extension: Option<cpu::Extension>) -> String {
        let finding = judge(error, extension);
        assert_eq!(finding.verdict, Verdict::Problem);
        finding.fix.unwrap()
    }

    #[test]
    fn a_missing_device_is_a_missing_module_where_the_cpu_could() {
        let missing = KvmError::Missing { path: PathBuf::from(DEVICE) };
        assert_eq!(fix(&missing, Some(cpu::Extension::Svm)), "load KVM: modprobe kvm_amd");
        assert_eq!(fix(&missing, Some(cpu::Extension::Vmx)), "load KVM: modprobe kvm_intel");
        assert!(fix(&missing, None).contains("firmware"));
    }

    #[test]
    fn a_device_for_others_wants_a_group() {
        let closed = KvmError::NotPermitted { path: PathBuf::from(DEVICE) };
        assert!(fix(&closed, None).contains("usermod -aG kvm"));
    }

    #[test]
    fn anything_else_is_told_as_it_is() {
        let old = judge(&KvmError::ApiVersion { found: 10 }, None);
        assert!(old.text.contains("version 10"), "{}", old.text);
    }
}
