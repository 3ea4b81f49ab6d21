//! What the monitor does for those who watch it: a file, and a copy when they ask.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use illico_machine::live::Refresher;
use illico_machine::machine::Machine;
use illico_machine::report::Report;
use illico_virtio::complaints::say;
use illico_virtio::event_loop::{Fault, Polling, Source, Worker};

use super::{COUNTERS, EXITS, REFRESH};
use crate::failure::Failure;
use crate::vms::Folder;

/// Makes the file that a machine counts in, in its folder of sockets. Nobody but its user may read it, and nobody write.
pub fn create(sockets: &Path) -> Result<File, Failure> {
    let path = sockets.join(COUNTERS);
    let file = File::options().read(true).write(true).create_new(true).mode(0o400).open(&path);
    file.map_err(|error| format!("cannot make {}: {error}", path.display()).into())
}

/// Keeps the last figures of a machine that ended, if anything of it is kept.
pub fn keep(folder: &Folder, report: &Report) -> Result<(), Failure> {
    if folder.record().asked.remove {
        return Ok(());
    }
    let path = folder.file(EXITS);
    let text = serde_json::to_vec_pretty(report)?;
    std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}

/// Answers those who ask for a refresh from now on.
pub fn attach(sockets: &Path, machine: &mut Machine) -> Result<(), Failure> {
    let path = sockets.join(REFRESH);
    let wrong = |error: io::Error| format!("cannot listen on {}: {error}", path.display());
    let listener = UnixListener::bind(&path).map_err(wrong)?;
    listener.set_nonblocking(true).map_err(wrong)?;
    let refresher = machine.refresher().map_err(|error| format!("cannot look at the kernel's counters: {error}"))?;
    let watched = Watched { listener, refresher };
    machine.control_loop().add(Box::new(watched), Box::new(|fault| say(&format!("refresh: {fault}"))))?;
    Ok(())
}

/// Sleeps until somebody connects: a machine that nobody watches does nothing for it.
struct Watched {
    listener: UnixListener,
    refresher: Refresher,
}

/// Those who are answered by one refresh; more wait for the next turn.
const AT_ONCE: usize = 16;

impl Worker for Watched {
    fn sources(&self) -> Vec<Source> {
        vec![Source::readable(&self.listener)]
    }

    fn ready(&mut self, _source: usize) -> Result<Polling, Fault> {
        loop {
            let asked: Vec<_> = std::iter::from_fn(|| self.listener.accept().ok()).take(AT_ONCE).collect();
            if asked.is_empty() {
                return Ok(Polling::Sleep);
            }
            self.refresher.refresh();
            // Closing the connections is the answer.
        }
    }
}
