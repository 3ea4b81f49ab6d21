//! PID 1 and agent inside a guest: mounts what the run spec names, runs its command, and serves the host until that ends.
//!
//! The kernel starts it from the initramfs with nothing mounted. It ends by powering the machine off: after the
//! frame that says how the command went, or without one if it could not even reach the host; then the kernel's log
//! says why.

mod error;
mod log;
mod power;
mod serve;
mod setup;
mod vsock;

use std::fs;
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use illico_protocol::{HOST_CID, PORT, RUN_SPEC_PATH, RunSpec};

use crate::error::InitError;
use crate::serve::Agent;
use crate::setup::{Disks, mounts, network, root};

fn main() -> ExitCode {
    if std::process::id() != 1 {
        eprintln!("this is the first program of an illico guest, and does nothing elsewhere");
        return ExitCode::from(125);
    }
    if let Err(error) = live() {
        log::error(&error);
    }
    power::off()
}

/// From the first system call to the last frame.
fn live() -> Result<(), InitError> {
    mounts::devices("/dev")?;
    setup::limits::raise();
    let json = fs::read(RUN_SPEC_PATH).map_err(InitError::os("read", RUN_SPEC_PATH))?;
    let spec = RunSpec::from_json(&json).map_err(|error| InitError::Spec { error })?;
    setup::modules::load(&spec.modules)?;
    // The answer is waited for only when there is something to say.
    let (host, listener) = reach_host()?;
    let mut agent = Agent::new(Some(listener))?;
    match prepare(&spec) {
        Ok(disks) => {
            log::mark("agent ready");
            agent.run(host, spec.command, || disks.write_back())
        }
        Err(error) => {
            log::error(&error);
            agent.fail(host, &error)
        }
    }
}

fn reach_host() -> Result<(OwnedFd, OwnedFd), InitError> {
    let host = vsock::connect(HOST_CID, PORT).map_err(InitError::os("connect to the host's vsock port", PORT))?;
    let listener = vsock::listen(PORT).map_err(InitError::os("listen on the vsock port", PORT))?;
    Ok((host, listener))
}

/// Everything that the command finds around it.
fn prepare(spec: &RunSpec) -> Result<Disks, InitError> {
    let hostname = spec.hostname.as_bytes();
    rustix::system::sethostname(hostname).map_err(InitError::os("set the hostname", &spec.hostname))?;
    let disks = root::enter(spec)?;
    log::mark("root mounted");
    mounts::shares(&spec.mounts)?;
    network::raise_all(spec.network.as_ref())?;
    Ok(disks.with(&spec.mounts))
}
