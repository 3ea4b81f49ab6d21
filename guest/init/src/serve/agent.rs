//! The agent: one loop over all connections, their commands, and children that lost their parents.
//!
//! Nothing in it waits for anything but poll(2), so that a slow reader does not hold up other sessions. Copies have threads of their
//! own, since files cannot be polled.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use illico_protocol::{Ending, Exec, Request};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};
use rustix::net::{SocketFlags, acceptfrom_with};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use rustix::time::{ClockId, clock_settime};

use crate::error::InitError;
use crate::log;
use crate::serve::connection::Connection;
use crate::serve::copy;
use crate::serve::session::{Session, Wish};
use crate::vsock;

/// The most connections at once. More wait in the listener's backlog.
const MAX_SESSIONS: usize = 1024;
/// The most connections that are accepted, or refused, in one turn of the loop.
const MAX_ACCEPTED: usize = 64;
/// How long accept(2) is left alone after it ran out of descriptors or memory, in nanoseconds.
const ACCEPT_PAUSE: i64 = 100_000_000;

#[derive(Debug)]
pub(crate) struct Agent {
    listener: Option<OwnedFd>,
    /// Readable when a child has ended.
    children: UnixStream,
    /// The first one is that of the first command.
    sessions: Vec<Session>,
    /// What later commands inherit.
    first: Option<Exec>,
    /// The last accept(2) ran out of descriptors or memory: the listener stays readable, and polling it would spin.
    starved: bool,
}

impl Agent {
    pub(crate) fn new(listener: Option<OwnedFd>) -> Result<Self, InitError> {
        let failed = || InitError::os("watch", "for children that end");
        let (children, end) = UnixStream::pair().map_err(failed())?;
        children.set_nonblocking(true).map_err(failed())?;
        signal_hook::low_level::pipe::register(signal_hook::consts::SIGCHLD, end).map_err(failed())?;
        Ok(Self { listener, children, sessions: Vec::new(), first: None, starved: false })
    }

    /// Runs the first command and serves the host until it has ended and the host knows. What the guest must keep is
    /// written back by `write_back` before the host is told.
    pub(crate) fn run(&mut self, host: OwnedFd, exec: Exec, write_back: impl Fn()) -> Result<(), InitError> {
        if let Some(cwd) = &exec.cwd {
            let _ = std::fs::create_dir_all(cwd.as_path());
        }
        let mut session = Session::new(Connection::connecting(host));
        let started = session.run(&exec);
        self.first = Some(exec);
        match started {
            Ok(()) => log::mark("command started"),
            Err(ending) => session.end(ending),
        }
        self.sessions.push(session);
        self.go_on(&write_back)
    }

    /// Tells the host why there will be no command.
    pub(crate) fn fail(&mut self, host: OwnedFd, error: &InitError) -> Result<(), InitError> {
        let mut session = Session::new(Connection::connecting(host));
        session.end(Ending::Failed(error.to_string()));
        self.listener = None;
        self.sessions.push(session);
        self.go_on(&|| ())
    }

    /// Serves until the first session is over: the host has read its end and closed the connection, or is gone. There is no
    /// limit of time, since a host whose reader pauses still takes every byte.
    fn go_on(&mut self, write_back: &dyn Fn()) -> Result<(), InitError> {
        let mut ended = false;
        while self.advance(write_back) {
            if !ended && self.sessions.first().is_some_and(Session::is_ending) {
                log::mark("command ended");
                ended = true;
            }
            self.wait()?;
        }
        Ok(())
    }

    /// Waits until something can be done, and marks the sessions that can do it.
    fn wait(&mut self) -> Result<(), InitError> {
        let mut fds = vec![PollFd::new(&self.children, PollFlags::IN)];
        if self.sessions.len() < MAX_SESSIONS && !self.starved {
            fds.extend(self.listener.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
        }
        let mut starts = Vec::with_capacity(self.sessions.len());
        for session in &self.sessions {
            starts.push(fds.len());
            session.interests(&mut fds);
        }
        let limit = self.starved.then_some(Timespec { tv_sec: 0, tv_nsec: ACCEPT_PAUSE });
        self.starved = false;
        match poll(&mut fds, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(InitError::os("wait", "for the host and for commands")(errno)),
        }
        let is_ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        let ends = starts.iter().skip(1).copied().chain([fds.len()]);
        let ready: Vec<bool> =
            starts.iter().zip(ends).map(|(&start, end)| fds[start..end].iter().any(is_ready)).collect();
        for (session, _) in self.sessions.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            session.wake();
        }
        Ok(())
    }

    /// Does all that can be done without waiting. False once the first session is over.
    fn advance(&mut self, write_back: &dyn Fn()) -> bool {
        self.reap();
        self.accept();
        let mut at = 0;
        while let Some(session) = self.sessions.get_mut(at) {
            match session.advance() {
                Wish::Nothing => at += 1,
                Wish::Say(ending) => {
                    if at == 0 {
                        write_back();
                    }
                    session.end(ending);
                }
                Wish::Request(request) => self.serve(at, request),
                Wish::Drop if at == 0 => {
                    if !self.sessions[at].is_ending() {
                        log::error(&"the host was not there, or left before the command had ended");
                    }
                    return false;
                }
                Wish::Drop => drop(self.sessions.swap_remove(at)),
            }
        }
        true
    }

    /// Does what a connection asks for. It stays where it is, or leaves its place to another.
    fn serve(&mut self, at: usize, request: Request) {
        let done = match request {
            Request::Exec(exec) => {
                let exec = self.inherit(exec);
                match self.sessions[at].run(&exec) {
                    Ok(()) => return,
                    Err(ending) => ending,
                }
            }
            Request::CopyIn { path } => return copy::take(self.sessions.swap_remove(at).into_connection(), path),
            Request::CopyOut { path } => return copy::give(self.sessions.swap_remove(at).into_connection(), path),
            Request::Signal(number) => {
                self.sessions[0].signal(number);
                Ending::DONE
            }
            Request::Time { seconds, nanoseconds } => set_time(seconds, nanoseconds),
            Request::Shutdown => {
                // The first command among them: its end is that of the guest.
                let everyone = Pid::from_raw(-1);
                let _ = everyone.map(|pid| kill_process(pid, Signal::KILL));
                Ending::DONE
            }
        };
        self.sessions[at].end(done);
    }

    /// What a later command has from the first one.
    fn inherit(&self, mut exec: Exec) -> Exec {
        if let Some(first) = &self.first {
            exec.env.splice(..0, first.env.iter().cloned());
            exec.cwd = exec.cwd.or_else(|| first.cwd.clone());
            exec.user = exec.user.or_else(|| first.user.clone());
            exec.limits.splice(..0, first.limits.iter().copied());
        }
        exec
    }

    fn accept(&mut self) {
        // Not for as long as connections come: a process in the guest that makes them without end must not hold up the rest.
        for _ in 0..MAX_ACCEPTED {
            let (Some(listener), true) = (&self.listener, self.sessions.len() < MAX_SESSIONS) else { return };
            match acceptfrom_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                // Closed, as a port without a listener is.
                Ok((_, Some(peer))) if vsock::is_from_guest(&peer) => {}
                Ok((fd, _)) => self.sessions.push(Session::new(Connection::accepted(fd))),
                // A connection that its maker gave up already.
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => {
                    self.starved = true;
                    return;
                }
            }
        }
    }

    /// Takes the statuses of all children that have ended: commands, and orphans that became ours.
    fn reap(&mut self) {
        let mut signs = [0; 64];
        while matches!(read(&self.children, &mut signs), Ok(len) if len > 0) {}
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if let Some(session) = self.sessions.iter_mut().find(|session| session.pid() == Some(pid)) {
                session.ended(status);
            }
        }
    }
}

fn set_time(seconds: u64, nanoseconds: u32) -> Ending {
    let failed = |error: io::Error| Ending::Failed(format!("cannot set the clock: {error}"));
    let Ok(tv_sec) = i64::try_from(seconds) else { return failed(io::ErrorKind::InvalidInput.into()) };
    let time = Timespec { tv_sec, tv_nsec: nanoseconds.into() };
    clock_settime(ClockId::Realtime, time).map_or_else(|errno| failed(errno.into()), |()| Ending::DONE)
}

#[cfg(test)]
#[path = "agent_test.rs"]
mod tests;
