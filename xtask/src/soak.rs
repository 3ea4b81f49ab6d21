//! `cargo xtask soak`: boots guests one after the other in the lab, and counts those that do not end by themselves.
//!
//! A longer run of what `tests/tests/vcpus.rs` does in `make test`. No boot is tried twice.

use std::process::ExitCode;
use std::time::Duration;

use crate::project::{self, Profile};
use crate::{Error, Lab};

/// Boots in one lab: a lab that dies loses only these.
const BATCH: u32 = 50;
/// Seconds of the lab's clock before a guest counts as stalled.
const LIMIT: u32 = 150;

/// Boots `boots` guests of `cpus` vCPUs; fails if one of them stalls or does not end with status 0.
pub fn run(boots: u32, cpus: u32) -> Result<ExitCode, Error> {
    let (mut done, mut failed) = (0, 0);
    while done < boots {
        let batch = BATCH.min(boots - done);
        let script = format!(
            "for n in $(seq {batch}); do
                 timeout -s KILL {LIMIT} illico boot --kernel /kernels/6.12/vmlinux --initrd /guests/reboot.cpio \
                     --memory 128M --cpus {cpus} --cmdline quiet </dev/null >/tmp/said 2>&1
                 status=$?
                 echo \"boot $n: status $status\"
                 [ $status = 0 ] || tail -n 20 /tmp/said
             done"
        );
        let lab = Lab::script(script).program(project::illico(Profile::Dev)?);
        let outcome = lab.timeout(Duration::from_secs(u64::from(batch) * 60)).run()?;
        let text = outcome.text();
        let well = text.lines().filter(|line| line.ends_with(": status 0")).count() as u32;
        if well != batch {
            print!("{text}");
        }
        done += batch;
        failed += batch - well;
        println!("{done} boots of {cpus} vCPUs, {failed} failed");
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
