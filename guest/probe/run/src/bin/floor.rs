//! The bare KVM floor: a process that makes a VM, runs the ten instructions of `src/bin/ten.s` in it and ends. Nothing
//! that a monitor could do without is done: no irqchip, no CPUID, no file, one memory slot, one vCPU. What a whole
//! monitor takes for the same guest is measured against it.

use std::arch::global_asm;
use std::process::ExitCode;

use illico_probe_run::{machine::Memory, pvh};
use kvm_ioctls::{Kvm, VcpuExit};

const SIZE: usize = 2 << 20;
const CODE: u32 = 0x10_0000;
const START_INFO: u64 = 0x6000;

global_asm!(".section .rodata.ten, \"a\"", "ten_start:", include_str!("../../../src/bin/ten.s"), "ten_end:", ".text");

unsafe extern "C" {
    static ten_start: u8;
    static ten_end: u8;
}

fn floor() -> std::io::Result<bool> {
    let start = &raw const ten_start;
    let length = &raw const ten_end as usize - start as usize;
    // SAFETY: the two symbols enclose the assembled bytes, which are constants.
    let code = unsafe { std::slice::from_raw_parts(start, length) };
    let memory = Memory::new(SIZE)?;
    memory.write(u64::from(CODE), code)?;

    let vm = Kvm::new()?.create_vm()?;
    memory.give_to(&vm)?;
    let mut vcpu = vm.create_vcpu(0)?;
    let mut sregs = vcpu.get_sregs()?;
    let regs = pvh::enter(&mut sregs, CODE, START_INFO);
    vcpu.set_sregs(&sregs)?;
    vcpu.set_regs(&regs)?;
    Ok(matches!(vcpu.run()?, VcpuExit::IoOut(0x600, [0x34])))
}

fn main() -> ExitCode {
    match floor() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("floor: the guest did not power off");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::FAILURE
        }
    }
}
