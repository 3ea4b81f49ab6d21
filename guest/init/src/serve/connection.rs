//! One connection to the host: frames in, frames out, never waiting.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use illico_protocol::{Decoder, Frame, HELLO, ProtocolError};
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio, read, write};
use rustix::net::sockopt::socket_error;

/// What may wait to be sent before no more output is read from a command.
const MAX_WAITING: usize = 256 << 10;
const STEP: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct Connection {
    fd: OwnedFd,
    /// The host has not answered to our connect yet.
    connecting: bool,
    decoder: Decoder,
    out: Vec<u8>,
    /// How many bytes of `out` are sent.
    sent: usize,
    /// The host sends no more.
    closed: bool,
}

impl Connection {
    /// One that the host made.
    pub(crate) fn accepted(fd: OwnedFd) -> Self {
        Self { fd, connecting: false, decoder: Decoder::new(), out: HELLO.to_vec(), sent: 0, closed: false }
    }

    /// One that this guest is making.
    pub(crate) fn connecting(fd: OwnedFd) -> Self {
        Self { connecting: true, ..Self::accepted(fd) }
    }

    /// What to poll it for.
    pub(crate) fn interest(&self, wants_input: bool) -> PollFd<'_> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, wants_input && !self.connecting && !self.closed);
        flags.set(PollFlags::OUT, self.connecting || self.is_waiting());
        PollFd::new(&self.fd, flags)
    }

    /// Whether output should be read for it.
    pub(crate) fn has_room(&self) -> bool {
        self.out.len() - self.sent < MAX_WAITING
    }

    /// Whether there is something that the kernel has not taken yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.sent < self.out.len()
    }

    /// Whether the host has closed it.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Sends the frame with the next `flush`. What does not fit into a frame is a mistake of this program.
    pub(crate) fn queue(&mut self, frame: &Frame<'_>) {
        if self.sent > 0 {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
        let encoded = frame.encode(&mut self.out);
        debug_assert!(encoded.is_ok(), "{encoded:?}");
    }

    /// Hands over what the kernel takes now.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.connecting && !self.is_connected()? {
            return Ok(());
        }
        while self.is_waiting() {
            match write(&self.fd, &self.out[self.sent..]) {
                Ok(len) => self.sent += len,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(())
    }

    /// Takes what has come. Read the frames with `frame` until there is none.
    pub(crate) fn receive(&mut self) -> io::Result<()> {
        if self.connecting || self.closed {
            return Ok(());
        }
        let mut step = Vec::with_capacity(STEP);
        match read(&self.fd, spare_capacity(&mut step)) {
            Ok(0) => self.closed = true,
            Ok(_) => self.decoder.feed(&step),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(())
    }

    pub(crate) fn frame(&mut self) -> Result<Option<Frame<'_>>, ProtocolError> {
        self.decoder.next_frame()
    }

    /// The same, for a thread that waits: the socket, what it has received so far, what is still to be sent.
    pub(crate) fn into_blocking(self) -> io::Result<(OwnedFd, Decoder, Vec<u8>)> {
        ioctl_fionbio(&self.fd, false)?;
        Ok((self.fd, self.decoder, self.out[self.sent..].to_vec()))
    }

    fn is_connected(&mut self) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.fd, PollFlags::OUT)];
        let ready = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap_or(0) > 0;
        if ready {
            socket_error(&self.fd)??;
            self.connecting = false;
        }
        Ok(ready)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
