//! Threads of a process that holds a machine: each is started here and has a role.
//!
//! The program may set one hook, [`on_start`], which runs on every thread before its work: the place where a thread
//! gives up rights, or moves to a CPU, by what it is for. Nothing else starts a thread in such a process (`clippy.toml`).
//! Not here: what a thread does.

use std::cell::Cell;
use std::io;
use std::sync::OnceLock;
use std::thread::{Builder, JoinHandle};

/// What a thread is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Ends the machine when a person or a signal says so. It serves no device and never waits for one.
    Control,
    /// Runs one vCPU and answers its exits.
    Vcpu,
    /// Runs the event loop that devices share.
    Devices,
    /// Runs the event loop of one device, or of one of its queues.
    Queue,
    /// Runs the event loop of a device that opens files for the guest.
    Files,
    /// Reads the counters of exits for a timeline.
    Sampler,
    /// Carries the streams of a command in the guest.
    Session,
    /// Receives the signals of the process for a command in the guest.
    Signals,
    /// Ends the machine when its time is over.
    Timer,
}

type Hook = Box<dyn Fn(Role) + Send + Sync>;

static HOOK: OnceLock<Hook> = OnceLock::new();

/// [`on_start`] was called a second time.
#[derive(Debug, thiserror::Error)]
#[error("the hook of starting threads is set already")]
pub struct HookIsSet;

/// Has `hook` called on every thread that starts from now on. Set by the program, once, before it makes a machine. A
/// hook that fails must end the process: the thread would run without what the hook was to do.
pub fn on_start(hook: impl Fn(Role) + Send + Sync + 'static) -> Result<(), HookIsSet> {
    HOOK.set(Box::new(hook)).map_err(|_| HookIsSet)
}

thread_local! {
    /// Whether this thread has a role.
    static HAS_ROLE: Cell<bool> = const { Cell::new(false) };
}

/// Gives the calling thread a role, if it has none: the first thread of the process is not spawned here. A thread keeps
/// its role, and the hook runs once on it.
pub fn start_here(role: Role) {
    if HAS_ROLE.replace(true) {
        return;
    }
    if let Some(hook) = HOOK.get() {
        hook(role);
    }
}

/// Starts a thread that has no role yet, for a caller that runs a machine beside its own work: `Machine::run` gives it one
/// once all other threads have started, as it does with the first thread of a process.
#[allow(clippy::disallowed_methods, reason = "the one place that starts threads")]
pub fn spawn_first<T: Send + 'static>(
    name: impl Into<String>,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.into()).spawn(body)
}

/// Starts a thread of this role and name.
pub fn spawn<T: Send + 'static>(
    role: Role,
    name: impl Into<String>,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    spawn_without_role(name, move || {
        start_here(role);
        body()
    })
}

/// Starts a thread that first helps to make the machine: its body calls [`start_here`] before it touches what a guest
/// wrote.
#[allow(clippy::disallowed_methods, reason = "the one place that starts threads")]
pub fn spawn_without_role<T: Send + 'static>(
    name: impl Into<String>,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.into()).spawn(body)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;

    use super::*;

    /// One test: the hook is the process's. nextest runs each test in a process of its own.
    #[test]
    fn the_hook_runs_on_each_thread_before_its_body() {
        static STARTED: Mutex<Vec<(Role, String)>> = Mutex::new(Vec::new());
        let name = || thread::current().name().unwrap_or_default().to_owned();
        on_start(move |role| STARTED.lock().unwrap().push((role, name()))).unwrap();
        let seen = spawn(Role::Vcpu, "vcpu7", || STARTED.lock().unwrap().clone()).unwrap().join().unwrap();
        assert!(seen.contains(&(Role::Vcpu, "vcpu7".to_owned())), "{seen:?}");
        start_here(Role::Control);
        start_here(Role::Control);
        let here = (Role::Control, name());
        assert_eq!(STARTED.lock().unwrap().iter().filter(|&started| *started == here).count(), 1);
        assert!(on_start(|_| ()).is_err(), "a second hook is refused");
    }
}
