//! The thread of one vCPU: runs it, answers the exit, runs it again.

use std::sync::Arc;

use illico_memory::{GuestAddress, Ram};

use crate::arch::boot::warm_mark;
use crate::arch::kvm::PlatformExit;
use crate::arch::{Answer, PowerRequest};
use crate::bus::Bus;
use crate::control::{End, Ending};
use crate::exits::{Access, Party, VcpuExits};
use crate::kvm::{Entry, Exit, Vcpu};

/// Everything that a vCPU's thread needs.
pub struct VcpuThread {
    /// Its number.
    pub index: u8,
    /// The vCPU itself, which belongs to the thread.
    pub vcpu: Vcpu,
    /// The devices that answer its exits.
    pub bus: Arc<Bus>,
    /// Guest memory: a guest that resets leaves the warm boot mark there.
    pub ram: Ram,
    /// Where exits are counted.
    pub exits: Arc<VcpuExits>,
    /// How the machine ends.
    pub ending: Ending,
}

impl VcpuThread {
    /// Runs the vCPU until the machine ends, and gives it back for its statistics.
    pub fn run(mut self) -> Vcpu {
        let mut entry = Entry::Resume;
        while !self.ending.is_reached() {
            entry = match self.vcpu.run(entry) {
                Exit::Platform(exit) => self.answer(&exit),
                Exit::MmioRead { at, size } => self.read(at, size),
                Exit::MmioWrite { at, size, value } => {
                    let bytes = value.to_le_bytes();
                    let party = self.bus.write(at, &bytes[..usize::from(size).min(8)]);
                    self.exits.count(party, Access::MmioWrite);
                    Entry::Resume
                }
                Exit::Interrupted => {
                    self.exits.interrupted.add(1);
                    Entry::Resume
                }
                fatal => {
                    self.fail(&fatal);
                    Entry::Resume
                }
            };
        }
        self.vcpu
    }

    /// Answers an exit that only this architecture has, and ends the machine if the guest asks for that by it.
    fn answer(&self, exit: &PlatformExit) -> Entry {
        match self.bus.platform.answer(exit) {
            Answer::Access { access, part, entry, request } => {
                let party = part.map_or(Party::Unclaimed, Party::Platform);
                self.exits.count(party, Access::Platform(access));
                if let Some(request) = request {
                    self.ending.reach(match request {
                        PowerRequest::PowerOff => End::PowerOff,
                        PowerRequest::Reset if warm_mark::is_set(&self.ram) => End::Panicked,
                        PowerRequest::Reset => End::Reset,
                        PowerRequest::Panicked => End::Panicked,
                    });
                }
                entry
            }
            Answer::EndOfInterrupt => {
                self.exits.eoi.add(1);
                Entry::Resume
            }
        }
    }

    fn read(&self, at: GuestAddress, size: u8) -> Entry {
        let mut bytes = [0; 8];
        let party = self.bus.read(at, &mut bytes[..usize::from(size).min(8)]);
        self.exits.count(party, Access::MmioRead);
        Entry::Read(u64::from_le_bytes(bytes))
    }

    /// The vCPU cannot go on. Its registers say where it was.
    fn fail(&self, exit: &Exit) {
        let registers = self.vcpu.registers().map_or_else(|error| error.to_string(), |registers| registers.to_string());
        let vcpu = self.index;
        self.ending.reach(match exit {
            Exit::Shutdown => End::TripleFault { vcpu, registers },
            Exit::InternalError(error) => End::InternalError { vcpu, error: error.clone(), registers },
            // KVM found no page of the host behind guest memory.
            Exit::RunFailed { errno: libc::EFAULT } => {
                let why = "the guest touched memory that the host cannot provide: a file behind it was cut short \
                           or its disk failed, or the host is out of memory";
                End::VcpuFailed { vcpu, why: why.to_owned(), registers }
            }
            other => End::VcpuFailed { vcpu, why: format!("{other:?}"), registers },
        });
    }
}

impl std::fmt::Debug for VcpuThread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VcpuThread({})", self.index)
    }
}
