//! Which of a card's queue pairs carry frames (§ 5.1.6.5.5): the first, until the driver asks for more.
//!
//! A tap spreads flows over all queues that are attached to it, so a pair that the driver does not
//! look at must be detached, or its share of the flows is lost.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::feature::Offloads;
use super::port::Port;

/// The ports of a card and how many of them are in use.
pub(super) struct Pairs {
    ports: Vec<Box<dyn Port>>,
    state: Mutex<State>,
}

struct State {
    /// Pairs that have queues, from the first on.
    running: usize,
    /// What each port was last told.
    attached: Vec<bool>,
}

impl Pairs {
    /// Ports that are all attached, as they are when just opened.
    pub(super) fn new(ports: Vec<Box<dyn Port>>) -> Self {
        let attached = vec![true; ports.len()];
        Self { ports, state: Mutex::new(State { running: 0, attached }) }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ports.len()
    }

    /// The port of a pair; one that does not exist is a bug of ours.
    pub(super) fn port(&self, index: usize) -> &dyn Port {
        self.ports[index].as_ref()
    }

    /// The device starts, with queues for the first `running` pairs. It is the first that is used.
    pub(super) fn start(&self, running: usize, offloads: Offloads) -> io::Result<()> {
        let mut state = self.lock();
        state.running = running;
        self.attach(&mut state, 1)?;
        // One port speaks for all queues of a tap.
        self.ports.iter().take(1).try_for_each(|port| port.set_offloads(offloads))
    }

    /// The driver uses the first `count` pairs from now on. `false` where it cannot.
    pub(super) fn set_active(&self, count: usize) -> bool {
        let mut state = self.lock();
        (1..=state.running).contains(&count) && self.attach(&mut state, count).is_ok()
    }

    /// Attaches the first `count` ports and detaches the others.
    fn attach(&self, state: &mut State, count: usize) -> io::Result<()> {
        for (index, (port, attached)) in self.ports.iter().zip(&mut state.attached).enumerate() {
            let wanted = index < count;
            if *attached != wanted {
                port.set_attached(wanted)?;
                *attached = wanted;
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done by a panic: the state says what each port was last told.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
