//! What the experiments get: the command line, and what was found.

use alloc::vec::Vec;

use virtio_drivers::transport::Transport;

use crate::command_line::CommandLine;
use crate::device::{Device, Kind};
use crate::experiments::Failure;
use crate::pci;
use crate::registers::Registers;
use crate::wired::Wired;

#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) command_line: CommandLine,
    pub(crate) devices: Vec<Device>,
    /// The local APIC answers, so interrupts can come.
    pub(crate) interrupts: bool,
}

impl Machine {
    pub(crate) fn ecam(&self) -> u64 {
        self.command_line.number("ecam", pci::ECAM)
    }

    /// The first device of a kind, or the one that `probe.index=` counts to.
    pub(crate) fn device(&self, kind: Kind) -> Result<&Device, Failure> {
        let index = self.command_line.number("index", 0) as usize;
        self.devices.iter().filter(|device| device.kind == kind).nth(index).ok_or(Failure("no-such-device"))
    }

    /// Its registers, for a driver of our own.
    pub(crate) fn registers(&self, kind: Kind) -> Result<Registers, Failure> {
        Registers::open(self.device(kind)?).ok_or(Failure("no-registers"))
    }

    /// Its transport, for a driver of `virtio-drivers`; `interrupting` are the queues that shall, as bits.
    pub(crate) fn transport(&self, kind: Kind, interrupting: u64) -> Result<impl Transport + use<>, Failure> {
        Wired::open(self.device(kind)?, self.ecam(), interrupting).ok_or(Failure("no-transport"))
    }
}
