//! A turn before all others: what is measured in time is not interrupted by what else runs here.

use std::process::{Command, Stdio};

use crate::packages;

/// As long as it lives, this thread and the processes that it starts come before all that are not as urgent
/// (sched(7), SCHED_FIFO). Without chrt, or without the right to it, times are just noisier.
#[derive(Debug)]
pub struct FirstTurn(());

impl FirstTurn {
    /// Takes it.
    pub fn take() -> Self {
        schedule(&["-f", "-p", "50"]);
        Self(())
    }
}

impl Drop for FirstTurn {
    fn drop(&mut self) {
        schedule(&["-o", "-p", "0"]);
    }
}

fn schedule(words: &[&str]) {
    let Some(chrt) = packages::find_program("chrt") else { return };
    let mut chrt = Command::new(chrt);
    chrt.args(words).arg(std::process::id().to_string());
    let _ = chrt.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
}
