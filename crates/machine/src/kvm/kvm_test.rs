//! Guests of a few instructions on the real /dev/kvm. Without one these tests fail and say so.
//!
//! The code is 32-bit, as at a PVH entry: flat segments, no paging.

use std::sync::Arc;
use std::thread;

use illico_memory::{GuestAddress, Layout, Mapping, Pages, Ram};
use illico_virtio::interrupt::MsiMessage;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::*;
use crate::arch::boot::Entry as Start;
use crate::arch::kvm::{CpuModel, PlatformExit};

const CODE: u32 = 0x1000;
const DATA: u32 = 0x2000;
/// A port that the tests agree to end with.
const DONE: [u8; 2] = [0xe6, 0x99]; // out 0x99, al

fn kvm() -> Kvm {
    Kvm::open().expect("these tests need a /dev/kvm that this user may open")
}

struct Guest {
    ram: Ram,
    vm: Arc<Vm>,
    vcpu: Vcpu,
}

/// A machine with 64 KiB of RAM whose only vCPU is about to run `code`.
fn guest(code: &[&[u8]]) -> Guest {
    let kvm = kvm();
    let vm = Arc::new(kvm.create_vm(&VmOptions { interrupt_pins: 2 }).unwrap());
    let ram = Ram::new(&Layout::flat(0x1_0000), Pages::Small).unwrap();
    ram.write(GuestAddress(CODE.into()), &code.concat()).unwrap();
    vm.map_ram(&ram).unwrap();
    let vcpu = vm.create_vcpu(0, &CpuModel::new(&kvm.supported().unwrap(), 1)).unwrap();
    vcpu.enter_at(&Start::Pvh { entry: CODE, start_info: GuestAddress(0x5157) }).unwrap();
    Guest { ram, vm, vcpu }
}

fn mov_eax(value: u32) -> Vec<u8> {
    [&[0xb8], value.to_le_bytes().as_slice()].concat()
}

fn mov_ecx(value: u32) -> Vec<u8> {
    [&[0xb9], value.to_le_bytes().as_slice()].concat()
}

fn mov_dx(port: u16) -> Vec<u8> {
    [&[0x66, 0xba], port.to_le_bytes().as_slice()].concat()
}

fn load_eax(from: u32) -> Vec<u8> {
    [&[0xa1], from.to_le_bytes().as_slice()].concat()
}

fn store_eax(to: u32) -> Vec<u8> {
    [&[0xa3], to.to_le_bytes().as_slice()].concat()
}

const OUT_DX_EAX: [u8; 1] = [0xef];
const IN_EAX_DX: [u8; 1] = [0xed];
const REP_OUTSB: [u8; 2] = [0xf3, 0x6e];
const REP_INSB: [u8; 2] = [0xf3, 0x6c];
const UD2: [u8; 2] = [0x0f, 0x0b];
const SPIN: [u8; 2] = [0xeb, 0xfe];

fn done() -> Exit {
    Exit::Platform(PlatformExit::PortWrite { port: 0x99, size: 1, value: 0 })
}

impl Guest {
    /// Runs to the next exit, whose value (of al in the case of DONE) does not matter.
    fn run(&mut self, entry: Entry) -> Exit {
        match self.vcpu.run(entry) {
            Exit::Platform(PlatformExit::PortWrite { port: 0x99, size: 1, .. }) => done(),
            exit => exit,
        }
    }
}

#[test]
fn a_pvh_guest_starts_in_flat_protected_mode_with_the_start_info_in_ebx() {
    // mov eax, ebx
    let mut guest = guest(&[&[0x89, 0xd8], &mov_dx(0x505), &OUT_DX_EAX]);
    assert_eq!(
        guest.run(Entry::Resume),
        Exit::Platform(PlatformExit::PortWrite { port: 0x505, size: 4, value: 0x5157 })
    );
    let dump = guest.vcpu.registers().unwrap().to_string();
    assert!(dump.contains("rax 0000000000005157") && dump.contains("cs  0010  base 0  limit ffffffff"), "{dump}");
}

#[test]
fn the_64_bit_protocol_starts_in_long_mode_with_the_zero_page_in_rsi() {
    const PML4: u64 = 0x9000;
    let code = [
        vec![0x48, 0xb8], // mov rax, 0x600d_0000_0000: what is no such instruction in 32 bits
        0x600d_0000_0000_u64.to_le_bytes().into(),
        vec![0x48, 0xc1, 0xe8, 0x20], // shr rax, 32
        mov_dx(0x505),
        OUT_DX_EAX.into(),
        vec![0x48, 0x89, 0xf0], // mov rax, rsi
        OUT_DX_EAX.into(),
    ];
    let mut guest = guest(&[&code.concat()]);
    let put = |at: u64, entry: u64| guest.ram.write(GuestAddress(at), &entry.to_le_bytes()).unwrap();
    // Present, writable; the last one is a large page: 2 MiB mapped to themselves.
    put(PML4, (PML4 + 0x1000) | 3);
    put(PML4 + 0x1000, (PML4 + 0x2000) | 3);
    put(PML4 + 0x2000, 0x83);
    let (zero_page, page_tables, gdt) = (GuestAddress(0x5158), GuestAddress(PML4), GuestAddress(GDT.into()));
    let entry = Start::Linux64 { entry: CODE.into(), zero_page, page_tables, gdt, gdt_limit: 0x2f };
    guest.vcpu.enter_at(&entry).unwrap();
    assert_eq!(
        guest.run(Entry::Resume),
        Exit::Platform(PlatformExit::PortWrite { port: 0x505, size: 4, value: 0x600d })
    );
    assert_eq!(
        guest.run(Entry::Resume),
        Exit::Platform(PlatformExit::PortWrite { port: 0x505, size: 4, value: 0x5158 })
    );
    let dump = guest.vcpu.registers().unwrap().to_string();
    assert!(dump.contains("cs  0010  base 0  limit ffffffff  type b long") && dump.contains("gdt base 4000"), "{dump}");
}

#[test]
fn a_port_read_gets_the_answer_of_the_next_entry() {
    let code = [mov_eax(0x1234_5678), mov_dx(0x600), IN_EAX_DX.into(), OUT_DX_EAX.into()].concat();
    let mut guest = guest(&[&code]);
    assert_eq!(guest.run(Entry::Resume), Exit::Platform(PlatformExit::PortRead { port: 0x600, size: 4 }));
    let answered = guest.run(Entry::Read(0xffff_ffff_c0ff_ee00));
    assert_eq!(answered, Exit::Platform(PlatformExit::PortWrite { port: 0x600, size: 4, value: 0xc0ff_ee00 }));
}

#[test]
fn a_read_without_an_answer_is_all_ones() {
    let code = [mov_dx(0x600), IN_EAX_DX.into(), OUT_DX_EAX.into(), load_eax(0xd000_0000), OUT_DX_EAX.into()].concat();
    let mut guest = guest(&[&code]);
    assert_eq!(guest.run(Entry::Resume), Exit::Platform(PlatformExit::PortRead { port: 0x600, size: 4 }));
    assert_eq!(
        guest.run(Entry::Resume),
        Exit::Platform(PlatformExit::PortWrite { port: 0x600, size: 4, value: u32::MAX })
    );
    assert_eq!(guest.run(Entry::Resume), Exit::MmioRead { at: GuestAddress(0xd000_0000), size: 4 });
    assert_eq!(
        guest.run(Entry::Resume),
        Exit::Platform(PlatformExit::PortWrite { port: 0x600, size: 4, value: u32::MAX })
    );
}

#[test]
fn memory_that_is_not_there_is_asked_of_us() {
    let mut guest = guest(&[&load_eax(0xd000_0070), &store_eax(0xd000_1000)]);
    assert_eq!(guest.run(Entry::Resume), Exit::MmioRead { at: GuestAddress(0xd000_0070), size: 4 });
    let stored = Exit::MmioWrite { at: GuestAddress(0xd000_1000), size: 4, value: 0x7472_6976 };
    assert_eq!(guest.run(Entry::Read(0x7472_6976)), stored);
}

#[test]
fn string_output_comes_one_element_at_a_time() {
    // mov esi, DATA
    let code = [vec![0xbe], DATA.to_le_bytes().into(), mov_ecx(6), mov_dx(0x3f8), REP_OUTSB.into(), DONE.into()];
    let mut guest = guest(&[&code.concat()]);
    guest.ram.write(GuestAddress(DATA.into()), b"illico").unwrap();
    for byte in *b"illico" {
        assert_eq!(
            guest.run(Entry::Resume),
            Exit::Platform(PlatformExit::PortWrite { port: 0x3f8, size: 1, value: byte.into() })
        );
    }
    assert_eq!(guest.run(Entry::Resume), done());
}

#[test]
fn string_input_is_answered_one_element_at_a_time() {
    // mov edi, DATA
    let code = [vec![0xbf], DATA.to_le_bytes().into(), mov_ecx(4), mov_dx(0x3f8), REP_INSB.into(), DONE.into()];
    let mut guest = guest(&[&code.concat()]);
    let mut entry = Entry::Resume;
    for byte in *b"vite" {
        assert_eq!(guest.run(entry), Exit::Platform(PlatformExit::PortRead { port: 0x3f8, size: 1 }));
        entry = Entry::Read(byte.into());
    }
    assert_eq!(guest.run(entry), done());
    let mut read = [0; 4];
    guest.ram.read(GuestAddress(DATA.into()), &mut read).unwrap();
    assert_eq!(&read, b"vite");
}

#[test]
fn a_kick_gets_a_spinning_guest_out_every_time() {
    let mut guest = guest(&[&SPIN]);
    let kick = guest.vcpu.kick_handle();
    thread::scope(|scope| {
        // One kick at a time: the next one only after the last one was noticed.
        let (noticed, wait) = std::sync::mpsc::channel();
        scope.spawn(move || {
            for _ in 0..200 {
                kick.kick();
                wait.recv().unwrap();
            }
        });
        for _ in 0..200 {
            assert_eq!(guest.run(Entry::Resume), Exit::Interrupted);
            noticed.send(()).unwrap();
        }
    });
}

#[test]
fn a_kick_before_the_run_is_not_lost_and_waits_for_the_access_in_progress() {
    let mut guest = guest(&[&load_eax(0xd000_0000), &store_eax(DATA), &DONE]);
    assert!(matches!(guest.run(Entry::Resume), Exit::MmioRead { .. }));
    guest.vcpu.kick_handle().kick();
    assert_eq!(guest.run(Entry::Read(0x5151)), Exit::Interrupted);
    // The load is complete, the instruction after it has not begun.
    let registers = guest.vcpu.registers().unwrap();
    assert_eq!((registers.rip(), registers.regs.rax), (u64::from(CODE) + 5, 0x5151));
    assert_eq!(guest.run(Entry::Resume), done());
}

#[test]
fn a_kick_of_a_vcpu_that_is_gone_does_nothing() {
    let guest = guest(&[&SPIN]);
    let kick = guest.vcpu.kick_handle();
    drop(guest);
    kick.kick();
}

#[test]
fn an_ioeventfd_counts_writes_that_do_not_exit() {
    let (any, five) = (EventFd::new(EFD_NONBLOCK).unwrap(), EventFd::new(EFD_NONBLOCK).unwrap());
    let writes = [mov_eax(5), store_eax(0xd000_0050), store_eax(0xd000_0054), store_eax(0xd000_0050)].concat();
    let others = [mov_eax(6), store_eax(0xd000_0050), store_eax(0xd000_0054), DONE.into()].concat();
    let mut guest = guest(&[&writes, &others]);
    guest.vm.ioeventfd(&any, GuestAddress(0xd000_0050), None).unwrap();
    guest.vm.ioeventfd(&five, GuestAddress(0xd000_0054), Some(5)).unwrap();
    // Only the value that does not match comes up.
    let unmatched = Exit::MmioWrite { at: GuestAddress(0xd000_0054), size: 4, value: 6 };
    assert_eq!(guest.run(Entry::Resume), unmatched);
    assert_eq!(guest.run(Entry::Resume), done());
    assert_eq!((any.read().unwrap(), five.read().unwrap()), (3, 1));
}

#[test]
fn a_dropped_ioeventfd_lets_writes_come_up_again() {
    let event = EventFd::new(EFD_NONBLOCK).unwrap();
    let mut guest = guest(&[&store_eax(0xd000_0050)]);
    guest.vm.ioeventfd(&event, GuestAddress(0xd000_0050), None).unwrap();
    guest.vm.drop_ioeventfd(&event, GuestAddress(0xd000_0050), None).unwrap();
    assert!(matches!(guest.run(Entry::Resume), Exit::MmioWrite { .. }));
}

#[test]
fn a_window_for_reading_is_read_without_exits_and_written_with_them() {
    let window = Mapping::anonymous(0x1000, Pages::Small).unwrap().part(0, 0x1000).unwrap();
    window.store_u32(8, 0x1af4, std::sync::atomic::Ordering::Relaxed);
    let at = 0xe000_0000;
    let mut guest = guest(&[&load_eax(at + 8), &store_eax(at + 0x10), &load_eax(at + 8), &DONE]);
    let slot = guest.vm.map_window(GuestAddress(at.into()), &window, false).unwrap();
    let write = Exit::MmioWrite { at: GuestAddress(u64::from(at) + 0x10), size: 4, value: 0x1af4 };
    assert_eq!(guest.run(Entry::Resume), write);
    assert_eq!(window.load_u32(0x10, std::sync::atomic::Ordering::Relaxed), 0);
    // Once it is unmapped, reads come up too, and the slot can be used again.
    guest.vm.unmap(slot).unwrap();
    assert_eq!(guest.run(Entry::Resume), Exit::MmioRead { at: GuestAddress(u64::from(at) + 8), size: 4 });
    assert_eq!(guest.vm.map_window(GuestAddress(at.into()), &window, true).unwrap(), slot);
}

#[test]
fn a_triple_fault_is_a_shutdown() {
    assert_eq!(guest(&[&UD2]).run(Entry::Resume), Exit::Shutdown);
}

#[test]
fn the_kernel_counts_the_exits_that_it_had() {
    // mov al, 0; out 0x99, al: ten times
    let code: Vec<u8> = [[0xe6, 0x99]; 10].concat();
    let mut guest = guest(&[&code]);
    let exits = |guest: &Guest| {
        let stats = guest.vcpu.stats().unwrap().expect("this kernel has KVM_CAP_BINARY_STATS_FD");
        stats.get("exits").unwrap_or_else(|| panic!("no exits in {stats:?}"))
    };
    assert_eq!(exits(&guest), 0);
    for _ in 0..10 {
        assert_eq!(guest.run(Entry::Resume), done());
    }
    // Where hardware runs the guest, the host's timer may have added some.
    assert!(exits(&guest) >= 10, "{}", exits(&guest));
    let machine = guest.vm.stats().unwrap().unwrap();
    assert!(machine.get("remote_tlb_flush").is_some(), "{machine:?}");
}

#[test]
fn the_cpuid_and_the_x2apic_are_what_was_set() {
    let code = [
        mov_eax(0xb),
        mov_ecx(1),
        vec![0x0f, 0xa2, 0x89, 0xd8], // cpuid; mov eax, ebx
        OUT_DX_EAX.into(),
        mov_eax(0x4000_0010),
        vec![0x0f, 0xa2], // cpuid
        mov_dx(0x505),
        OUT_DX_EAX.into(),
        mov_ecx(0x1b),
        vec![0x0f, 0x32], // rdmsr
        mov_dx(0x505),
        OUT_DX_EAX.into(),
    ];
    let mut guest = guest(&[&code.concat()]);
    assert!(matches!(guest.run(Entry::Resume), Exit::Platform(PlatformExit::PortWrite { value: 1, .. })), "cores");
    let tsc_khz = guest.run(Entry::Resume);
    assert!(matches!(tsc_khz, Exit::Platform(PlatformExit::PortWrite { value: 100_000.., .. })), "{tsc_khz:?}");
    assert_eq!(
        guest.run(Entry::Resume),
        Exit::Platform(PlatformExit::PortWrite { port: 0x505, size: 4, value: 0xfee0_0d00 })
    );
}

const IDT: u32 = 0x3000;
const GDT: u32 = 0x4000;
const POINTERS: u32 = 0x5000;
const HANDLER: u32 = 0x6000;
const STACK: u32 = 0x8000;
const VECTOR: u32 = 0x41;

/// A guest that reports to port 0x505, waits with interrupts on, and whose handler for [`VECTOR`] is DONE.
fn guest_with_interrupts(wait: &[u8]) -> Guest {
    let code = [
        vec![0xbc], // mov esp, STACK
        STACK.to_le_bytes().into(),
        vec![0x0f, 0x01, 0x15], // lgdt [POINTERS]
        POINTERS.to_le_bytes().into(),
        vec![0x0f, 0x01, 0x1d], // lidt [POINTERS + 8]
        (POINTERS + 8).to_le_bytes().into(),
        mov_ecx(0x80f), // the spurious vector register switches the APIC on
        mov_eax(0x1ff),
        vec![0x31, 0xd2, 0x0f, 0x30], // xor edx, edx; wrmsr
        mov_dx(0x505),
        OUT_DX_EAX.into(),
        vec![0xfb], // sti
        wait.into(),
    ];
    let guest = guest(&[&code.concat()]);
    let put = |at: u32, bytes: &[u8]| guest.ram.write(GuestAddress(at.into()), bytes).unwrap();
    let pointer = |limit: u16, base: u32| [limit.to_le_bytes().as_slice(), &base.to_le_bytes()].concat();
    put(POINTERS, &pointer(0x1f, GDT));
    put(POINTERS + 8, &pointer(0x7ff, IDT));
    // Selector 0x10 is flat code, 0x18 flat data, as at the entry.
    put(GDT + 0x10, &0x00cf_9b00_0000_ffff_u64.to_le_bytes());
    put(GDT + 0x18, &0x00cf_9300_0000_ffff_u64.to_le_bytes());
    // A 32-bit interrupt gate: selector 0x10, present.
    put(IDT + 8 * VECTOR, &(0x8e00_0010_0000_u64 | u64::from(HANDLER)).to_le_bytes());
    put(HANDLER, &DONE);
    guest
}

#[test]
fn an_eventfd_wakes_a_halted_guest_through_its_route() {
    // hlt
    let mut guest = guest_with_interrupts(&[&[0xf4], SPIN.as_slice()].concat());
    let (event, gsi) = (EventFd::new(EFD_NONBLOCK).unwrap(), 24);
    let message = MsiMessage { address: 0xfee0_0000, data: VECTOR };
    guest.vm.set_routes(&[(0, MsiMessage { data: 0x20, ..message }), (gsi, message)]).unwrap();
    guest.vm.irqfd(&event, gsi).unwrap();
    assert!(matches!(guest.run(Entry::Resume), Exit::Platform(PlatformExit::PortWrite { port: 0x505, .. })));
    thread::scope(|scope| {
        scope.spawn(|| event.write(1).unwrap());
        assert_eq!(guest.run(Entry::Resume), done());
    });
    guest.vm.drop_irqfd(&event, gsi).unwrap();
}

#[test]
fn another_vcpu_waits_for_init_and_sipi_and_starts_in_real_mode_with_its_x2apic_on() {
    const START: u32 = 0x7000;
    let icr = |command: u32| {
        // ecx = ICR; edx = destination 1; wrmsr
        [mov_ecx(0x830), vec![0xba, 1, 0, 0, 0], mov_eax(command), vec![0x0f, 0x30]].concat()
    };
    let mut guest = guest(&[&icr(0x4500), &icr(0x4600 | START >> 12), &DONE]);
    let real_mode = [
        vec![0x66], // 32-bit operands
        mov_ecx(0x1b),
        vec![0x0f, 0x32],       // rdmsr
        vec![0xba, 0x05, 0x05], // mov dx, 0x505
        vec![0x66],
        OUT_DX_EAX.into(),
    ];
    guest.ram.write(GuestAddress(START.into()), &real_mode.concat()).unwrap();
    let mut other = guest.vm.create_vcpu(1, &CpuModel::new(&kvm().supported().unwrap(), 2)).unwrap();
    let kick = other.kick_handle();
    thread::scope(|scope| {
        // A vCPU that waits can be kicked as well.
        scope.spawn(move || kick.kick());
        assert_eq!(other.run(Entry::Resume), Exit::Interrupted);
        assert_eq!(guest.run(Entry::Resume), done());
        let apic_base = Exit::Platform(PlatformExit::PortWrite { port: 0x505, size: 4, value: 0xfee0_0c00 });
        assert_eq!(other.run(Entry::Resume), apic_base);
    });
}

#[test]
fn an_internal_error_shows_the_instruction() {
    let error = InternalError { suberror: 1, data: vec![1, 0x0000_0000_00ae_0f03, 0, 0xff] };
    assert_eq!(error.instruction(), Some(vec![0x0f, 0xae, 0x00]));
    assert!(error.to_string().contains("cannot emulate: [0f, ae, 00]"), "{error}");
    // Without the flag, or with a size beyond what there is, there is none.
    for data in [vec![0, 0x0000_0000_00ae_0f03, 0], vec![1, 0xff, 0], vec![]] {
        assert_eq!(InternalError { suberror: 1, data }.instruction(), None);
    }
}

#[test]
fn a_device_that_is_no_kvm_is_refused_with_the_reason() {
    let missing = Kvm::open_at(Path::new("/nowhere/kvm"), Spans::default()).unwrap_err();
    assert!(matches!(&missing, KvmError::Missing { .. }) && missing.to_string().contains("modprobe"), "{missing}");
    let other = Kvm::open_at(Path::new("/dev/null"), Spans::default()).unwrap_err();
    assert!(matches!(other, KvmError::ApiVersion { .. }), "{other}");
}
