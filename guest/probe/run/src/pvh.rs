//! The state in which a PVH guest is entered (Xen `docs/misc/pvh.pandoc`): flat 32-bit segments, protected mode,
//! paging off, `ebx` = address of the start info.

use kvm_bindings::{kvm_regs, kvm_segment, kvm_sregs};

/// Sets what differs from the state after reset.
pub fn enter(sregs: &mut kvm_sregs, entry: u32, start_info: u64) -> kvm_regs {
    let data = kvm_segment {
        base: 0,
        limit: u32::MAX,
        selector: 0x10,
        type_: 3,
        present: 1,
        db: 1,
        s: 1,
        g: 1,
        ..kvm_segment::default()
    };
    sregs.cs = kvm_segment { selector: 8, type_: 11, ..data };
    (sregs.ds, sregs.es, sregs.fs, sregs.gs, sregs.ss) = (data, data, data, data, data);
    sregs.tr = kvm_segment { limit: 0x67, type_: 11, present: 1, ..kvm_segment::default() };
    sregs.cr0 = 1;
    sregs.cr4 = 0;
    kvm_regs { rip: u64::from(entry), rbx: start_info, rflags: 2, ..kvm_regs::default() }
}
