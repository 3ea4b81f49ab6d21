//! KVM, asked before the options are parsed.
//!
//! What a host's processor can do, KVM finds out by executing CPUID for each leaf. That takes longer than all else before the
//! first vCPU, so it begins on another thread first of all, and whatever is wrong with the options is still told first.

use std::ffi::OsStr;
use std::time::Instant;

use illico_machine::build::Start;
use illico_machine::kvm::Kvm;
use illico_machine::timeline;

use crate::commands::Failure;

/// A start, and when it was made, for a timeline that nobody has asked for by then.
pub struct Ahead {
    start: Result<Start, Failure>,
    began: Instant,
    opened: Instant,
    done: Instant,
}

impl Ahead {
    /// For the first word of the command line, if that is the verb whose machine is made at once.
    pub fn of(verb: Option<&OsStr>) -> Option<Self> {
        (verb? == "boot").then(Self::begin)
    }

    /// Now.
    pub fn begin() -> Self {
        let began = Instant::now();
        let kvm = Kvm::open();
        let opened = Instant::now();
        let start = kvm.map_err(Failure::from).and_then(|kvm| Ok(Start::with(kvm)?));
        Self { start, began, opened, done: Instant::now() }
    }

    /// To be called once it is known whether there is a timeline.
    pub fn record(self) -> Result<Start, Failure> {
        timeline::between("open /dev/kvm", self.began, self.opened);
        timeline::between("start the devices' thread", self.opened, self.done);
        self.start
    }
}
