//! Two timers behind the wish to end a machine: how long its guest may take to power off, and how long its own threads
//! may take to come back once it has ended.
//!
//! Both are watched on the control loop, which serves no device, so neither a guest, a disk nor a reader of the console
//! holds them up.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use illico_virtio::event_loop::{Fault, LoopHandle, Polling, Source, Worker};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use crate::control::{End, Ending};

/// How long threads may take to come back once a person ended the machine. Together with what follows it stays below the
/// two seconds within which a person's wish takes effect.
pub(crate) const COME_BACK: Duration = Duration::from_millis(1500);

/// The timers, armed from any thread.
#[derive(Debug)]
pub(crate) struct Deadlines {
    /// For the guest to power off.
    answer: Timer,
    /// What `answer` was armed with.
    within: OnceLock<Duration>,
    /// For the threads to come back.
    come_back: Timer,
}

impl Deadlines {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self { answer: Timer::new()?, within: OnceLock::new(), come_back: Timer::new()? }))
    }

    /// The guest has so long to power off, counted from the first call.
    pub(crate) fn answer_within(&self, time: Duration) {
        if self.within.set(time).is_ok() {
            self.answer.arm(time);
        }
    }

    /// Threads have [`COME_BACK`] from now on.
    pub(crate) fn come_back(&self) {
        self.come_back.arm(COME_BACK);
    }
}

/// Watches the timers on the control loop.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) deadlines: Arc<Deadlines>,
    pub(crate) ending: Ending,
    pub(crate) control_loop: LoopHandle,
}

impl Worker for Watch {
    fn sources(&self) -> Vec<Source> {
        [&self.deadlines.answer, &self.deadlines.come_back].map(|timer| Source::readable(&timer.0)).into()
    }

    fn ready(&mut self, source: usize) -> Result<Polling, Fault> {
        if source == 0 && self.deadlines.answer.has_expired() {
            let within = self.deadlines.within.get().copied().unwrap_or_default();
            self.ending.reach(End::Unanswered { within });
            self.deadlines.come_back();
        }
        if source == 1 && self.deadlines.come_back.has_expired() {
            self.control_loop.stop();
        }
        Ok(Polling::Sleep)
    }
}

/// A timerfd(2). Armed once: a later call changes nothing.
#[derive(Debug)]
struct Timer(OwnedFd, OnceLock<()>);

impl Timer {
    fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        Ok(Self(timerfd_create(TimerfdClockId::Monotonic, flags)?, OnceLock::new()))
    }

    fn arm(&self, time: Duration) {
        if self.1.set(()).is_err() {
            return;
        }
        // A time of zero would disarm it.
        let time = time.max(Duration::from_nanos(1));
        let it_value = Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(time.subsec_nanos()),
        };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value = Itimerspec { it_interval, it_value };
        // It fails for invalid values only, and these are valid.
        let _ = timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &value);
    }

    fn has_expired(&self) -> bool {
        rustix::io::read(&self.0, &mut [0; 8]).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use illico_virtio::event_loop::EventLoop;

    use super::*;

    #[test]
    fn a_guest_that_does_not_answer_is_ended_and_so_is_the_loop() {
        let mut control_loop = EventLoop::new().unwrap();
        let deadlines = Deadlines::new().unwrap();
        let ending = Ending::new(Arc::new([]));
        let watch =
            Watch { deadlines: Arc::clone(&deadlines), ending: ending.clone(), control_loop: control_loop.handle() };
        control_loop.add(Box::new(watch), Box::new(|fault| panic!("{fault}"))).unwrap();
        let within = Duration::from_millis(20);
        deadlines.answer_within(within);
        deadlines.answer_within(Duration::from_secs(1000));
        control_loop.run().unwrap();
        assert_eq!(ending.get(), Some(&End::Unanswered { within }));
    }

    #[test]
    fn a_timer_of_zero_expires_at_once() {
        let timer = Timer::new().unwrap();
        assert!(!timer.has_expired());
        timer.arm(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(1));
        assert!(timer.has_expired());
    }
}
