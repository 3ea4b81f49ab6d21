//! Whose CPU this is, and whether it can run guests by itself.

use super::Finding;

const CHECK: &str = "cpu";

/// How a CPU runs guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// Intel's.
    Vmx,
    /// AMD's.
    Svm,
}

impl Extension {
    /// What it is called.
    fn name(self) -> &'static str {
        match self {
            Self::Vmx => "VMX",
            Self::Svm => "SVM",
        }
    }

    /// The module that uses it.
    pub fn module(self) -> &'static str {
        match self {
            Self::Vmx => "kvm_intel",
            Self::Svm => "kvm_amd",
        }
    }
}

/// Looks at /proc/cpuinfo.
pub fn check() -> Finding {
    judge(&info())
}

/// /proc/cpuinfo, as far as it can be read.
pub fn info() -> String {
    std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default()
}

/// How the CPU that cpuinfo describes runs guests.
pub fn extension(info: &str) -> Option<Extension> {
    flags(info).find_map(|flag| match flag {
        "vmx" => Some(Extension::Vmx),
        "svm" => Some(Extension::Svm),
        _ => None,
    })
}

/// The value of the first line with this key.
fn value<'a>(info: &'a str, key: &str) -> Option<&'a str> {
    info.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then_some(value.trim())
    })
}

fn flags(info: &str) -> impl Iterator<Item = &str> {
    value(info, "flags").unwrap_or_default().split_ascii_whitespace()
}

fn judge(info: &str) -> Finding {
    let vendor = value(info, "vendor_id").unwrap_or("unknown vendor");
    let place = if flags(info).any(|flag| flag == "hypervisor") { ", in a virtual machine" } else { "" };
    match extension(info) {
        Some(extension) => Finding::ok(CHECK, format!("{vendor} with {}{place}", extension.name())),
        None => Finding::warning(
            CHECK,
            format!("{vendor} without VMX and SVM{place}: where there is a KVM all the same, it makes guests slow"),
            "switch VT-x or AMD-V on in the firmware, or nested virtualisation in this host's own hypervisor",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::doctor::Verdict;

    const AMD: &str = "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu svm hypervisor\nbugs\t\t: vmx\n";

    #[test]
    fn the_vendor_and_the_extension_are_told() {
        assert_eq!(judge(AMD), Finding::ok("cpu", "AuthenticAMD with SVM, in a virtual machine"));
        assert_eq!(extension("flags : fpu vmx\n"), Some(Extension::Vmx));
    }

    #[test]
    fn a_cpu_without_either_is_a_warning() {
        let finding = judge("vendor_id : GenuineIntel\nflags : fpu vmx_nothing\n");
        assert_eq!(finding.verdict, Verdict::Warning);
        assert!(finding.text.starts_with("GenuineIntel without"), "{}", finding.text);
        assert_eq!(judge("").verdict, Verdict::Warning);
    }
}
