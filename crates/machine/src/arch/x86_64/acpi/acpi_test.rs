use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use super::*;
use crate::boot::testkit::{bytes_at, ram};

fn everything() -> Acpi {
    Acpi {
        cpus: 64,
        pci: Some(Pci {
            ecam: Range { start: 0xe000_0000, end: 0xe010_0000 },
            window32: Range { start: 0xc000_0000, end: 0xd000_0000 },
            window64: Some(Range { start: 1 << 36, end: 1 << 37 }),
            pins: vec![(1, 66), (31, 67)],
        }),
        mmio: (0..64).map(|n| MmioDevice { base: 0xd000_0000 + n * 0x1000, gsi: 2 + n }).collect(),
        uart_gsi: Some(1),
        power_button_gsi: Some(0),
        rtc: true,
        pvpanic: true,
    }
}

fn least() -> Acpi {
    Acpi { cpus: 1, pci: None, mmio: vec![], uart_gsi: None, power_button_gsi: None, rtc: false, pvpanic: false }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Finds the tables as a guest does, from the RSDP on, and checks every sum on the way.
fn read_back(acpi: &Acpi) -> BTreeMap<String, Vec<u8>> {
    let ram = ram(16);
    let rsdp = bytes_at(&ram, acpi.write(&ram).unwrap().0, 36);
    assert_eq!((&rsdp[..8], rsdp[15], number(&rsdp[20..24])), (b"RSD PTR ".as_slice(), 2, 36));
    assert_eq!((sum(&rsdp[..20]), sum(&rsdp)), (0, 0));
    let table = |at: u64| {
        assert!(at.is_multiple_of(16) && ACPI.contains(at));
        let len = number(&bytes_at(&ram, at + 4, 4));
        assert!(at + len <= ACPI.end);
        let table = bytes_at(&ram, at, len as usize);
        assert_eq!(sum(&table), 0, "{}", String::from_utf8_lossy(&table[..4]));
        table
    };
    let xsdt = table(number(&rsdp[24..32]));
    let mut tables: Vec<_> = xsdt[36..].chunks(8).map(|at| table(number(at))).collect();
    tables.push(table(number(&tables[0][140..148])));
    tables.push(xsdt);
    tables.into_iter().map(|table| (String::from_utf8(table[..4].to_vec()).unwrap(), table)).collect()
}

#[test]
fn every_table_is_found_from_the_rsdp_and_sums_to_zero() {
    let names = |acpi: &Acpi| read_back(acpi).into_keys().collect::<Vec<_>>();
    assert_eq!(names(&everything()), ["APIC", "DSDT", "FACP", "MCFG", "XSDT"]);
    assert_eq!(names(&least()), ["APIC", "DSDT", "FACP", "XSDT"]);
}

#[test]
fn the_fadt_has_registers_for_sleep_and_reset_and_no_legacy_hardware() {
    let fadt = read_back(&everything()).remove("FACP").unwrap();
    assert_eq!((fadt.len(), fadt[8]), (276, 6));
    let flags = number(&fadt[112..116]);
    assert_eq!((flags >> 20 & 1, flags >> 10 & 1), (1, 1));
    let port = |at: usize| (fadt[at], fadt[at + 1], number(&fadt[at + 4..at + 12]));
    assert_eq!(port(116), (1, 8, 0x602));
    assert_eq!(fadt[128], 1);
    assert_eq!((port(244), port(256)), ((1, 8, 0x600), (1, 8, 0x601)));
    let boot_arch = |acpi: &Acpi| number(&read_back(acpi)["FACP"][109..111]);
    assert_eq!((boot_arch(&everything()), boot_arch(&least())), (0b01_0100, 0b11_0100));
}

#[test]
fn the_madt_lists_cpus_and_an_ioapic_only_for_line_interrupts() {
    let madt = read_back(&everything()).remove("APIC").unwrap();
    assert_eq!(number(&madt[36..40]), 0xfee0_0000);
    assert_eq!(madt.len(), 44 + 64 * 8 + 12);
    assert_eq!(madt[44 + 63 * 8..44 + 64 * 8], [0, 8, 63, 63, 1, 0, 0, 0]);
    assert_eq!(madt[44 + 64 * 8..], [1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 16, 0, 0, 0]);
    assert_eq!(read_back(&least())["APIC"].len(), 44 + 8);
}

#[test]
fn the_mcfg_has_one_bus() {
    let mcfg = read_back(&everything()).remove("MCFG").unwrap();
    assert_eq!(mcfg[44..], [0, 0, 0, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}

/// `iasl` is the second opinion on the AML: what it disassembles, it must assemble again.
#[test]
fn the_dsdt_is_what_iasl_reads() {
    let text = disassembled(&everything());
    let expected = [
        "PNP0A08",
        "PNP0A03",
        "PNP0C02",
        "_PRT",
        "0x0001FFFF",
        "0x001FFFFF",
        "0xE0000000",
        "0xCFFFFFFF",
        "0x0000001FFFFFFFFF",
        "LNRO0005",
        "0xD003F000",
        "PNP0501",
        "0x03F8",
        "PNP0B00",
        "QEMU0001",
        "0x0505",
        "ACPI0013",
        "PNP0C0C",
        "Notify (\\_SB.PWRB, 0x80)",
        "_S5",
        "33db4d5b-1ff7-401c-9657-7441c03dd766",
    ];
    for part in expected {
        assert!(text.contains(part), "no {part} in:\n{text}");
    }
    let bare = disassembled(&least());
    assert!(!bare.contains("Device (") && bare.contains("_S5"), "{bare}");
}

fn disassembled(acpi: &Acpi) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("dsdt.aml"), &read_back(acpi)["DSDT"]).unwrap();
    let run = |arguments: &[&str]| {
        let run = Command::new("iasl").args(arguments).current_dir(folder.path()).output();
        let run = run.expect("this test needs iasl: apt-get install acpica-tools");
        let told = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success() && !told.contains("Error") || told.contains("0 Errors"), "{told}");
        told
    };
    run(&["-d", "dsdt.aml"]);
    let told = run(&["-p", "again", "dsdt.dsl"]);
    assert!(told.contains("0 Errors, 0 Warnings"), "{told}");
    fs::read_to_string(folder.path().join("dsdt.dsl")).unwrap()
}
