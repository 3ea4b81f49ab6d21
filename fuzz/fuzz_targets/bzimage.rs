//! A hostile bzImage, on the whole way that a kernel takes: recognised, unpacked, parsed, loaded.

#![no_main]

use illico_fuzz::kernel::{BzImage, file};
use illico_image::kernels::{Cache, elf, untimed};
use illico_machine::arch::acpi::Acpi;
use illico_machine::boot::{CommandLine, Sources, load};
use illico_machine::spans::Spans;
use illico_memory::{Layout, Pages, Ram};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static MEMORY: Ram = Ram::new(&Layout::flat(64 << 20), Pages::Small).unwrap();
}

fuzz_target!(|plan: BzImage| {
    let Ok(kernel) = elf(file(&plan.bytes()), &Cache::none(), &untimed) else { return };
    let acpi =
        Acpi { cpus: 1, pci: None, mmio: vec![], uart_gsi: None, power_button_gsi: None, rtc: false, pvpanic: false };
    let sources = Sources {
        kernel: &kernel,
        initrd: None,
        command_line: &CommandLine::new(),
        acpi: &acpi,
        protocol: None,
        spans: &Spans::default(),
    };
    let _ = MEMORY.with(|ram| load(ram, &sources));
});
