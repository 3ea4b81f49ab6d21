//! Whether disks can use io_uring (`engine=io_uring`, the default where it can be had).

use std::fs::File;
use std::io;
use std::sync::Arc;

use illico_memory::Uring;

use super::Finding;

const CHECK: &str = "io-uring";

/// Makes the smallest ring, and asks the kernel's setting if that fails.
pub fn check() -> Finding {
    let ring = File::open("/dev/null").and_then(|file| Uring::<()>::new(Arc::new(file), 1)).map(drop);
    let disabled = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok();
    judge(ring, disabled.as_deref())
}

fn judge(ring: io::Result<()>, disabled: Option<&str>) -> Finding {
    let Err(error) = ring else { return Finding::ok(CHECK, "disks can use io_uring") };
    let fix = match disabled.map(str::trim) {
        Some("2") => "allow it: sysctl kernel.io_uring_disabled=0",
        Some("1") => {
            "run as root, join the group of kernel.io_uring_group, or allow it: sysctl kernel.io_uring_disabled=0"
        }
        _ => "use Linux 5.19 or newer; in a container, allow io_uring_setup in its seccomp profile",
    };
    Finding::warning(CHECK, format!("disks use engine=sync, one request at a time: no io_uring ({error})"), fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::doctor::Verdict;

    fn refused() -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    #[test]
    fn what_works_works_whatever_the_setting() {
        assert_eq!(judge(Ok(()), Some("1\n")).verdict, Verdict::Ok);
    }

    #[test]
    fn the_fix_follows_the_setting() {
        let fix = |disabled| judge(refused(), disabled).fix.unwrap();
        assert_eq!(fix(Some("2\n")), "allow it: sysctl kernel.io_uring_disabled=0");
        assert!(fix(Some("1\n")).contains("kernel.io_uring_group"));
        assert!(fix(Some("0\n")).contains("seccomp"));
        assert!(fix(None).contains("5.19"));
        assert_eq!(judge(refused(), None).verdict, Verdict::Warning);
    }
}
