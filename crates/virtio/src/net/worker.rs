//! The worker of one queue pair, and in the first pair of the control queue too.

use std::sync::Arc;

use super::STATUS;
use super::control::Control;
use super::pairs::Pairs;
use super::receive::Receiver;
use super::transmit::Transmitter;
use crate::config_space::ConfigWriter;
use crate::event_loop::{Fault, Polling, Source, Worker};
use crate::queue::Position;

/// Both directions of one queue pair, on one thread.
pub(super) struct PairWorker {
    pub(super) index: usize,
    pub(super) pairs: Arc<Pairs>,
    pub(super) receiver: Receiver,
    pub(super) transmitter: Transmitter,
    pub(super) control: Option<Control>,
    /// Until the driver was told that the link is down.
    pub(super) config: Option<ConfigWriter>,
}

/// Sources, by number.
const RX_KICK: usize = 0;
const TX_KICK: usize = 1;
pub(super) const PORT: usize = 2;
#[cfg(test)]
pub(super) const CONTROL_KICK: usize = 3;

impl PairWorker {
    fn receive(&mut self) -> Result<Polling, Fault> {
        self.receiver.serve(self.pairs.port(self.index))
    }

    /// Sends, then receives, and only then says what was sent: a host that answers at once (a ping, the
    /// acknowledgement of a segment) has done so by now, and the guest is woken once and not twice.
    fn both(&mut self) -> Result<Polling, Fault> {
        let sent = self.transmitter.serve(self.pairs.port(self.index))?;
        self.receiver.port_ready();
        let received = self.receive()?;
        self.transmitter.signal();
        if self.pairs.port(self.index).is_gone()
            && let Some(config) = self.config.take()
        {
            config.update(STATUS, &[0; 2]);
        }
        Ok(received.or(sent))
    }

    fn control(&mut self) -> Result<Polling, Fault> {
        match &mut self.control {
            Some(control) => control.serve(&self.pairs),
            None => Ok(Polling::Sleep),
        }
    }
}

impl Worker for PairWorker {
    fn sources(&self) -> Vec<Source> {
        let mut sources = vec![
            Source::readable(self.receiver.queue().kick()),
            Source::readable(self.transmitter.queue().kick()),
            Source::duplex(&self.pairs.port(self.index).as_fd()),
        ];
        sources.extend(self.control.iter().map(|control| Source::readable(control.queue().kick())));
        sources
    }

    fn ready(&mut self, source: usize) -> Result<Polling, Fault> {
        match source {
            RX_KICK => self.receive(),
            TX_KICK | PORT => self.both(),
            _ => self.control(),
        }
    }

    fn poll(&mut self) -> Result<Polling, Fault> {
        let polling = self.both()?;
        Ok(self.control()?.or(polling))
    }

    fn stop(&mut self) -> Vec<Position> {
        let control = self.control.iter().map(|control| control.queue().position());
        [self.receiver.stop(), self.transmitter.stop()].into_iter().chain(control).collect()
    }
}
