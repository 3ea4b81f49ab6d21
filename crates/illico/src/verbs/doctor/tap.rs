//! Whether taps can be opened, which network cards are plugged into (`--net`).

use std::fs::File;
use std::io;

use super::Finding;

const CHECK: &str = "tap";
const DEVICE: &str = "/dev/net/tun";

/// Opens the device that taps are reached by, which makes none.
pub fn check() -> Finding {
    judge(File::options().read(true).write(true).open(DEVICE).map(drop))
}

fn judge(opened: io::Result<()>) -> Finding {
    let Err(error) = opened else {
        return Finding::ok(
            CHECK,
            format!("{DEVICE} opens; root makes a tap by: ip tuntap add dev tap0 mode tap user NAME"),
        );
    };
    let fix = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("let users open it: chmod 0666 {DEVICE} (a tap has an owner of its own)")
        }
        _ => "load it: modprobe tun".to_owned(),
    };
    Finding::warning(CHECK, format!("no network cards (--net), for {DEVICE} does not open: {error}"), fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::doctor::Verdict;

    #[test]
    fn guests_run_without_a_network() {
        assert_eq!(judge(Ok(())).verdict, Verdict::Ok);
        let missing = judge(Err(io::ErrorKind::NotFound.into()));
        assert_eq!((missing.verdict, missing.fix.as_deref()), (Verdict::Warning, Some("load it: modprobe tun")));
        let closed = judge(Err(io::ErrorKind::PermissionDenied.into()));
        assert!(closed.fix.unwrap().contains("chmod"));
    }
}
