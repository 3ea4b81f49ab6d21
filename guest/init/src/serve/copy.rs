//! Copies: a thread each, which waits for files and for the host as long as that takes.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;

use illico_archive::Warning;
use illico_protocol::{Decoder, Ending, Frame, Word};

use crate::serve::archive;
use crate::serve::connection::Connection;

/// What a thread has of a connection. A vsock is read and written as a unix socket is.
#[derive(Debug)]
pub(crate) struct Blocking {
    socket: UnixStream,
    decoder: Decoder,
    /// What has come in frames and was not read yet.
    data: Vec<u8>,
    at: usize,
    ended: bool,
}

/// Unpacks what the host sends.
pub(crate) fn take(connection: Connection, path: Word) {
    in_thread(connection, move |stream| archive::unpack(stream, path.as_path()));
}

/// Sends what is at `path`.
pub(crate) fn give(connection: Connection, path: Word) {
    in_thread(connection, move |stream| {
        let warn = |warning: Warning<'_>| {
            // A connection that broke is noticed by the archive.
            let _ = stream.frame(&Frame::Warning(warning.to_string().into()));
        };
        archive::pack(Archive(stream), path.as_path(), warn)?;
        stream.frame(&Frame::DataEnd)
    });
}

fn in_thread(connection: Connection, copy: impl FnOnce(&mut Blocking) -> io::Result<()> + Send + 'static) {
    // Without a thread or a socket no reason can be sent: the host sees that the connection closes.
    let _ = connection.into_blocking().map(|(fd, decoder, unsent)| {
        thread::Builder::new().spawn(move || {
            let mut stream = Blocking::new(fd, decoder);
            let copied = stream.socket.write_all(&unsent).and_then(|()| copy(&mut stream));
            let ending = copied.map_or_else(|error| Ending::Failed(error.to_string()), |()| Ending::DONE);
            let _ = stream.frame(&Frame::End(ending));
            // What the host still sends would reset the connection before it has read the end.
            let _ = stream.read_to_end();
        })
    });
}

impl Blocking {
    fn new(fd: OwnedFd, decoder: Decoder) -> Self {
        Self { socket: fd.into(), decoder, data: Vec::new(), at: 0, ended: false }
    }

    fn frame(&self, frame: &Frame<'_>) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes).map_err(io::Error::other)?;
        (&self.socket).write_all(&bytes)
    }

    fn read_to_end(&mut self) -> io::Result<()> {
        let mut step = [0; 4096];
        while io::Read::read(&mut self.socket, &mut step)? > 0 {}
        Ok(())
    }

    /// The next piece of the archive. Empty at its end.
    fn more(&mut self) -> io::Result<()> {
        self.data.clear();
        self.at = 0;
        while self.data.is_empty() && !self.ended {
            match self.decoder.next_frame().map_err(io::Error::other)? {
                Some(Frame::Data(data)) => self.data.extend_from_slice(data),
                Some(Frame::DataEnd) => self.ended = true,
                Some(_) => return Err(io::Error::other("a frame that has no place in a copy")),
                None => {
                    let mut step = vec![0; 64 << 10];
                    let len = io::Read::read(&mut self.socket, &mut step)?;
                    if len == 0 {
                        return Err(io::Error::other("the host ended within the archive"));
                    }
                    self.decoder.feed(&step[..len]);
                }
            }
        }
        Ok(())
    }
}

/// The archive that comes.
impl io::Read for Blocking {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.data.len() {
            self.more()?;
        }
        let rest = &self.data[self.at..];
        let len = rest.len().min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        self.at += len;
        Ok(len)
    }
}

/// The archive that goes.
struct Archive<'a>(&'a Blocking);

impl Write for Archive<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.frame(&Frame::Data(data))?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
