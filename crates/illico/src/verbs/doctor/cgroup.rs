//! Whether making a machine waits for cgroups.
//!
//! From Linux 6.0 on, moving a task to another cgroup waits for an RCU grace period (cgroup_threadgroup_rwsem is
//! fast for readers again), tens of milliseconds, unless cgroup v2 is mounted with `favordynmods`. Until 6.13
//! `KVM_CREATE_VM` does just that: it starts a kernel thread (recovery of split huge pages) and moves it into the
//! cgroup of the monitor. Later it is a thread of the monitor itself, which is born where it belongs.

use super::Finding;

const CHECK: &str = "cgroup";
/// Moving is slow from here on, as major and minor version,
const SLOW_FROM: (u32, u32) = (6, 0);
/// and KVM moves nothing from here on.
const UNNEEDED_FROM: (u32, u32) = (6, 13);

/// Looks at the mounts and the kernel's release.
pub fn check() -> Finding {
    let text = |path| std::fs::read_to_string(path).unwrap_or_default();
    judge(&text("/proc/mounts"), text("/proc/sys/kernel/osrelease").trim())
}

/// `6.12.9-amd64` as 6 and 12.
fn version(release: &str) -> Option<(u32, u32)> {
    let (major, rest) = release.split_once('.')?;
    let minor = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Where cgroup v2 is mounted, and how (fstab(5): what, where, type, options).
fn mount(mounts: &str) -> Option<(&str, &str)> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (place, kind, options) = (fields.next()?, fields.next()?, fields.next()?);
        (kind == "cgroup2").then_some((place, options))
    })
}

fn judge(mounts: &str, release: &str) -> Finding {
    let Some((place, options)) = mount(mounts) else {
        return Finding::warning(
            CHECK,
            "cgroup v2 is not mounted: a machine's CPU time and memory cannot be limited by it",
            "mount -t cgroup2 none /sys/fs/cgroup (with systemd, boot with systemd.unified_cgroup_hierarchy=1)",
        );
    };
    if options.split(',').any(|option| option == "favordynmods") {
        return Finding::ok(CHECK, format!("cgroup v2 at {place}, with favordynmods"));
    }
    if version(release).is_some_and(|version| (SLOW_FROM..UNNEEDED_FROM).contains(&version)) {
        return Finding::warning(
            CHECK,
            format!(
                "Linux {release} without favordynmods: making a machine waits tens of milliseconds for KVM's thread to change its cgroup"
            ),
            format!("mount -o remount,favordynmods {place}"),
        );
    }
    Finding::ok(CHECK, format!("cgroup v2 at {place}; Linux {release} does not need favordynmods"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::doctor::Verdict;

    const DEBIAN: &str = "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,memory_recursiveprot 0 0\n";

    #[test]
    fn kernels_between_6_0_and_6_13_want_the_option() {
        for (release, verdict) in [
            ("5.10.0-30-amd64", Verdict::Ok),
            ("6.0.0", Verdict::Warning),
            ("6.1.0-25-cloud-amd64", Verdict::Warning),
            ("6.12-rc3", Verdict::Warning),
            ("6.13.0", Verdict::Ok),
            ("7.2", Verdict::Ok),
            ("nonsense", Verdict::Ok),
        ] {
            assert_eq!(judge(DEBIAN, release).verdict, verdict, "{release}");
        }
        assert_eq!(judge(DEBIAN, "6.1.0").fix.as_deref(), Some("mount -o remount,favordynmods /sys/fs/cgroup"));
    }

    #[test]
    fn with_the_option_all_is_well() {
        let mounts = "none /cg cgroup2 rw,favordynmods 0 0\n";
        assert_eq!(judge(mounts, "6.1.0"), Finding::ok("cgroup", "cgroup v2 at /cg, with favordynmods"));
    }

    #[test]
    fn version_1_alone_is_a_warning() {
        let mounts = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu,favordynmods 0 0\n";
        assert_eq!(judge(mounts, "6.18.0").verdict, Verdict::Warning);
        assert_eq!(judge("", "6.18.0").verdict, Verdict::Warning);
    }
}
