//! A guest that touches what it must not, in a process of its own, and what becomes of it.

use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use illico_machine::threads::{self, Role};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::failure::Failure;
use crate::show::demo::{Deed, Wild};
use crate::status::Status;

/// The order is that of the report. The console is the UART, so that VirtIO devices can be attacked.
const MACHINE: [&str; 9] = [
    "boot",
    "--kernel",
    ":probe:",
    "--memory",
    "16M",
    "--console",
    "uart",
    "--cmdline",
    "console=uart probe=wild=platform,wild=rings,crash \
     probe.attacks=holes,ports,almost-off,outside-ram,onto-local-apic,loop-of-all,index-jumps-far",
];
const LIMIT: Duration = Duration::from_secs(20);

/// Lets it loose.
pub fn measure() -> Result<Wild, Failure> {
    let mut command = Command::new("/proc/self/exe");
    command.args(MACHINE).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let machine = command.spawn()?;
    let process = pidfd_open(Pid::from_child(&machine), PidfdFlags::empty())?;
    let (running, ended) = channel::<()>();
    let watch = threads::spawn(Role::Timer, "limit", move || {
        if ended.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            // It fails where the process has just ended by itself.
            let _ = pidfd_send_signal(&process, Signal::KILL);
        }
    })?;
    let output = machine.wait_with_output();
    drop(running);
    let _ = watch.join();
    let output = output?;
    let (said, host) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let status = output.status.code();
    let deeds = deeds(&said, status);
    match status {
        Some(status) if deeds.len() > 1 => Ok(Wild { deeds, status }),
        _ => Err(format!("the wild guest ended with {}: {}", output.status, host.lines().next().unwrap_or("")).into()),
    }
}

/// What the guest says of itself, and what its end says.
fn deeds(said: &str, status: Option<i32>) -> Vec<Deed> {
    let value = |line: &str, key: &str| {
        let found = line.split_ascii_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        found.map(str::to_owned)
    };
    let alive = said.lines().filter_map(|line| value(line, "alive")).all(|alive| alive == "1");
    let told = said.lines().filter_map(|line| {
        let line = line.strip_prefix("probe: wild ")?;
        if let Some(attack) = value(line, "platform") {
            return Some(Deed { attack, verdict: "ignored".to_owned(), works_again: None });
        }
        let reset = value(line, "reset")? == "1";
        Some(Deed {
            attack: value(line, "attack")?,
            verdict: value(line, "verdict")?,
            works_again: Some(reset && alive),
        })
    });
    let crash = (status == Some(Status::TripleFault.code().into())).then(|| Deed {
        attack: "crash".to_owned(),
        verdict: "triple-fault".to_owned(),
        works_again: None,
    });
    told.chain(crash).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deeds_are_read_from_what_the_guest_said_and_how_it_ended() {
        let said = "probe: wild platform=holes done=1\n\
                    probe: wild device=entropy attack=loop-of-all verdict=needs-reset reset=1\n\
                    probe: wild device=entropy alive=1\nprobe: crash\n";
        let deed = |attack: &str, verdict: &str, works_again| Deed {
            attack: attack.to_owned(),
            verdict: verdict.to_owned(),
            works_again,
        };
        let first = [deed("holes", "ignored", None), deed("loop-of-all", "needs-reset", Some(true))];
        assert_eq!(deeds(said, Some(101)), first);
        let crash = deed("crash", "triple-fault", None);
        assert_eq!(deeds(said, Some(102)), first.into_iter().chain([crash]).collect::<Vec<_>>());
        assert_eq!(deeds(&said.replace("alive=1", "alive=0"), None)[1].works_again, Some(false));
    }
}
