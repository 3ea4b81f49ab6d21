//! The second opinion: what rust-vmm's linux-loader makes of the same kernels.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]

use linux_loader::loader::elf::PvhBootCapability;
use linux_loader::loader::{self, KernelLoader};
use proptest::prelude::*;
use vm_memory::{Bytes, GuestAddress as TheirAddress, GuestMemoryMmap};

use super::*;
use crate::boot::testkit::{Kernel, bytes_at, note, ram};

const MIB: u64 = 1 << 20;
const RAM_MIB: u64 = 4;

/// Up to three segments that do not overlap, and notes of which some are the one that counts.
fn kernels() -> impl Strategy<Value = Kernel> {
    let bytes = || prop::collection::vec(any::<u8>(), 1..200);
    let segment = (0..MIB / 2, bytes(), 0_u64..0x3000);
    let notes = prop::collection::vec((any::<bool>(), prop_oneof![Just(18_u32), 0..20_u32], bytes()), 0..4);
    (prop::collection::vec(segment, 1..4), notes, any::<bool>()).prop_map(|(parts, others, pvh)| {
        let segments: Vec<_> = parts
            .into_iter()
            .zip(1..)
            .map(|((offset, bytes, more), mib)| {
                let size = bytes.len() as u64 + more;
                (mib * MIB + offset, bytes, size)
            })
            .collect();
        let entry = segments.first().map_or(0, |(start, ..)| *start);
        let mut notes = Vec::new();
        for (xen, kind, desc) in others {
            // Ours in another name space and others in ours, but no second one that counts.
            let (name, kind) = if xen { (b"Xen\0", kind + 100) } else { (b"ABC\0", kind) };
            notes.extend(note(name, kind, &desc, 4));
        }
        if pvh {
            notes.extend(note(b"Xen\0", 18, &entry.to_le_bytes(), 4));
        }
        Kernel { entry, segments, notes: (!notes.is_empty()).then_some((notes, 4)), ..Kernel::plain() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn linux_loader_puts_the_same_bytes_in_the_same_places(kernel in kernels()) {
        let theirs = GuestMemoryMmap::<()>::from_ranges(&[(TheirAddress(0), (RAM_MIB * MIB) as usize)]).unwrap();
        let loaded = loader::Elf::load(&theirs, None, &mut kernel.file(), None).unwrap();

        let (ours, file) = (ram(RAM_MIB), kernel.file());
        let elf = Elf::parse(&file, file.metadata().unwrap().len()).unwrap();
        elf.load(&file, &ours).unwrap();

        let pvh = match loaded.pvh_boot_cap {
            PvhBootCapability::PvhEntryPresent(entry) => Some(entry.0),
            _ => None,
        };
        prop_assert_eq!(elf.pvh.map(u64::from), pvh);
        prop_assert_eq!(elf.linux64, Some(loaded.kernel_load.0));
        let mut all = vec![0; (RAM_MIB * MIB) as usize];
        theirs.read_slice(&mut all, TheirAddress(0)).unwrap();
        prop_assert!(bytes_at(&ours, 0, all.len()) == all);
    }
}
