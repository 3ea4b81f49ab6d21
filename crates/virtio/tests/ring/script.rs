//! Any order of what a driver and a device may do: each chain is completed once with the right bytes
//! in the right place, no side sleeps through work, and `virtio-queue` does the same in all of it.
//!
//! Steps are as small as the memory accesses that race: publishing and asking about a kick are two of
//! them, and so are wanting an interrupt and looking once more.

use proptest::prelude::*;

use crate::driver::{Driver, Place, Shape};
use crate::sides::{Ours, Side, Theirs};

#[derive(Debug, Clone)]
enum Step {
    Add(Shape),
    /// The driver asks whether what it added needs a kick, and kicks.
    Kick,
    /// The driver takes one request back, unless it sleeps.
    Take,
    /// The driver asks for an interrupt, so many entries ahead.
    WantInterrupt(u16),
    WantNoInterrupt,
    /// The driver looks once more and sleeps if nothing is there.
    Sleep,
    /// The device takes a chain, unless it sleeps.
    Pop,
    /// The device takes a chain and thinks better of it.
    Untake,
    /// The device completes one of those it has, with so many 256ths of its room written.
    Complete(usize, u8),
    Signal,
    DisableKicks,
    /// The device asks for kicks and sleeps if nothing is there.
    EnableKicks,
}

fn shape() -> impl Strategy<Value = Shape> {
    let lens = || prop::collection::vec(prop_oneof![1 => Just(0_u32), 8 => 1..100_u32], 0..4);
    let place = prop_oneof![Just(Place::Direct), (0..4_usize).prop_map(|direct| Place::Indirect { direct })];
    (lens(), lens(), place).prop_map(|(readable, writable, place)| Shape { readable, writable, place })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => shape().prop_map(Step::Add),
        4 => Just(Step::Kick),
        4 => Just(Step::Take),
        2 => prop_oneof![3 => Just(0), 1 => 0..8_u16].prop_map(Step::WantInterrupt),
        1 => Just(Step::WantNoInterrupt),
        3 => Just(Step::Sleep),
        5 => Just(Step::Pop),
        1 => Just(Step::Untake),
        5 => (0..16_usize, any::<u8>()).prop_map(|(which, part)| Step::Complete(which, part)),
        3 => Just(Step::Signal),
        1 => Just(Step::DisableKicks),
        3 => Just(Step::EnableKicks),
    ]
}

/// Both sides of the ring, and what each of them knows.
struct Play {
    driver: Driver,
    sides: [Box<dyn Side>; 2],
    event_idx: bool,
    /// Chains that the device has in hand.
    hand: Vec<u16>,
    taken: u16,
    completed: u16,
    signalled: u16,
    device_sleeps: bool,
    kicked: bool,
    /// Whether the driver wants an interrupt, and, with EVENT_IDX, the index that it has written: one
    /// that was just passed says "none".
    wanted: bool,
    event: u16,
    driver_sleeps: bool,
    interrupted: bool,
}

impl Play {
    fn new(size: u16, event_idx: bool, run_up: bool) -> Self {
        let mut driver = Driver::new(size, event_idx, 2);
        let setup = driver.setup();
        let mut ours = Ours::new(&setup, driver.ram(0), event_idx);
        let mut theirs = Theirs::new(&setup, driver.ram(1), event_idx);
        if run_up {
            // Ends a few chains before both indices wrap.
            driver.run_up(u16::MAX / size, |count| {
                for side in [&mut ours as &mut dyn Side, &mut theirs] {
                    let heads: Vec<_> = (0..count).map(|_| side.pop().unwrap()).collect();
                    heads.into_iter().for_each(|head| side.complete(head, &[]));
                    side.signal();
                }
            });
        }
        let at = driver.available;
        Self {
            driver,
            sides: [Box::new(ours), Box::new(theirs)],
            event_idx,
            hand: Vec::new(),
            taken: at,
            completed: at,
            signalled: at,
            device_sleeps: false,
            kicked: false,
            // What a ring of zeroes says.
            wanted: true,
            event: 0,
            driver_sleeps: false,
            interrupted: false,
        }
    }

    fn both<T: PartialEq + std::fmt::Debug>(&mut self, act: impl Fn(&mut (dyn Side + 'static)) -> T) -> T {
        let [ours, theirs] = &mut self.sides;
        let ours = act(ours.as_mut());
        assert_eq!(ours, act(theirs.as_mut()), "virtio-queue says otherwise (right)");
        ours
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Add(shape) => {
                self.driver.add(shape);
            }
            Step::Kick => self.kicked |= self.driver.kick_wanted(),
            Step::Take => self.take(),
            Step::WantInterrupt(ahead) if !self.driver_sleeps => {
                self.driver.want_interrupt(*ahead);
                (self.wanted, self.event) = (true, self.driver.seen.wrapping_add(*ahead));
            }
            Step::WantNoInterrupt if !self.driver_sleeps => {
                self.driver.want_no_interrupt();
                (self.wanted, self.event) = (false, self.driver.seen.wrapping_sub(1));
            }
            Step::Sleep => {
                let armed = self.wanted && (!self.event_idx || self.event == self.driver.seen);
                self.driver_sleeps |= armed && !self.driver.used_waiting();
            }
            Step::Pop => self.pop(),
            Step::Untake => {
                let before = self.hand.len();
                self.pop();
                if self.hand.len() > before {
                    self.hand.pop();
                    self.taken = self.taken.wrapping_sub(1);
                    self.both(Side::undo_pop);
                }
            }
            Step::Complete(which, part) => self.complete(*which, *part),
            Step::Signal => self.signal(),
            Step::DisableKicks if !self.device_sleeps => self.both(Side::disable_kicks),
            Step::EnableKicks => {
                let work = self.both(Side::enable_kicks);
                assert_eq!(work, self.taken != self.driver.available);
                self.device_sleeps |= !work;
            }
            Step::WantInterrupt(_) | Step::WantNoInterrupt | Step::DisableKicks => {}
        }
        self.no_side_sleeps_through_work();
    }

    fn take(&mut self) {
        if self.driver_sleeps && !std::mem::take(&mut self.interrupted) {
            return;
        }
        self.driver_sleeps = false;
        if let Some((request, written)) = self.driver.take_used() {
            self.driver.check(&request, written);
        }
    }

    fn pop(&mut self) {
        if self.device_sleeps && !std::mem::take(&mut self.kicked) {
            return;
        }
        self.device_sleeps = false;
        let head = self.both(Side::pop);
        assert_eq!(head.is_some(), self.taken != self.driver.available);
        if let Some(head) = head {
            let request = self.driver.request(head);
            self.sides.iter().for_each(|side| side.check(head, request));
            self.hand.push(head);
            self.taken = self.taken.wrapping_add(1);
        }
    }

    fn complete(&mut self, which: usize, part: u8) {
        if self.hand.is_empty() {
            return;
        }
        let head = self.hand.remove(which % self.hand.len());
        let request = self.driver.request(head);
        let answer = request.answer(request.len_of(true) * usize::from(part) / 255);
        self.both(|side| side.complete(head, &answer));
        self.completed = self.completed.wrapping_add(1);
    }

    fn signal(&mut self) {
        let mut passed = (0..self.completed.wrapping_sub(self.signalled)).map(|n| self.signalled.wrapping_add(n));
        let expected = match self.event_idx {
            true => passed.any(|index| index == self.event),
            false => self.wanted && passed.next().is_some(),
        };
        self.signalled = self.completed;
        let [ours, theirs] = &mut self.sides;
        let raised = ours.signal();
        // virtio-queue does not know the flag of drivers without EVENT_IDX.
        assert!(!self.event_idx || theirs.signal() == raised, "virtio-queue says otherwise");
        assert_eq!(raised, expected);
        self.interrupted |= raised;
    }

    fn no_side_sleeps_through_work(&self) {
        let asked = self.driver.available == self.driver.considered;
        if self.device_sleeps && !self.kicked && asked {
            assert_eq!(self.taken, self.driver.available, "the device sleeps, no kick is under way, and chains wait");
        }
        if self.driver_sleeps && !self.interrupted && self.signalled == self.completed {
            assert!(!self.driver.used_waiting(), "the driver sleeps, no interrupt is under way, and requests wait");
        }
    }

    /// Everything that was begun comes to its end.
    fn finish(mut self) {
        (self.device_sleeps, self.driver_sleeps) = (false, false);
        while self.taken != self.driver.available {
            self.pop();
        }
        while !self.hand.is_empty() {
            self.complete(0, 255);
        }
        while self.driver.used_waiting() {
            self.take();
        }
        assert_eq!(self.driver.in_flight(), 0, "every chain came back");
        assert!(self.driver.image(0) == self.driver.image(1), "guest memory differs at the end");
    }
}

fn play(size: u16, event_idx: bool, run_up: bool, steps: &[Step]) {
    let mut play = Play::new(size, event_idx, run_up);
    for step in steps {
        play.step(step);
    }
    play.finish();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_steps_completes_each_chain_once_and_as_virtio_queue_does(
        log_size in 0..5_u32,
        event_idx in any::<bool>(),
        steps in prop::collection::vec(step(), 0..250),
    ) {
        play(1 << log_size, event_idx, false, &steps);
    }
}

proptest! {
    // A run-up to the wrap of the indices is 65,535 chains on each side.
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn indices_wrap_without_a_chain_or_a_notification_lost(
        log_size in 1..5_u32,
        event_idx in any::<bool>(),
        steps in prop::collection::vec(step(), 150..300),
    ) {
        play(1 << log_size, event_idx, true, &steps);
    }
}
