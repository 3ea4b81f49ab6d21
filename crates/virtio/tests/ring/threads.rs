//! A driver on one thread and a device on another, with nothing between them but memory and two
//! eventfds: a side that sleeps is woken by the other, or the test hangs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use illico_virtio::counters::QueueCounters;
use illico_virtio::event_loop::{EventLoop, Fault, Polling, Source, Worker};
use illico_virtio::interrupt::Interrupt;
use illico_virtio::queue::{Queue, Wiring};
use illico_virtio::spec::feature::{EVENT_IDX, INDIRECT_DESC};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use crate::driver::{Driver, Place, Shape};

const REQUESTS: u64 = 500_000;

/// Answers each request by the bytes that it was asked with, and completes the last one of each batch
/// first.
struct Echo {
    queue: Queue,
    /// Chains taken a turn; the rest wait for the next.
    batch: usize,
}

impl Echo {
    fn serve(&mut self) -> Result<Polling, Fault> {
        let mut hand = Vec::new();
        self.queue.disable_kicks();
        while hand.len() < self.batch
            && let Some(chain) = self.queue.pop()?
        {
            hand.push(chain);
        }
        for chain in hand.into_iter().rev() {
            let mut bytes = vec![0; chain.readable.len()];
            chain.readable.copy_to(0, &mut bytes).unwrap();
            bytes.truncate(chain.writable.len());
            chain.writable.copy_from(0, &bytes).unwrap();
            self.queue.complete(chain, bytes.len() as u32);
        }
        self.queue.signal();
        Ok(if self.queue.enable_kicks() { Polling::Again } else { Polling::Sleep })
    }
}

impl Worker for Echo {
    fn sources(&self) -> Vec<Source> {
        vec![Source::readable(self.queue.kick())]
    }

    fn ready(&mut self, _source: usize) -> Result<Polling, Fault> {
        self.serve()
    }

    fn poll(&mut self) -> Result<Polling, Fault> {
        self.serve()
    }
}

/// Aborts if nothing moves for far longer than any scheduler takes: a hang is a failure with a name.
fn watch(progress: Arc<AtomicU64>) {
    std::thread::spawn(move || {
        let mut last = 0;
        loop {
            std::thread::sleep(std::time::Duration::from_secs(60));
            let now = progress.load(Ordering::SeqCst);
            if now == u64::MAX {
                return;
            }
            if now == last {
                eprintln!("no request came back for a minute after {now}: a notification was lost");
                std::process::abort();
            }
            last = now;
        }
    });
}

/// Runs `requests` with at most `depth` of them under way, and gives kicks, interrupts and counters.
fn run(size: u16, depth: usize, batch: usize, event_idx: bool, requests: u64) -> (u64, Arc<QueueCounters>) {
    let mut driver = Driver::new(size, event_idx, 1);
    let kick = Arc::new(EventFd::new(EFD_NONBLOCK).unwrap());
    // Blocking: the driver sleeps in its read.
    let interrupts = EventFd::new(0).unwrap();
    let counters = Arc::new(QueueCounters::default());
    let features = INDIRECT_DESC | if event_idx { EVENT_IDX } else { 0 };
    let wiring = Wiring {
        interrupt: Interrupt::from_eventfd(interrupts.try_clone().unwrap()),
        kick: Arc::clone(&kick),
        counters: Arc::clone(&counters),
    };
    let queue = driver.setup().build(driver.ram(0), features, wiring).unwrap();
    let event_loop = EventLoop::new().unwrap();
    let handle = event_loop.handle();
    let device = std::thread::spawn(move || event_loop.run());
    let fault = |fault: &Fault| panic!("{fault}");
    let attached = handle.attach(Box::new(Echo { queue, batch }), Box::new(fault)).unwrap();

    let progress = Arc::new(AtomicU64::new(0));
    watch(Arc::clone(&progress));
    let (mut asked, mut answered, mut kicks) = (0, 0, 0);
    while answered < requests {
        while asked < requests && driver.in_flight() < depth {
            let place = if asked % 3 == 0 { Place::Indirect { direct: 1 } } else { Place::Direct };
            let shape = Shape { readable: vec![5, 3], writable: vec![8], place };
            if driver.add(&shape).is_none() {
                break;
            }
            asked += 1;
        }
        if driver.kick_wanted() {
            kicks += 1;
            kick.write(1).unwrap();
        }
        let before = answered;
        driver.want_no_interrupt();
        while let Some((request, written)) = driver.take_used() {
            assert_eq!(written, 8);
            driver.check_echo(&request);
            answered += 1;
        }
        progress.store(answered, Ordering::SeqCst);
        if answered == before {
            driver.want_interrupt(0);
            if !driver.used_waiting() {
                interrupts.read().unwrap();
            }
        }
    }
    progress.store(u64::MAX, Ordering::SeqCst);
    drop(attached);
    handle.stop();
    device.join().unwrap().unwrap();
    assert_eq!(counters.requests.get(), requests);
    assert_eq!(driver.in_flight(), 0);
    (kicks, counters)
}

#[test]
fn no_side_sleeps_for_ever_with_event_idx() {
    for (size, depth, batch) in [(4, 1, 1), (4, 1, 4), (4, 2, 1), (16, 4, 3), (16, 16, 16)] {
        let (kicks, counters) = run(size, depth, batch, true, REQUESTS / 5);
        println!("size {size}, depth {depth}, batch {batch}: {kicks} kicks, {counters:?}");
        assert!(kicks <= REQUESTS / 5, "never more kicks than requests");
        assert!(counters.interrupts.get() <= REQUESTS / 5, "nor more interrupts");
    }
}

#[test]
fn no_side_sleeps_for_ever_with_flags() {
    for (size, depth, batch) in [(4, 1, 1), (4, 1, 4), (16, 4, 3), (16, 16, 16)] {
        run(size, depth, batch, false, REQUESTS / 5);
    }
}
