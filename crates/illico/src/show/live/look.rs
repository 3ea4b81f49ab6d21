//! A machine's figures, for those who do not run it.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use illico_machine::live::{MAX_BYTES, Reading, ReadingError};
use illico_machine::report::Report;

use super::{COUNTERS, EXITS, REFRESH};
use crate::vms::Vm;

/// How long a monitor that has stopped is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why a machine's figures cannot be seen.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// It ended, or was killed, and left none.
    #[error("{name} does not run, and left no figures; boot it with --name, and look while it runs")]
    Gone {
        /// The machine.
        name: String,
    },
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the host said.
        #[source]
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("{} is not a page of counters; was it made by another illico?", path.display())]
    Page {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ReadingError,
    },
}

/// What a machine had counted at a moment.
#[derive(Debug)]
pub struct Seen {
    /// The process that runs it, if one does.
    pub pid: Option<u32>,
    /// Whether what the monitor does not count itself is of now as well: the monitor answered in time.
    pub fresh: bool,
    /// The figures.
    pub report: Report,
}

/// Looks at a machine that runs, or at what is left of one that did.
pub fn look(vm: &Vm) -> Result<Seen, LookError> {
    let gone = || LookError::Gone { name: vm.name.to_string() };
    if !vm.is_alive() {
        let path = vm.file(EXITS);
        let report = File::open(path).ok().and_then(|file| serde_json::from_reader(file.take(MAX_BYTES as u64)).ok());
        return Ok(Seen { pid: None, fresh: true, report: report.ok_or_else(gone)? });
    }
    let sockets = &vm.record.as_ref().ok_or_else(gone)?.sockets;
    let fresh = ask(&sockets.join(REFRESH)).is_ok();
    let reading = read(sockets.join(COUNTERS))?;
    Ok(Seen { pid: Some(reading.pid), fresh, report: reading.report() })
}

/// Has the monitor copy what it does not count itself; it hangs up when that is done.
fn ask(socket: &std::path::Path) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // It sends nothing.
    stream.read_to_end(&mut Vec::new())?;
    Ok(())
}

fn read(path: PathBuf) -> Result<Reading, LookError> {
    let mut tries = 5;
    loop {
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(MAX_BYTES as u64).read_to_end(&mut bytes));
        if let Err(source) = read {
            return Err(LookError::Read { path, source });
        }
        match Reading::parse(&bytes) {
            // Another process has asked as well: it takes some microseconds.
            Err(ReadingError::Busy) if tries > 0 => std::thread::sleep(Duration::from_millis(1)),
            read => return read.map_err(|source| LookError::Page { path, source }),
        }
        tries -= 1;
    }
}
