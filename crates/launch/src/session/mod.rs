//! A command in a guest, joined to this process: its input, output, signals and end, in frames of
//! `illico-protocol` over a stream.
//!
//! One thread reads what the agent sends and writes it out, one writes what there is to send, one reads
//! standard input. None of them waits for another but through the [`Outbox`], which takes everything at
//! once: a guest that reads nothing holds up its own input only.

mod input;
mod output;

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};

use illico_machine::threads::{self, Role};
use illico_protocol::{Decoder, Ending, Frame, HELLO, MAX_DATA, ProtocolError, Stream};

pub use self::input::Input;
pub use self::output::{Sink, Sinks};

/// What is to be sent to the agent. Clones lead to the same one.
#[derive(Debug, Clone)]
pub struct Outbox(Sender<Vec<u8>>);

/// The other end of an [`Outbox`]: what waits to be sent.
#[derive(Debug)]
pub struct Waiting(Receiver<Vec<u8>>);

/// An outbox. What is put into it before there is a connection is sent once there is one.
pub fn outbox() -> (Outbox, Waiting) {
    let (outbox, waiting) = channel();
    (Outbox(outbox), Waiting(waiting))
}

impl Outbox {
    /// Takes a frame. After the end of the session it is dropped.
    pub fn send(&self, frame: &Frame<'_>) -> Result<(), ProtocolError> {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes)?;
        let _ = self.0.send(bytes);
        Ok(())
    }
}

/// Why a session has no [`Ending`].
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The other end closed the stream without a word.
    #[error("the guest is gone")]
    Gone,
    /// The stream failed.
    #[error("the connection to the guest")]
    Stream(#[source] io::Error),
    /// What came is no frame.
    #[error("the guest does not keep to the protocol")]
    Protocol(#[from] ProtocolError),
    /// It is one that an agent does not send, or not now.
    #[error("the guest does not keep to the protocol: it sent {0}")]
    Senseless(String),
    /// Output could not be written.
    #[error("cannot write the command's output")]
    Output(#[source] io::Error),
    /// A thread was refused.
    #[error("cannot start a thread for the command's streams")]
    Thread(#[source] io::Error),
}

/// Carries a command's streams until it has ended. `input`, if there is any, is read on a thread that may stay
/// behind in a read that never ends. `begun` is called once the agent says that the command runs.
///
/// `connect` gives the stream. It is called when all threads have begun, so a thread that carries a command may give up
/// the right to start any.
pub fn carry(
    connect: impl FnOnce() -> Result<UnixStream, Broken>,
    waiting: Waiting,
    outbox: &Outbox,
    input: Option<Input>,
    mut sinks: Sinks,
    begun: impl FnOnce(),
) -> Result<Ending, Broken> {
    let (connected, to_agent) = channel::<UnixStream>();
    // Without a connection there is nothing to be sent.
    start("to the agent", move || to_agent.recv().into_iter().for_each(|stream| write(stream, &waiting)))?;
    let window = input::Window::default();
    let (begin, begins) = channel::<()>();
    if let Some(input) = input {
        let (outbox, window) = (outbox.clone(), window.clone());
        start("standard input", move || {
            if begins.recv().is_ok() {
                input.send(&outbox, &window);
            }
        })?;
    }
    let mut stream = connect()?;
    let _ = connected.send(stream.try_clone().map_err(Broken::Stream)?);
    let _ = begin.send(());
    let mut begun = Some(begun);
    let mut decoder = Decoder::new();
    let mut bytes = vec![0; MAX_DATA];
    loop {
        let count = match stream.read(&mut bytes) {
            Ok(0) => return Err(Broken::Gone),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if gone(&error) => return Err(Broken::Gone),
            Err(error) => return Err(Broken::Stream(error)),
        };
        decoder.feed(&bytes[..count]);
        while let Some(frame) = decoder.next_frame()? {
            match frame {
                Frame::Started => {
                    let again = || Broken::Senseless("that the command has started, for the second time".to_owned());
                    begun.take().ok_or_else(again)?();
                }
                Frame::Stdout(data) => sinks.write(Stream::Stdout, data, outbox)?,
                Frame::Stderr(data) => sinks.write(Stream::Stderr, data, outbox)?,
                Frame::Taken(count) if window.taken(count) => {}
                Frame::End(ending) => return Ok(ending),
                other => return Err(Broken::Senseless(format!("{other:?}"))),
            }
        }
    }
}

fn gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

/// Sends what waits, until all outboxes are dropped or the other end is gone, which the reader reports.
fn write(mut stream: UnixStream, waiting: &Waiting) {
    if stream.write_all(&HELLO).is_err() {
        return;
    }
    while let Ok(bytes) = waiting.0.recv() {
        if stream.write_all(&bytes).is_err() {
            return;
        }
    }
}

fn start(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), Broken> {
    threads::spawn(Role::Session, name, body).map(drop).map_err(Broken::Thread)
}

#[cfg(test)]
#[path = "session_test.rs"]
mod tests;
