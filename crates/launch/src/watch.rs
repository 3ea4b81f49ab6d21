//! A running machine's counters, shared with other processes of its user (docs/watch.md).
//!
//! Two files in the machine's folder of sockets: `counters` is the page that the monitor counts in, and a connection to
//! `refresh` has it copy the counters of the kernel there. They are not in the folder of the machine's state because that
//! may be on a disk, and the page is written all the time.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use illico_machine::live::Refresher;
use illico_machine::machine::Machine;
use illico_machine::report::Report;
use illico_virtio::event_loop::{Fault, Polling, Source, Worker};

use crate::error::{LaunchError, file, host};
use crate::vms::Folder;

/// The page.
pub const COUNTERS: &str = "counters";
/// The socket.
pub const REFRESH: &str = "refresh";
/// The last figures of a machine that ended, in the folder of its state.
pub const EXITS: &str = "exits.json";

/// Makes the file that a machine counts in, in its folder of sockets. Its user may read it; no user may write it.
pub fn create(sockets: &Path) -> Result<File, LaunchError> {
    let path = sockets.join(COUNTERS);
    File::options().read(true).write(true).create_new(true).mode(0o400).open(&path).map_err(file("make", &path))
}

/// Keeps the last figures of a machine that ended, if anything of it is kept.
pub fn keep(folder: &Folder, report: &Report) -> Result<(), LaunchError> {
    if folder.record().asked.remove {
        return Ok(());
    }
    let path = folder.file(EXITS);
    let text = serde_json::to_vec_pretty(report).map_err(|error| file("write", &path)(error.into()))?;
    std::fs::write(&path, text).map_err(file("write", &path))
}

/// Answers those who ask for a refresh from now on.
pub fn attach(sockets: &Path, machine: &mut Machine) -> Result<(), LaunchError> {
    let path = sockets.join(REFRESH);
    let listener = UnixListener::bind(&path).map_err(file("listen at", &path))?;
    listener.set_nonblocking(true).map_err(file("listen at", &path))?;
    let refresher = machine.refresher().map_err(host("read the kernel's counters"))?;
    let watched = Watched { listener, refresher };
    // This worker never faults.
    let added = machine.control_loop().add(Box::new(watched), Box::new(|_| ()));
    added.map(drop).map_err(host("watch a socket"))
}

/// Sleeps until a process connects: without one it does nothing.
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
