use super::*;

fn leaf(function: u32, index: u32, [eax, ebx, ecx, edx]: [u32; 4]) -> Leaf {
    Leaf { function, index, eax, ebx, ecx, edx, ..Default::default() }
}

fn text(bytes: &[u8; 4]) -> u32 {
    u32::from_le_bytes(*bytes)
}

/// What a KVM that has everything would say.
fn everything(vendor: Vendor) -> Vec<Leaf> {
    let name = match vendor {
        Vendor::Intel => [0x20, text(b"Genu"), text(b"ntel"), text(b"ineI")],
        Vendor::Amd => [0x20, text(b"Auth"), text(b"cAMD"), text(b"enti")],
    };
    let all = [u32::MAX; 4];
    let mut leaves = vec![leaf(0, 0, name), leaf(0x8000_0000, 0, [0x8000_0028, name[1], name[2], name[3]])];
    leaves.extend((1..=0x20).map(|function| leaf(function, 0, all)));
    leaves.extend((1..4).map(|index| leaf(4, index, all)));
    leaves.extend([leaf(7, 1, all), leaf(7, 2, all), leaf(0xd, 1, all), leaf(0xb, 1, all)]);
    leaves.extend([leaf(0x4000_0000, 0, all), leaf(0x4000_0001, 0, all)]);
    leaves.extend((0x8000_0001..=0x8000_0028).map(|function| leaf(function, 0, all)));
    leaves
}

struct Seen(Vec<Leaf>);

impl Seen {
    fn get(&self, function: u32, index: u32) -> Leaf {
        let mut found = self.0.iter().filter(|leaf| (leaf.function, leaf.index) == (function, index));
        let leaf = found.next().unwrap_or_else(|| panic!("leaf {function:#x}.{index} is not there"));
        assert!(found.next().is_none(), "leaf {function:#x}.{index} is there twice");
        *leaf
    }
}

fn seen(vendor: Vendor, cpus: u8, index: u8) -> Seen {
    let model = CpuModel::shape(&everything(vendor), cpus);
    assert_eq!(model.vendor(), vendor);
    Seen(model.cpuid(index, 2_600_000).unwrap().as_slice().to_vec())
}

#[test]
fn each_vcpu_finds_its_own_apic_id_in_both_leaves() {
    for index in [0, 1, 63] {
        let seen = seen(Vendor::Intel, 64, index);
        assert_eq!(seen.get(1, 0).ebx >> 24, u32::from(index));
        for level in 0..3 {
            assert_eq!(seen.get(0xb, level).edx, u32::from(index));
        }
    }
}

#[test]
fn the_machine_is_one_package_of_cores_without_threads() {
    for (cpus, bits) in [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (64, 6)] {
        for vendor in [Vendor::Intel, Vendor::Amd] {
            let seen = seen(vendor, cpus, 0);
            let (threads, cores, end) = (seen.get(0xb, 0), seen.get(0xb, 1), seen.get(0xb, 2));
            assert_eq!((threads.eax, threads.ebx, threads.ecx), (0, 1, 0x100));
            assert_eq!((cores.eax, cores.ebx, cores.ecx), (bits, cpus.into(), 0x201));
            assert_eq!((end.eax, end.ebx, end.ecx), (0, 0, 2));
            let one = seen.get(1, 0);
            assert_eq!(one.ebx >> 16 & 0xff, 1 << bits, "APIC ids of {cpus} vCPUs");
            assert_eq!(one.edx >> 28 & 1, u32::from(cpus > 1), "HTT of {cpus} vCPUs");
        }
        let eight = seen(Vendor::Amd, cpus, 0).get(0x8000_0008, 0);
        assert_eq!((eight.ecx & 0xff, eight.ecx >> 12 & 0xf), (u32::from(cpus) - 1, bits));
    }
}

#[test]
fn only_the_last_cache_is_shared() {
    let mut leaves = everything(Vendor::Intel);
    for (index, level) in [1, 1, 2, 3].into_iter().enumerate() {
        let cache = leaves.iter_mut().find(|leaf| (leaf.function, leaf.index) == (4, index as u32)).unwrap();
        cache.eax = 0xffff_c000 | level << 5 | 1;
    }
    let seen = Seen(CpuModel::shape(&leaves, 4).cpuid(0, 1).unwrap().as_slice().to_vec());
    let sharing = [0, 1, 2, 3].map(|index| seen.get(4, index).eax >> 14 & 0xfff);
    assert_eq!(sharing, [0, 0, 0, 3]);
    assert_eq!(seen.get(4, 0).eax >> 26, 3, "cores in the package, less one");
}

#[test]
fn what_is_not_offered_is_gone() {
    for vendor in [Vendor::Intel, Vendor::Amd] {
        let seen = seen(vendor, 2, 0);
        for missing in NOT_OFFERED {
            let leaf = seen.get(missing.leaf, 0);
            let value = match missing.register {
                Ebx => leaf.ebx,
                Ecx => leaf.ecx,
                Edx => leaf.edx,
            };
            let left = if missing.vendor.is_none_or(|only| only == vendor) { 0 } else { missing.bits };
            assert_eq!(value & missing.bits, left, "{} for {vendor:?}", missing.what);
        }
    }
}

#[test]
fn what_linux_cannot_live_without_stays() {
    // FPU, PSE, TSC, MSR, PAE, CX8, APIC, SEP, PGE, CMOV, CLFLUSH, FXSR, SSE, SSE2 (asm/required-features.h).
    let required = [0, 3, 4, 5, 6, 8, 9, 11, 13, 15, 19, 24, 25, 26];
    for bit in required {
        assert_ne!(seen(Vendor::Amd, 1, 0).get(1, 0).edx & 1 << bit, 0, "bit {bit}");
    }
    let long_mode_nx_syscall = 1 << 29 | 1 << 20 | 1 << 11;
    assert_eq!(seen(Vendor::Amd, 1, 0).get(0x8000_0001, 0).edx & long_mode_nx_syscall, long_mode_nx_syscall);
}

#[test]
fn no_leaf_is_above_the_highest() {
    for vendor in [Vendor::Intel, Vendor::Amd] {
        let seen = seen(vendor, 2, 0);
        assert_eq!(seen.get(0, 0).eax, 0xd);
        let extended = seen.get(0x8000_0000, 0).eax;
        assert_eq!(extended, 0x8000_0021);
        for leaf in &seen.0 {
            let highest = [0xd, 0x4000_0010, extended].into_iter().find(|high| leaf.function >> 16 == high >> 16);
            assert!(leaf.function <= highest.unwrap(), "leaf {:#x}", leaf.function);
        }
    }
}

#[test]
fn the_second_feature_leaf_is_left_out_where_it_says_nothing_new() {
    let mut leaves = everything(Vendor::Amd);
    let second = leaves.iter_mut().find(|leaf| leaf.function == EXTENDED_FEATURES_2).unwrap();
    (second.eax, second.ecx) = (NOTHING_NEW, 0);
    let seen = Seen(CpuModel::shape(&leaves, 1).leaves);
    assert_eq!(seen.get(0x8000_0000, 0).eax, 0x8000_0008);
    let above = seen.0.iter().find(|leaf| leaf.function > 0x8000_0008);
    assert!(above.is_none(), "{above:?}");
}

#[test]
fn the_guest_is_told_whatever_it_would_calibrate() {
    let seen = seen(Vendor::Amd, 1, 0);
    assert_eq!(seen.get(0x4000_0000, 0).eax, 0x4000_0010);
    let timing = seen.get(0x4000_0010, 0);
    assert_eq!((timing.eax, timing.ebx), (2_600_000, 1_000_000));
    let one = seen.get(1, 0);
    assert_eq!(one.ecx & (1 << 21 | 1 << 24 | 1 << 31), 1 << 21 | 1 << 24 | 1 << 31);
}
