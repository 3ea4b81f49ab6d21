//! A guest whose exits are known: `known-exits HLT OUT CPUID` executes so many of each instruction, one after the other.
//!
//! Real mode on one page, no devices, no interrupt controller: every HLT and OUT comes up here, every CPUID stays in
//! the kernel. It is the yardstick for `count-exits`, not a monitor.

use std::error::Error;
use std::ptr;

use kvm_bindings::kvm_userspace_memory_region;
use kvm_ioctls::{Kvm, VcpuExit};

/// One slot of guest memory, from 0.
#[repr(align(4096))]
struct Memory([u8; 1 << 16]);

const ENTRY: usize = 0x1000;
const HLT: [u8; 1] = [0xf4];
const OUT: [u8; 2] = [0xe6, 0x10];
const CPUID: [u8; 2] = [0x0f, 0xa2];
/// `out 0x11, al`: the end.
const END: [u8; 2] = [0xe6, 0x11];

fn main() -> Result<(), Box<dyn Error>> {
    let counts = std::env::args().skip(1).map(|word| word.parse()).collect::<Result<Vec<usize>, _>>()?;
    let [hlt, out, cpuid] = counts[..] else { return Err("usage: known-exits HLT OUT CPUID".into()) };
    let mut code = HLT.repeat(hlt);
    code.extend(OUT.repeat(out));
    code.extend(CPUID.repeat(cpuid));
    code.extend(END);

    let mut memory = Box::new(Memory([0; 1 << 16]));
    memory.0.get_mut(ENTRY..ENTRY + code.len()).ok_or("these are too many instructions")?.copy_from_slice(&code);
    let vm = Kvm::new()?.create_vm()?;
    let region = kvm_userspace_memory_region {
        slot: 0,
        flags: 0,
        guest_phys_addr: 0,
        memory_size: size_of::<Memory>() as u64,
        userspace_addr: ptr::from_mut(memory.as_mut()) as u64,
    };
    // SAFETY: the region is the boxed memory, page-aligned by its type, which outlives the VM's only vCPU: it is
    // dropped at the end of main, and nothing touches it while the vCPU runs.
    unsafe { vm.set_user_memory_region(region) }?;
    let mut vcpu = vm.create_vcpu(0)?;
    let mut segments = vcpu.get_sregs()?;
    segments.cs.base = 0;
    segments.cs.selector = 0;
    vcpu.set_sregs(&segments)?;
    let mut registers = vcpu.get_regs()?;
    (registers.rip, registers.rflags) = (ENTRY as u64, 2);
    vcpu.set_regs(&registers)?;

    let (mut halts, mut outs) = (0, 0);
    loop {
        match vcpu.run()? {
            VcpuExit::Hlt => halts += 1,
            VcpuExit::IoOut(0x10, _) => outs += 1,
            VcpuExit::IoOut(0x11, _) => break,
            exit => return Err(format!("an exit that this guest does not cause: {exit:?}").into()),
        }
    }
    println!("came up: {halts} HLT, {outs} OUT");
    drop(vcpu);
    drop(memory);
    Ok(())
}
