//! A machine that runs, and what is left of it when it has ended.

use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use illico_machine::report::Report;
use illico_machine::threads;
use illico_machine::timeline::Timeline;
use illico_protocol::{Ending, Exec};

use crate::agent::{self, Agent};
use crate::copy::{self, Warn};
use crate::error::{LaunchError, host};
use crate::first::Streams;
use crate::outcome::{Handle, Outcome};
use crate::prepare::Prepared;
use crate::vms::{CONSOLE_LOG, Ended, Folder, Log, Name};
use crate::watch;

/// A machine that runs on threads of its own.
#[derive(Debug)]
pub struct Running {
    name: Name,
    handle: Handle,
    agent: Agent,
    thread: JoinHandle<Result<Finished, LaunchError>>,
}

/// A machine that has ended.
#[derive(Debug)]
#[must_use = "without `record` other processes are not told how the machine ended"]
pub struct Finished {
    /// How.
    pub outcome: Outcome,
    /// Where its exits went.
    pub report: Report,
    /// What the machine tells of its time, if its caller collects spans.
    pub timeline: Option<Timeline>,
    begun: bool,
    folder: Folder,
}

impl Prepared {
    /// Output of the command to a log in the machine's folder, for other processes to read.
    pub fn log(&self) -> Result<Log, LaunchError> {
        Log::begin(self.folder.path()).map_err(host("begin the log of the command's output"))
    }

    /// Runs the machine on this thread, until it has ended. `begun` is called once its command has begun.
    pub fn run(self, streams: Streams, begun: impl FnOnce() + Send + 'static) -> Result<Finished, LaunchError> {
        let Self { machine, folder, first, handle, plan, sockets: _ } = self;
        let serving = first.serve(streams, &handle, begun).map_err(host("start a thread for the command's streams"))?;
        if let Some(time) = plan.timeout {
            handle.end_after(time).map_err(host("start a thread for the timeout"))?;
        }
        let ended = machine.run();
        let ending = serving.end();
        let mut ended = ended.map_err(host("run the machine"))?;
        let timeline = ended.timeline.take();
        let report = ended.report();
        let outcome = Outcome::new(handle.forced(), ending, ended.end);
        Ok(Finished { outcome, report, timeline, begun: handle.has_begun(), folder })
    }

    /// Runs the machine on a thread of its own. Its command may not have begun yet.
    pub fn start(self, streams: Streams) -> Result<Running, LaunchError> {
        let (name, handle) = (self.folder.record().name.clone(), self.handle());
        let agent = Agent::new(name.clone(), self.sockets.join(agent::SOCKET));
        let body = move || self.run(streams, || ());
        // Not of the role yet: it still starts threads and opens files.
        let thread = threads::spawn_first("machine", body);
        Ok(Running { name, handle, agent, thread: thread.map_err(host("start a thread for the machine"))? })
    }
}

impl Running {
    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// A way to reach it from other threads.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The agent in it, for all else that it does.
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Runs one more command, and waits for its end.
    pub fn exec(&self, command: Exec, streams: Streams) -> Result<Ending, LaunchError> {
        Ok(self.agent.exec(command, streams)?)
    }

    /// Copies a file or folder of the host into it (see [`copy::to_guest`]).
    pub fn copy_in(&self, from: &Path, to: &Path, warn: Warn<'_>) -> Result<(), LaunchError> {
        Ok(copy::to_guest(self.agent.connect()?, from, to, warn)?)
    }

    /// Copies a file or folder of it to the host (see [`copy::to_host`]).
    pub fn copy_out(&self, from: &Path, to: &Path, warn: Warn<'_>) -> Result<(), LaunchError> {
        Ok(copy::to_host(self.agent.connect()?, from, to, warn)?)
    }

    /// Sends a signal to the first command.
    pub fn signal(&self, number: u8) {
        self.handle.signal(number);
    }

    /// Asks the first command to end, ends the machine after `grace`, and waits for it.
    pub fn stop(self, grace: Duration) -> Result<Finished, LaunchError> {
        self.handle.signal(crate::process::SIGTERM);
        let until = std::time::Instant::now() + grace;
        while !self.thread.is_finished() && std::time::Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
        if !self.thread.is_finished() {
            self.handle.stop();
        }
        self.wait()
    }

    /// Waits for the end of the machine.
    pub fn wait(self) -> Result<Finished, LaunchError> {
        let panicked = |_| host("run the machine")(std::io::Error::other("its thread panicked"));
        self.thread.join().map_err(panicked)?
    }
}

impl Finished {
    /// Where the log of the guest's kernel is, if it was kept.
    pub fn console_log(&self) -> PathBuf {
        self.folder.file(CONSOLE_LOG)
    }

    /// Tells other processes how it ended, with this status, and gives the folder up.
    pub fn record(self, status: u8) -> Result<(), LaunchError> {
        if self.begun {
            watch::keep(&self.folder, &self.report)?;
            self.folder.finish(&Ended::now(status, self.outcome.to_string()))?;
        }
        Ok(())
    }
}
