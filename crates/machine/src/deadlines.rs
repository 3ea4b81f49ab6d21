//! Two deadlines of a machine that is asked to end: how long its guest may take to power off, and how long its own threads
//! may take to come back once it has ended.
//!
//! Both are kept on the control loop, which serves no device, so neither a guest, a disk nor a reader of the console
//! holds them up.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use illico_virtio::event_loop::LoopHandle;

use crate::ending::{End, Ending};

/// How long threads may take to come back once a person ended the machine. Together with what follows it stays below the
/// two seconds within which a person's wish takes effect.
pub(crate) const COME_BACK: Duration = Duration::from_millis(1500);

/// The deadlines, set from any thread, each once: a later call changes nothing. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Deadlines {
    control_loop: LoopHandle,
    ending: Ending,
    answer: Arc<OnceLock<()>>,
    come_back: Arc<OnceLock<()>>,
}

impl Deadlines {
    pub(crate) fn new(control_loop: LoopHandle, ending: Ending) -> Self {
        Self { control_loop, ending, answer: Arc::default(), come_back: Arc::default() }
    }

    /// The guest has so long to power off, counted from the first call.
    pub(crate) fn answer_within(&self, within: Duration) {
        if self.answer.set(()).is_ok() {
            let later = self.clone();
            self.control_loop.after(within, move || {
                later.ending.reach(End::Unanswered { within });
                later.come_back();
            });
        }
    }

    /// Threads have [`COME_BACK`] from now on; then the control loop ends without them.
    pub(crate) fn come_back(&self) {
        if self.come_back.set(()).is_ok() {
            let control_loop = self.control_loop.clone();
            self.control_loop.after(COME_BACK, move || control_loop.stop());
        }
    }
}

#[cfg(test)]
mod tests {
    use illico_virtio::event_loop::EventLoop;

    use super::*;

    #[test]
    fn a_guest_that_does_not_answer_is_ended_and_so_is_the_loop() {
        let control_loop = EventLoop::new().unwrap();
        let ending = Ending::new(Arc::new([]));
        let deadlines = Deadlines::new(control_loop.handle(), ending.clone());
        let within = Duration::from_millis(20);
        deadlines.answer_within(within);
        deadlines.answer_within(Duration::from_secs(1000));
        control_loop.run().unwrap();
        assert_eq!(ending.get(), Some(&End::Unanswered { within }));
    }
}
