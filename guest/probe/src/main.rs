//! `probe`: a PVH kernel that measures its monitor from inside and attacks its devices. It runs what the command line
//! names (`probe=hello,ring0,...`), reports by lines on the console, and powers off. It is no operating system: one
//! vCPU, identity mapped memory, everything in ring 3 (see `entry.rs`).
#![no_std]
#![no_main]

extern crate alloc;

mod command_line;
mod device;
mod dma;
mod entry;
mod experiments;
mod freestanding;
mod gate;
mod ioapic;
mod lapic;
mod machine;
mod memory;
mod only;
mod paging;
mod patience;
mod pci;
mod power;
mod region;
mod registers;
mod report;
mod ring;
mod start_info;
mod uart;
mod wired;

use command_line::CommandLine;
use device::Kind;
use machine::Machine;
use report::Console;
use start_info::StartInfo;

/// Called from `entry.s` on a stack in ring 3.
#[unsafe(no_mangle)]
extern "C" fn ring3(start_info: usize) -> ! {
    // SAFETY: `entry.s` passes on what the monitor left in ebx.
    let Some(info) = (unsafe { StartInfo::at(start_info) }) else { power::panicked() };
    let command_line = CommandLine::keep(info.command_line());
    memory::start(info);
    let interrupts = lapic::start();
    let devices = device::find(command_line);
    let mut machine = Machine { command_line, devices, interrupts };
    report::open(console(&machine));

    let (mut run, mut failed) = (0, 0);
    for (name, argument) in command_line.experiments() {
        run += 1;
        if let Err(failure) = experiments::run(&mut machine, name, argument) {
            failed += 1;
            say!("{name} error={failure}");
        }
    }
    say!("end experiments={run} failed={failed}");
    power::off()
}

/// The UART if it is asked for, else a virtio console if there is one.
fn console(machine: &Machine) -> Console {
    if machine.command_line.wants_uart() {
        return Console::Uart;
    }
    let device = machine.devices.iter().find(|device| device.kind == Kind::CONSOLE);
    device.and_then(|device| Console::virtio(device, machine.ecam())).unwrap_or(Console::Silent)
}

/// Called from `entry.s` after an exception, on its own stack.
#[unsafe(no_mangle)]
extern "C" fn ring3_fault() -> ! {
    let fault = &raw const entry::fault;
    // SAFETY: the handler filled it in before it came here, and nothing else writes it.
    let entry::Fault { vector, error, rip, cr2 } = unsafe { fault.read_volatile() };
    say!("fault vector={vector} code={error:#x} rip={rip:#x} cr2={cr2:#x}");
    power::panicked()
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    match info.location() {
        Some(place) => say!("panic at={}:{}", place.file(), place.line()),
        None => say!("panic"),
    }
    power::panicked()
}
