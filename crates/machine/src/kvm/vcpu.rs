//! One virtual CPU: it runs until the guest wants something, and goes on with the answer.
//!
//! [`Exit`] says what the guest wants, the next [`Entry`] brings what it gets. KVM finishes an access
//! only when `KVM_RUN` is called again, so registers are half done between an exit and the next entry;
//! they are whole after [`Exit::Interrupted`], and only there may they be saved. To pause, kick.
//! Not here: what an exit means (that is the bus).

use std::fmt;
use std::mem::offset_of;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use illico_memory::GuestAddress;
use kvm_bindings as kvm;
use kvm_bindings::kvm_run;

use super::core::Core;
use super::inside::{self, Inside};
use super::run_page::RunPage;
use super::{CpuModel, Kick, KvmError, Registers, Stats, StatsReader, Vm, msr, registers, stats};
use crate::boot;

/// `_IO(KVMIO, 0x80)`
const KVM_RUN: libc::c_ulong = 0xae80;

const DETAIL: usize = offset_of!(kvm_run, __bindgen_anon_1);
const IO: usize = DETAIL;
const IO_DIRECTION: usize = IO + offset_of!(kvm::kvm_run__bindgen_ty_1__bindgen_ty_4, direction);
const IO_SIZE: usize = IO + offset_of!(kvm::kvm_run__bindgen_ty_1__bindgen_ty_4, size);
const IO_PORT: usize = IO + offset_of!(kvm::kvm_run__bindgen_ty_1__bindgen_ty_4, port);
const IO_COUNT: usize = IO + offset_of!(kvm::kvm_run__bindgen_ty_1__bindgen_ty_4, count);
const IO_DATA_OFFSET: usize = IO + offset_of!(kvm::kvm_run__bindgen_ty_1__bindgen_ty_4, data_offset);
const MMIO_ADDRESS: usize = DETAIL + offset_of!(kvm::kvm_run__bindgen_ty_1__bindgen_ty_6, phys_addr);
const MMIO_DATA: usize = DETAIL + offset_of!(kvm::kvm_run__bindgen_ty_1__bindgen_ty_6, data);
const MMIO_LEN: usize = DETAIL + offset_of!(kvm::kvm_run__bindgen_ty_1__bindgen_ty_6, len);
const MMIO_IS_WRITE: usize = DETAIL + offset_of!(kvm::kvm_run__bindgen_ty_1__bindgen_ty_6, is_write);
const EOI_VECTOR: usize = DETAIL + offset_of!(kvm::kvm_run__bindgen_ty_1__bindgen_ty_21, vector);
const FAIL_REASON: usize = DETAIL + offset_of!(kvm::kvm_run__bindgen_ty_1__bindgen_ty_2, hardware_entry_failure_reason);
const INTERNAL_SUBERROR: usize = DETAIL + offset_of!(kvm::kvm_run__bindgen_ty_1__bindgen_ty_13, suberror);
const INTERNAL_NDATA: usize = DETAIL + offset_of!(kvm::kvm_run__bindgen_ty_1__bindgen_ty_13, ndata);
const INTERNAL_DATA: usize = DETAIL + offset_of!(kvm::kvm_run__bindgen_ty_1__bindgen_ty_13, data);

/// How a vCPU goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Nothing was asked. A read that is not answered reads as all ones, as on an empty bus.
    Resume,
    /// The value that the last exit, a read, asked for; bits above its size are dropped.
    Read(u64),
}

/// Why a vCPU came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// `in`: wants [`Entry::Read`].
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
    /// A load from where there is no memory: wants [`Entry::Read`].
    MmioRead {
        /// The guest physical address.
        at: GuestAddress,
        /// 1 to 8 bytes.
        size: u8,
    },
    /// A store to where there is no memory, or to a read-only slot.
    MmioWrite {
        /// The guest physical address.
        at: GuestAddress,
        /// 1 to 8 bytes.
        size: u8,
        /// What was written, little-endian.
        value: u64,
    },
    /// The guest ended a level-triggered interrupt of our IOAPIC.
    IoapicEoi {
        /// Its vector.
        vector: u8,
    },
    /// A triple fault.
    Shutdown,
    /// Kicked. No access is half done.
    Interrupted,
    /// KVM could not go on.
    InternalError(Box<InternalError>),
    /// The hardware refused to enter the guest.
    EntryFailed {
        /// The hardware's reason (VMX exit reason or instruction error, SVM exit code).
        reason: u64,
    },
    /// `KVM_RUN` itself failed.
    RunFailed {
        /// Its error number.
        errno: i32,
    },
    /// An exit that this machine never asks for.
    Unknown {
        /// `KVM_EXIT_*`.
        reason: u32,
    },
}

/// What KVM tells about a `KVM_EXIT_INTERNAL_ERROR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalError {
    /// `KVM_INTERNAL_ERROR_*`
    pub suberror: u32,
    /// Whatever belongs to it.
    pub data: Vec<u64>,
}

impl InternalError {
    /// The instruction that KVM could not emulate, where it says so.
    pub fn instruction(&self) -> Option<Vec<u8>> {
        let (&flags, bytes) = self.data.split_first()?;
        let known = u64::from(kvm::KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES);
        if self.suberror != kvm::KVM_INTERNAL_ERROR_EMULATION || flags & known == 0 {
            return None;
        }
        let bytes: Vec<u8> = bytes.iter().take(2).flat_map(|word| word.to_le_bytes()).collect();
        let (&size, bytes) = bytes.split_first()?;
        bytes.get(..usize::from(size)).map(<[u8]>::to_vec)
    }
}

impl fmt::Display for InternalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.suberror {
            kvm::KVM_INTERNAL_ERROR_EMULATION => f.write_str("KVM met an instruction that it cannot emulate")?,
            kvm::KVM_INTERNAL_ERROR_SIMUL_EX => f.write_str("KVM met an exception while it delivered another")?,
            kvm::KVM_INTERNAL_ERROR_DELIVERY_EV => f.write_str("KVM met an exit while it delivered an event")?,
            kvm::KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON => f.write_str("KVM met a hardware exit unknown to it")?,
            other => write!(f, "KVM internal error {other}")?,
        }
        match self.instruction() {
            Some(bytes) => write!(f, ": {bytes:02x?}"),
            None => write!(f, ": {:x?}", self.data),
        }
    }
}

/// What `run` left unfinished.
#[derive(Debug, Clone, Copy)]
enum Access {
    None,
    Mmio { size: u8 },
    Port { read: bool, port: u16, size: u8, at: usize, left: u32 },
}

/// A virtual CPU. It may be made in one thread and run in another.
pub struct Vcpu {
    core: Arc<Core>,
    access: Access,
}

impl Vcpu {
    pub(super) fn create(vm: &Arc<Vm>, index: u8, model: &CpuModel) -> Result<Self, KvmError> {
        let failed = |what: &str| KvmError::refused(format!("{what} of vCPU {index}"));
        inside::install_handler().map_err(|source| KvmError::Refused {
            attempt: "install the handler of the signal that kicks vCPUs".into(),
            source,
        })?;
        let (of, spans) = (|| format!("vCPU {index}"), vm.spans());
        let made = spans.timed_with("KVM_CREATE_VCPU", of, || vm.fd().create_vcpu(index.into()));
        let mut fd = made.map_err(failed("make the thread state"))?;
        let tsc_khz =
            spans.timed_with("KVM_GET_TSC_KHZ", of, || fd.get_tsc_khz()).map_err(failed("read the TSC frequency"))?;
        let cpuid = model.cpuid(index, tsc_khz).map_err(failed("make the CPUID"))?;
        spans.timed_with("KVM_SET_CPUID2", of, || fd.set_cpuid2(&cpuid)).map_err(failed("set the CPUID"))?;
        let msrs = spans.timed_with("KVM_SET_MSRS", of, || msr::initialise(&fd, index, model.vendor()));
        msrs.map_err(failed("set the first MSRs"))?;
        let page = RunPage::new(fd.get_kvm_run(), vm.fd().run_size());
        let core = Core { page, inside: Inside::default(), fd, vm: Arc::clone(vm) };
        Ok(Self { core: Arc::new(core), access: Access::None })
    }

    /// Puts the vCPU at the kernel's entry point. The others wait for INIT and SIPI as they are.
    pub fn enter_at(&self, entry: &boot::Entry) -> Result<(), KvmError> {
        let (regs, sregs) = registers::at_entry(entry);
        let spans = self.core.vm.spans();
        spans
            .timed("KVM_SET_SREGS", || self.core.fd.set_sregs(&sregs))
            .map_err(KvmError::refused(format!("set system registers for {entry:x?}")))?;
        spans
            .timed("KVM_SET_REGS", || self.core.fd.set_regs(&regs))
            .map_err(KvmError::refused(format!("set registers for {entry:x?}")))
    }

    /// What kicks this vCPU.
    pub fn kick_handle(&self) -> Kick {
        Kick(Arc::downgrade(&self.core))
    }

    /// The registers, for a report. Between an exit and the next entry an access may be half done in them.
    pub fn registers(&self) -> Result<Registers, KvmError> {
        let regs = self.core.fd.get_regs().map_err(KvmError::refused("read the registers of a vCPU"))?;
        let sregs = self.core.fd.get_sregs().map_err(KvmError::refused("read the system registers of a vCPU"))?;
        Ok(Registers { regs, sregs })
    }

    /// The kernel's own counters for this vCPU, or `None` where it keeps them to itself.
    pub fn stats(&self) -> Result<Option<Stats>, KvmError> {
        stats::of(&self.core.fd)
    }

    /// What reads these of the kernel's counters for this vCPU, also while it runs. To be asked before: the
    /// kernel answers only while a vCPU does not run.
    pub fn stats_reader(&self, names: &[&str]) -> Result<Option<StatsReader>, KvmError> {
        StatsReader::of(&self.core.fd, names)
    }

    /// Runs the guest until it wants something. `entry` answers the last exit.
    pub fn run(&mut self, entry: Entry) -> Exit {
        if let Some(exit) = self.answer(entry) {
            return exit;
        }
        loop {
            self.core.inside.come_in();
            // SAFETY: the descriptor is a vCPU, whose shared pages are mapped as long as `core` lives.
            let result = unsafe { libc::ioctl(self.core.fd.as_raw_fd(), KVM_RUN, 0) };
            let errno = if result < 0 { std::io::Error::last_os_error().raw_os_error().unwrap_or(0) } else { 0 };
            self.core.inside.go_out();
            match errno {
                0 => return self.exit(),
                // A signal that was no kick (SIGCONT, a profiler) is not the caller's business.
                libc::EINTR if self.core.page.was_asked_to_leave() => return Exit::Interrupted,
                libc::EINTR => {}
                // A vCPU that waited for INIT and SIPI has got one of them (kvm_arch_vcpu_ioctl_run).
                libc::EAGAIN => {}
                errno => return Exit::RunFailed { errno },
            }
        }
    }

    /// Gives the guest what it read. For string instructions: the next element, if there is one.
    fn answer(&mut self, entry: Entry) -> Option<Exit> {
        let page = &self.core.page;
        match std::mem::replace(&mut self.access, Access::None) {
            Access::None => None,
            Access::Mmio { size } => {
                if let Entry::Read(value) = entry {
                    put(page, MMIO_DATA, size, value);
                }
                None
            }
            Access::Port { read, port, size, at, left } => {
                if let (true, Entry::Read(value)) = (read, entry) {
                    put(page, at, size, value);
                }
                (left > 1).then(|| self.port(read, port, size, at + usize::from(size), left - 1))
            }
        }
    }

    fn exit(&mut self) -> Exit {
        let page = &self.core.page;
        match page.load::<u32>(offset_of!(kvm_run, exit_reason)) {
            kvm::KVM_EXIT_IO => {
                let read = u32::from(page.load::<u8>(IO_DIRECTION)) == kvm::KVM_EXIT_IO_IN;
                let (port, size) = (page.load::<u16>(IO_PORT), page.load::<u8>(IO_SIZE));
                let (at, count) = (page.load::<u64>(IO_DATA_OFFSET) as usize, page.load::<u32>(IO_COUNT));
                self.port(read, port, size, at, count)
            }
            kvm::KVM_EXIT_MMIO => {
                let at = GuestAddress(page.load::<u64>(MMIO_ADDRESS));
                let size = page.load::<u32>(MMIO_LEN).min(8) as u8;
                if page.load::<u8>(MMIO_IS_WRITE) != 0 {
                    return Exit::MmioWrite { at, size, value: get(page, MMIO_DATA, size) };
                }
                page.store(MMIO_DATA, u64::MAX);
                self.access = Access::Mmio { size };
                Exit::MmioRead { at, size }
            }
            kvm::KVM_EXIT_IOAPIC_EOI => Exit::IoapicEoi { vector: page.load(EOI_VECTOR) },
            kvm::KVM_EXIT_SHUTDOWN => Exit::Shutdown,
            kvm::KVM_EXIT_INTERNAL_ERROR => {
                let count = page.load::<u32>(INTERNAL_NDATA).min(16) as usize;
                let data = (0..count).map(|n| page.load::<u64>(INTERNAL_DATA + 8 * n)).collect();
                Exit::InternalError(Box::new(InternalError { suberror: page.load(INTERNAL_SUBERROR), data }))
            }
            kvm::KVM_EXIT_FAIL_ENTRY => Exit::EntryFailed { reason: page.load(FAIL_REASON) },
            reason => Exit::Unknown { reason },
        }
    }

    /// One element of a port access. `ins` and `outs` with `rep` come from KVM as one exit with a count.
    fn port(&mut self, read: bool, port: u16, size: u8, at: usize, left: u32) -> Exit {
        self.access = Access::Port { read, port, size, at, left };
        let page = &self.core.page;
        if read {
            put(page, at, size, u64::MAX);
            Exit::PortRead { port, size }
        } else {
            Exit::PortWrite { port, size, value: get(page, at, size) as u32 }
        }
    }
}

/// Reads `size` bytes of the shared pages as a little-endian number.
fn get(page: &RunPage, at: usize, size: u8) -> u64 {
    (0..size.min(8)).rev().fold(0, |value, n| value << 8 | u64::from(page.load::<u8>(at + usize::from(n))))
}

/// Writes the low `size` bytes of `value` there.
fn put(page: &RunPage, at: usize, size: u8, value: u64) {
    for (n, byte) in value.to_le_bytes().into_iter().enumerate().take(size.into()) {
        page.store(at + n, byte);
    }
}

impl fmt::Debug for Vcpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vcpu").field("access", &self.access).finish_non_exhaustive()
    }
}
