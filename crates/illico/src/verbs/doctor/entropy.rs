//! Whether there are random bytes to give to guests (`--entropy on`).

use std::fs::File;
use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

use super::Finding;

const CHECK: &str = "entropy";
/// What the device reads from.
const DEVICE: &str = "/dev/urandom";

/// Opens the device, and asks without waiting whether the kernel's generator has been seeded.
pub fn check() -> Finding {
    let seeded = || Ok(getrandom(&mut [0_u8; 8], GetRandomFlags::NONBLOCK).map(drop)?);
    judge(File::open(DEVICE).and_then(|_| seeded()))
}

fn judge(random: io::Result<()>) -> Finding {
    match random {
        Ok(()) => Finding::ok(CHECK, format!("{DEVICE} opens, and its generator is seeded")),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Finding::warning(
            CHECK,
            "the kernel's random generator is not seeded yet: what guests get is predictable",
            "wait, or give this host a source: a CPU with RDRAND, a hardware generator, or a virtio-rng",
        ),
        Err(error) => Finding::warning(
            CHECK,
            format!("no source of random bytes for guests: {DEVICE}: {error}"),
            format!("mknod -m 444 {DEVICE} c 1 9, or start guests with --entropy off"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::doctor::Verdict;

    #[test]
    fn an_unseeded_generator_is_told_from_a_missing_one() {
        assert_eq!(judge(Ok(())).verdict, Verdict::Ok);
        let unseeded = judge(Err(io::ErrorKind::WouldBlock.into()));
        assert!(unseeded.text.contains("not seeded"), "{}", unseeded.text);
        let missing = judge(Err(io::ErrorKind::NotFound.into()));
        assert_eq!(missing.verdict, Verdict::Warning);
        assert!(missing.fix.unwrap().contains("mknod"));
    }
}
