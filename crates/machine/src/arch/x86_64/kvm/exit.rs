//! Exits that only x86-64 has: port I/O, and the end of a level-triggered interrupt of the IOAPIC.
//!
//! `ins` and `outs` with `rep` come from KVM as one exit with a count; here they are one exit an element.

use std::mem::offset_of;

use kvm_bindings::{self as kvm, kvm_run};

use crate::kvm::run_page::RunPage;

const IO_DIRECTION: usize = offset_of!(kvm_run, __bindgen_anon_1.io.direction);
const IO_SIZE: usize = offset_of!(kvm_run, __bindgen_anon_1.io.size);
const IO_PORT: usize = offset_of!(kvm_run, __bindgen_anon_1.io.port);
const IO_COUNT: usize = offset_of!(kvm_run, __bindgen_anon_1.io.count);
const IO_DATA_OFFSET: usize = offset_of!(kvm_run, __bindgen_anon_1.io.data_offset);
const EOI_VECTOR: usize = offset_of!(kvm_run, __bindgen_anon_1.eoi.vector);

/// Why a vCPU came back, where only this architecture has the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlatformExit {
    /// `in`: wants [`Entry::Read`](crate::kvm::Entry::Read).
    PortRead {
        /// The port.
        port: u16,
        /// 1, 2 or 4 bytes.
        size: u8,
    },
    /// `out`, or one element of `outs`.
    PortWrite {
        /// The port.
        port: u16,
        /// 1, 2 or 4 bytes.
        size: u8,
        /// What was written.
        value: u32,
    },
    /// The guest ended a level-triggered interrupt of the IOAPIC.
    IoapicEoi {
        /// Its vector.
        vector: u8,
    },
}

/// A port access that is not finished: KVM takes what is read at the next entry, and elements may be left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PendingAccess {
    read: bool,
    port: u16,
    size: u8,
    /// Where in the run page the element's data is.
    at: usize,
    left: u32,
}

/// The exit behind this reason, and what of it is left to do; `None` if it is not one of this architecture's own.
pub(crate) fn decode(page: &RunPage, reason: u32) -> Option<(PlatformExit, Option<PendingAccess>)> {
    match reason {
        kvm::KVM_EXIT_IO => {
            let access = PendingAccess {
                read: u32::from(page.load::<u8>(IO_DIRECTION)) == kvm::KVM_EXIT_IO_IN,
                port: page.load(IO_PORT),
                size: page.load(IO_SIZE),
                at: page.load::<u64>(IO_DATA_OFFSET) as usize,
                left: page.load(IO_COUNT),
            };
            Some((access.exit(page), Some(access)))
        }
        kvm::KVM_EXIT_IOAPIC_EOI => Some((PlatformExit::IoapicEoi { vector: page.load(EOI_VECTOR) }, None)),
        _ => None,
    }
}

impl PendingAccess {
    /// Gives the guest what it read; the exit of the next element, if there is one.
    pub(crate) fn answer(self, page: &RunPage, value: Option<u64>) -> Option<(PlatformExit, Self)> {
        if let (true, Some(value)) = (self.read, value) {
            page.put_number(self.at, self.size, value);
        }
        if self.left <= 1 {
            return None;
        }
        let next = Self { at: self.at + usize::from(self.size), left: self.left - 1, ..self };
        Some((next.exit(page), next))
    }

    /// The exit of this element. A read that is not answered reads as all ones.
    fn exit(&self, page: &RunPage) -> PlatformExit {
        let Self { read, port, size, at, .. } = *self;
        if read {
            page.put_number(at, size, u64::MAX);
            PlatformExit::PortRead { port, size }
        } else {
            PlatformExit::PortWrite { port, size, value: page.number(at, size) as u32 }
        }
    }
}
