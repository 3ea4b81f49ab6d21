//! What became of one connection: it waits for its request, runs a command, or says how that went.

use std::io;

use illico_protocol::{Ending, Exec, Frame, Request};
use rustix::event::PollFd;
use rustix::process::{Pid, WaitStatus};

use crate::serve::command;
use crate::serve::connection::Connection;
use crate::serve::running::Running;

#[derive(Debug)]
enum State {
    /// For the request.
    Waits,
    Runs(Box<Running>),
    /// The last frame is on its way.
    Ends,
}

#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    state: State,
    /// Something may have become possible since the last step.
    ready: bool,
}

/// What the agent has to do for a session.
#[derive(Debug)]
pub(crate) enum Wish {
    Nothing,
    /// The host asks for this.
    Request(Request),
    /// The command has ended, all of its output is on its way, and this is to be said.
    Say(Ending),
    /// The connection is done with.
    Drop,
}

const SIGHUP: u8 = 1;

impl Session {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, state: State::Waits, ready: true }
    }

    pub(crate) fn pid(&self) -> Option<Pid> {
        if let State::Runs(running) = &self.state { Some(running.pid()) } else { None }
    }

    pub(crate) fn ended(&mut self, status: WaitStatus) {
        if let State::Runs(running) = &mut self.state {
            running.ended(status);
            self.ready = true;
        }
    }

    /// One of its descriptors is ready.
    pub(crate) fn wake(&mut self) {
        self.ready = true;
    }

    pub(crate) fn signal(&self, number: u8) {
        if let State::Runs(running) = &self.state {
            running.signal(number);
        }
    }

    /// Starts the command, or says why that cannot be.
    pub(crate) fn run(&mut self, exec: &Exec) -> Result<(), Ending> {
        self.state = State::Runs(Box::new(Running::new(command::start(exec)?)));
        self.connection.queue(&Frame::Started);
        self.ready = true;
        Ok(())
    }

    /// The last that is said.
    pub(crate) fn end(&mut self, ending: Ending) {
        self.connection.queue(&Frame::End(ending));
        self.state = State::Ends;
        self.ready = true;
    }

    pub(crate) fn is_ending(&self) -> bool {
        matches!(self.state, State::Ends)
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    pub(crate) fn interests<'a>(&'a self, into: &mut Vec<PollFd<'a>>) {
        into.push(self.connection.interest(true));
        if let State::Runs(running) = &self.state {
            running.interests(&self.connection, into);
        }
    }

    /// Does what can be done without waiting.
    pub(crate) fn advance(&mut self) -> Wish {
        if !std::mem::take(&mut self.ready) {
            return Wish::Nothing;
        }
        match self.step() {
            Ok(wish) => wish,
            Err(_) => {
                self.signal(SIGHUP);
                Wish::Drop
            }
        }
    }

    /// An error is the end of the connection.
    fn step(&mut self) -> io::Result<Wish> {
        self.connection.receive()?;
        match self.listen() {
            Ok(Some(request)) => return Ok(Wish::Request(request)),
            Ok(None) => {}
            // A connection that broke the protocol stays broken; its end is said once.
            Err(_) if self.is_ending() => {}
            Err(reason) => {
                self.signal(SIGHUP);
                self.end(Ending::Failed(reason));
            }
        }
        if self.connection.is_closed() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if let State::Runs(running) = &mut self.state
            && let Some(ending) = running.carry(&mut self.connection)
        {
            return Ok(Wish::Say(ending));
        }
        self.connection.flush()?;
        Ok(Wish::Nothing)
    }

    /// Understands what has come.
    fn listen(&mut self) -> Result<Option<Request>, String> {
        loop {
            match (self.connection.frame().map_err(|error| error.to_string())?, &mut self.state) {
                (None, _) => return Ok(None),
                (Some(Frame::Request(request)), State::Waits) => return Ok(Some(request.into_owned())),
                (Some(_), State::Waits) => return Err("the first frame is not a request".to_owned()),
                (Some(frame), State::Runs(running)) => running.hear(&frame)?,
                // What crossed with our last frame.
                (Some(_), State::Ends) => {}
            }
        }
    }
}
