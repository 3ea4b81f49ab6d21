//! A virtual machine with one vCPU: memory from 0, the probe's ports, nothing else.

use std::io::{self, Write};
use std::ptr::NonNull;

use kvm_bindings::{KVM_MAX_CPUID_ENTRIES, kvm_enable_cap, kvm_userspace_memory_region};
use kvm_ioctls::{Cap, Kvm, VcpuExit, VcpuFd, VmFd};

use crate::{elf, pvh};

const START_INFO: u64 = 0x6000;
const MEMORY_MAP: u64 = 0x7000;
const COMMAND_LINE: u64 = 0x8000;
const LONGEST_COMMAND_LINE: usize = 0x1000;
const SPLIT_IRQCHIP_PINS: u64 = 24;

/// How a guest ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    Off,
    Reset,
    Panicked,
    TripleFault,
    InternalError,
}

/// Guest memory: anonymous, never unmapped before the process ends.
#[derive(Debug)]
pub struct Memory {
    start: NonNull<u8>,
    size: usize,
}

impl Memory {
    /// # Errors
    /// What mmap says.
    pub fn new(size: usize) -> io::Result<Self> {
        // SAFETY: a fresh anonymous mapping touches nothing that exists.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        match NonNull::new(start.cast::<u8>()) {
            Some(start) if start.as_ptr().cast::<libc::c_void>() != libc::MAP_FAILED => Ok(Self { start, size }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Makes it the guest's memory from address 0 on.
    ///
    /// # Errors
    /// What KVM says.
    pub fn give_to(&self, vm: &VmFd) -> io::Result<()> {
        let region = kvm_userspace_memory_region {
            slot: 0,
            flags: 0,
            guest_phys_addr: 0,
            memory_size: self.size as u64,
            userspace_addr: self.start.as_ptr() as u64,
        };
        // SAFETY: the mapping is never unmapped, and no reference to it is ever made.
        unsafe { vm.set_user_memory_region(region) }.map_err(io::Error::from)
    }

    /// Copies `bytes` to guest address `address`.
    ///
    /// # Errors
    /// If they do not fit.
    pub fn write(&self, address: u64, bytes: &[u8]) -> io::Result<()> {
        let at = usize::try_from(address).unwrap_or(usize::MAX);
        if at.checked_add(bytes.len()).is_none_or(|end| end > self.size) {
            return Err(io::Error::other(format!("{} bytes at {address:#x} are outside guest memory", bytes.len())));
        }
        let to = self.start.as_ptr().wrapping_add(at);
        // SAFETY: the range was checked, the guest does not run yet.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        Ok(())
    }
}

/// Writes the start info with its command line and memory map.
fn write_start_info(memory: &Memory, command_line: &str) -> io::Result<()> {
    if command_line.len() >= LONGEST_COMMAND_LINE {
        return Err(io::Error::other("the command line is too long"));
    }
    let mut info = Vec::new();
    for word in [0x336e_c578_u32, 1, 0, 0] {
        info.extend(word.to_le_bytes());
    }
    for address in [0, COMMAND_LINE, 0, MEMORY_MAP] {
        info.extend(address.to_le_bytes());
    }
    info.extend(1_u64.to_le_bytes());
    let mut map = Vec::new();
    for word in [0, memory.size as u64, 1] {
        map.extend(word.to_le_bytes());
    }
    memory.write(START_INFO, &info)?;
    memory.write(MEMORY_MAP, &map)?;
    memory.write(COMMAND_LINE, command_line.as_bytes())
}

fn answer(port: u16, data: &mut [u8], line_status: u16) {
    data.fill(if port == line_status { 0x60 } else { 0xff });
}

/// Runs the guest in `file` to its end, with what it writes to the UART going to `console`.
///
/// # Errors
/// If the file is no PVH ELF, or KVM refuses something.
pub fn run(file: &[u8], command_line: &str, memory_size: usize, console: &mut impl Write) -> io::Result<End> {
    let image = elf::parse(file).ok_or_else(|| io::Error::other("not an ELF64 with a PVH note"))?;
    let memory = Memory::new(memory_size)?;
    for segment in &image.segments {
        memory.write(segment.address, segment.bytes)?;
    }
    write_start_info(&memory, command_line)?;

    let kvm = Kvm::new()?;
    let vm = kvm.create_vm()?;
    let mut split = kvm_enable_cap { cap: Cap::SplitIrqchip as u32, ..kvm_enable_cap::default() };
    split.args[0] = SPLIT_IRQCHIP_PINS;
    vm.enable_cap(&split)?;
    memory.give_to(&vm)?;
    let mut vcpu = vm.create_vcpu(0)?;
    vcpu.set_cpuid2(&kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)?)?;
    let mut sregs = vcpu.get_sregs()?;
    let regs = pvh::enter(&mut sregs, image.entry, START_INFO);
    vcpu.set_sregs(&sregs)?;
    vcpu.set_regs(&regs)?;
    run_vcpu(&mut vcpu, console)
}

fn run_vcpu(vcpu: &mut VcpuFd, console: &mut impl Write) -> io::Result<End> {
    loop {
        match vcpu.run()? {
            VcpuExit::IoOut(0x3f8, bytes) => console.write_all(bytes)?,
            VcpuExit::IoOut(0x600, [0x34]) => return Ok(End::Off),
            VcpuExit::IoOut(0x602, [1]) => return Ok(End::Reset),
            VcpuExit::IoOut(0x505, [1]) => return Ok(End::Panicked),
            VcpuExit::IoIn(port, bytes) => answer(port, bytes, 0x3fd),
            VcpuExit::MmioRead(_, bytes) => bytes.fill(0xff),
            VcpuExit::IoOut(..) | VcpuExit::MmioWrite(..) => {}
            VcpuExit::Shutdown => return Ok(End::TripleFault),
            VcpuExit::InternalError => {
                eprintln!("{:x?}", vcpu.get_regs()?);
                return Ok(End::InternalError);
            }
            other => return Err(io::Error::other(format!("unexpected exit: {other:?}"))),
        }
    }
}
