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
use super::{Kick, KvmError, Stats, StatsReader, Vm, stats};
use crate::arch;
use crate::arch::kvm::{CpuModel, PendingAccess, PlatformExit, Registers};

/// `_IO(KVMIO, 0x80)`
const KVM_RUN: libc::c_ulong = 0xae80;

const MMIO_ADDRESS: usize = offset_of!(kvm_run, __bindgen_anon_1.mmio.phys_addr);
const MMIO_DATA: usize = offset_of!(kvm_run, __bindgen_anon_1.mmio.data);
const MMIO_LEN: usize = offset_of!(kvm_run, __bindgen_anon_1.mmio.len);
const MMIO_IS_WRITE: usize = offset_of!(kvm_run, __bindgen_anon_1.mmio.is_write);
const FAIL_REASON: usize = offset_of!(kvm_run, __bindgen_anon_1.fail_entry.hardware_entry_failure_reason);
const INTERNAL_SUBERROR: usize = offset_of!(kvm_run, __bindgen_anon_1.internal.suberror);
const INTERNAL_NDATA: usize = offset_of!(kvm_run, __bindgen_anon_1.internal.ndata);
const INTERNAL_DATA: usize = offset_of!(kvm_run, __bindgen_anon_1.internal.data);

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
    /// An exit that only this architecture has.
    Platform(PlatformExit),
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
enum Pending {
    Nothing,
    Mmio { size: u8 },
    Platform(PendingAccess),
}

/// A virtual CPU. It may be made in one thread and run in another.
pub struct Vcpu {
    core: Arc<Core>,
    pending: Pending,
}

impl Vcpu {
    pub(super) fn create(vm: &Arc<Vm>, index: u8, model: &CpuModel) -> Result<Self, KvmError> {
        inside::install_handler().map_err(|source| KvmError::Refused {
            attempt: "install the handler of the signal that kicks vCPUs".into(),
            source,
        })?;
        let spans = vm.spans();
        let made =
            spans.timed_with("KVM_CREATE_VCPU", || format!("vCPU {index}"), || vm.fd().create_vcpu(index.into()));
        let mut fd = made.map_err(KvmError::refused(format!("make the thread state of vCPU {index}")))?;
        arch::kvm::set_up_vcpu(&fd, index, model, spans)?;
        let page = RunPage::new(fd.get_kvm_run(), vm.fd().run_size());
        let core = Core { page, inside: Inside::default(), fd, vm: Arc::clone(vm) };
        Ok(Self { core: Arc::new(core), pending: Pending::Nothing })
    }

    /// Puts the vCPU at the kernel's entry point. The others wait for INIT and SIPI as they are.
    pub fn enter_at(&self, entry: &arch::boot::Entry) -> Result<(), KvmError> {
        arch::kvm::enter_at(&self.core.fd, entry, self.core.vm.spans())
    }

    /// What kicks this vCPU.
    pub fn kick_handle(&self) -> Kick {
        Kick(Arc::downgrade(&self.core))
    }

    /// The registers, for a report. Between an exit and the next entry an access may be half done in them.
    pub fn registers(&self) -> Result<Registers, KvmError> {
        Registers::read(&self.core.fd)
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

    /// Gives the guest what it read. The next exit, if the access goes on without entering the guest.
    fn answer(&mut self, entry: Entry) -> Option<Exit> {
        let page = &self.core.page;
        let value = match entry {
            Entry::Resume => None,
            Entry::Read(value) => Some(value),
        };
        match std::mem::replace(&mut self.pending, Pending::Nothing) {
            Pending::Nothing => None,
            Pending::Mmio { size } => {
                if let Some(value) = value {
                    page.put_number(MMIO_DATA, size, value);
                }
                None
            }
            Pending::Platform(access) => {
                let (exit, access) = access.answer(page, value)?;
                self.pending = Pending::Platform(access);
                Some(Exit::Platform(exit))
            }
        }
    }

    fn exit(&mut self) -> Exit {
        let page = &self.core.page;
        match page.load::<u32>(offset_of!(kvm_run, exit_reason)) {
            kvm::KVM_EXIT_MMIO => {
                let at = GuestAddress(page.load::<u64>(MMIO_ADDRESS));
                let size = page.load::<u32>(MMIO_LEN).min(8) as u8;
                if page.load::<u8>(MMIO_IS_WRITE) != 0 {
                    return Exit::MmioWrite { at, size, value: page.number(MMIO_DATA, size) };
                }
                page.store(MMIO_DATA, u64::MAX);
                self.pending = Pending::Mmio { size };
                Exit::MmioRead { at, size }
            }
            kvm::KVM_EXIT_SHUTDOWN => Exit::Shutdown,
            kvm::KVM_EXIT_INTERNAL_ERROR => {
                let count = page.load::<u32>(INTERNAL_NDATA).min(16) as usize;
                let data = (0..count).map(|n| page.load::<u64>(INTERNAL_DATA + 8 * n)).collect();
                Exit::InternalError(Box::new(InternalError { suberror: page.load(INTERNAL_SUBERROR), data }))
            }
            kvm::KVM_EXIT_FAIL_ENTRY => Exit::EntryFailed { reason: page.load(FAIL_REASON) },
            reason => match arch::kvm::decode(page, reason) {
                Some((exit, access)) => {
                    self.pending = access.map_or(Pending::Nothing, Pending::Platform);
                    Exit::Platform(exit)
                }
                None => Exit::Unknown { reason },
            },
        }
    }
}

impl fmt::Debug for Vcpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vcpu").field("pending", &self.pending).finish_non_exhaustive()
    }
}
