//! The smallest PVH guest: ten instructions that end in ACPI S5. It measures what a whole monitor costs around a guest
//! that does nothing; `run/src/bin/floor.rs` runs the same bytes under bare KVM.
#![no_std]
#![no_main]

use core::arch::global_asm;

global_asm!(
    r#"
    .section .ten, "ax"
    .globl ten_entry
ten_entry:
    "#,
    include_str!("ten.s"),
    r#"
    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 8, 18
    .asciz "Xen"
    .quad ten_entry
    .text
    "#
);

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
