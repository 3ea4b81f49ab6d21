use std::sync::atomic::AtomicBool;

use super::*;

/// Counts calls; fails when told to.
struct Bell {
    event: EventFd,
    rings: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
    fails: bool,
}

impl Worker for Bell {
    fn sources(&self) -> Vec<Source> {
        vec![Source::readable(&self.event)]
    }

    fn ready(&mut self, _source: usize) -> Result<Polling, Fault> {
        self.rings.fetch_add(1, Ordering::SeqCst);
        if self.fails { Err(Fault::new("cracked")) } else { Ok(Polling::Sleep) }
    }

    fn stop(&mut self) -> Vec<Position> {
        self.stopped.store(true, Ordering::SeqCst);
        Vec::new()
    }
}

#[test]
fn a_timer_acts_once_on_the_loops_thread_and_after_its_time() {
    let event_loop = EventLoop::new().unwrap();
    let (did, acts) = channel();
    let (handle, again) = (event_loop.handle(), event_loop.handle());
    let begun = Instant::now();
    handle.after(Duration::MAX, || unreachable!("no clock reaches this time"));
    handle.after(Duration::from_millis(20), {
        let did = did.clone();
        move || {
            did.send((2, begun.elapsed(), std::thread::current().id())).unwrap();
            again.stop();
        }
    });
    handle.after(Duration::ZERO, move || did.send((1, begun.elapsed(), std::thread::current().id())).unwrap());
    event_loop.run().unwrap();
    let acts: Vec<_> = acts.try_iter().collect();
    assert_eq!(acts.iter().map(|act| act.0).collect::<Vec<_>>(), [1, 2]);
    assert!(acts[1].1 >= Duration::from_millis(20), "{acts:?}");
    assert!(acts.iter().all(|act| act.2 == std::thread::current().id()), "{acts:?}");
}

#[test]
fn a_worker_is_called_for_its_source_until_it_is_detached() {
    let event_loop = EventLoop::new().unwrap();
    let handle = event_loop.handle();
    let thread = std::thread::spawn(move || event_loop.run());
    let (rings, stopped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let event = EventFd::new(EFD_NONBLOCK).unwrap();
    let bell = Bell { event: event.try_clone().unwrap(), rings: rings.clone(), stopped: stopped.clone(), fails: false };
    let attached = handle.attach(Box::new(bell), Box::new(|_| {})).unwrap();
    event.write(1).unwrap();
    while rings.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    drop(attached);
    assert!(stopped.load(Ordering::SeqCst), "detaching stops the worker before it returns");
    event.write(1).unwrap();
    handle.stop();
    thread.join().unwrap().unwrap();
    assert_eq!(rings.load(Ordering::SeqCst), 1);
}

#[test]
fn a_fault_is_told_once_and_the_worker_not_called_again() {
    let mut event_loop = EventLoop::new().unwrap();
    let handle = event_loop.handle();
    let rings = Arc::new(AtomicU64::new(0));
    let event = EventFd::new(EFD_NONBLOCK).unwrap();
    event.write(1).unwrap();
    let bell = Bell { event: event.try_clone().unwrap(), rings: rings.clone(), stopped: Arc::default(), fails: true };
    let stopper = event_loop.handle();
    let on_fault = move |fault: &Fault| {
        assert_eq!(fault.to_string(), "cracked");
        event.write(1).unwrap();
        stopper.stop();
    };
    event_loop.add(Box::new(bell), Box::new(on_fault)).unwrap();
    event_loop.run().unwrap();
    assert_eq!(rings.load(Ordering::SeqCst), 1);
    assert!(handle.attach(Box::new(Silent), Box::new(|_| {})).is_err(), "a loop that has ended takes no worker");
}

struct Silent;

impl Worker for Silent {
    fn sources(&self) -> Vec<Source> {
        Vec::new()
    }

    fn ready(&mut self, _source: usize) -> Result<Polling, Fault> {
        Ok(Polling::Sleep)
    }
}

#[test]
fn at_its_first_rest_a_loop_does_once_what_it_was_asked_to() {
    let mut event_loop = EventLoop::new().unwrap();
    let handle = event_loop.handle();
    let (did, done) = channel();
    event_loop.once_at_rest(move || did.send(()).unwrap());
    let thread = std::thread::spawn(move || event_loop.run());
    done.recv().unwrap();
    assert!(done.recv().is_err(), "and forgets about it");
    handle.stop();
    thread.join().unwrap().unwrap();
}
