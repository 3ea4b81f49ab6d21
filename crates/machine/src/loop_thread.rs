//! Threads that devices are worked on: each runs one event loop.

use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};

use illico_virtio::complaints::say;
use illico_virtio::event_loop::{EventLoop, LoopHandle};

use crate::kvm::take_short_turns;
use crate::threads::{self, Role};

/// The thread of the loop that devices share. It is started before there is a machine, to do something
/// useful first, and then waits for its loop.
#[derive(Debug)]
pub struct LoopThread {
    begin: SyncSender<(EventLoop, OnFailure)>,
}

/// What is done when a loop cannot go on.
type OnFailure = Box<dyn FnOnce() + Send>;

impl LoopThread {
    /// Starts the thread, which calls `first` and then waits. If the machine is given up, it ends.
    pub fn start(first: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (begin, event_loop) = sync_channel::<(EventLoop, OnFailure)>(1);
        let body = move || {
            first();
            let Ok((event_loop, on_failure)) = event_loop.recv() else { return };
            serve(Role::Devices, event_loop);
            on_failure();
        };
        threads::spawn_without_role("devices", body)?;
        Ok(Self { begin })
    }

    /// Runs the loop. `on_failure` is called when it ends, which it does only when it is told to or
    /// cannot go on.
    pub fn serve(self, event_loop: EventLoop, on_failure: impl FnOnce() + Send + 'static) -> LoopHandle {
        let handle = event_loop.handle();
        // An error means that the thread panicked, which has ended the process already.
        let _ = self.begin.send((event_loop, Box::new(on_failure)));
        handle
    }
}

/// Starts a thread with a loop of its own, for a device that must not wait for others.
pub fn start(role: Role, name: String) -> io::Result<LoopHandle> {
    let event_loop = EventLoop::new()?;
    let handle = event_loop.handle();
    threads::spawn_without_role(name, move || serve(role, event_loop))?;
    Ok(handle)
}

fn serve(role: Role, event_loop: EventLoop) {
    take_short_turns();
    threads::start_here(role);
    if let Err(error) = event_loop.run() {
        say(&format!("a device loop cannot go on: {error}"));
    }
}
