//! The DSDT: devices that nothing else announces (ACPI 6.5 § 6, AML in § 20).

use acpi_tables::aml::{
    AddressSpace, AddressSpaceCacheable, Arg, CreateDWordField, Device, EISAName, Equal, IO, If, Interrupt,
    Memory32Fixed, Method, Name, Notify, Or, Package, Path, ResourceTemplate, Return, Scope, Uuid, ZERO,
};
use acpi_tables::{Aml, AmlSink};

use super::{Acpi, FIRST_LINE, PVPANIC_PORT, Pci, RTC_PORT, SLEEP_TYPE_OFF, UART_PORT};

/// The interface of `_OSC` of a PCI host bridge (PCI Firmware 3.3 § 4.5.1).
const PCI_OSC: &str = "33db4d5b-1ff7-401c-9657-7441c03dd766";
/// "Unrecognized UUID", in the first word of what `_OSC` gives back (ACPI 6.5 table 6.16).
const UNRECOGNIZED: u8 = 1 << 2;
/// What the power button's event is notified with (ACPI 6.5 table 5.159).
const PRESSED: u8 = 0x80;
/// The registers of a virtio-mmio device take a page.
const MMIO_SIZE: u32 = 0x1000;

impl Acpi {
    /// The body of the DSDT.
    pub(super) fn dsdt(&self) -> Vec<u8> {
        let mut aml = Vec::new();
        self.pci.as_ref().inspect(|pci| host_bridge(pci, &mut aml));
        for (index, device) in self.mmio.iter().enumerate() {
            let registers = Memory32Fixed::new(true, device.base, MMIO_SIZE);
            let name = format!("V{index:03X}");
            self::device(&name, &"LNRO0005", index as u32, &[&registers, &edge(device.gsi)], &mut aml);
        }
        if let Some(gsi) = self.uart_gsi {
            let ports = IO::new(UART_PORT, UART_PORT, 1, 8);
            device("COM1", &EISAName::new("PNP0501"), 0, &[&ports, &edge(gsi)], &mut aml);
        }
        if self.rtc {
            let ports = IO::new(RTC_PORT, RTC_PORT, 1, 2);
            device("RTC_", &EISAName::new("PNP0B00"), 0, &[&ports], &mut aml);
        }
        if self.pvpanic {
            let port = IO::new(PVPANIC_PORT, PVPANIC_PORT, 1, 1);
            device("PEVT", &"QEMU0001", 0, &[&port], &mut aml);
        }
        if let Some(gsi) = self.power_button_gsi {
            power_button(gsi, &mut aml);
        }
        let mut body = Scope::raw(Path::new("\\_SB_"), aml);
        let off = [SLEEP_TYPE_OFF, 0, 0, 0];
        let off = Package::new(off.iter().map(|byte| byte as &dyn Aml).collect());
        Name::new(Path::new("\\_S5_"), &off).to_aml_bytes(&mut body);
        body
    }
}

/// A pin of the IOAPIC as a device has it: edge triggered, active high, not shared.
fn edge(pin: u32) -> Interrupt {
    Interrupt::new(true, true, false, false, FIRST_LINE + pin)
}

fn device(name: &str, hid: &dyn Aml, uid: u32, resources: &[&dyn Aml], sink: &mut dyn AmlSink) {
    let resources = ResourceTemplate::new(resources.to_vec());
    let hid = Name::new("_HID".into(), hid);
    let uid = Name::new("_UID".into(), &uid);
    let resources = Name::new("_CRS".into(), &resources);
    Device::new(name.into(), vec![&hid, &uid, &resources]).to_aml_bytes(sink);
}

/// The host bridge with its windows, and its configuration space as a resource of the motherboard:
/// Linux trusts the MCFG table only if that says the same.
fn host_bridge(pci: &Pci, sink: &mut dyn AmlSink) {
    let uncached = AddressSpaceCacheable::NotCacheable;
    let bus = AddressSpace::new_bus_number(0_u16, ((pci.ecam.end - pci.ecam.start) >> 20) as u16 - 1);
    let low = AddressSpace::new_memory(uncached, true, pci.window32.start as u32, (pci.window32.end - 1) as u32, None);
    let high = pci.window64.map(|range| AddressSpace::new_memory(uncached, true, range.start, range.end - 1, None));
    let mut resources: Vec<&dyn Aml> = vec![&bus, &low];
    resources.extend(high.as_ref().map(|high| high as &dyn Aml));
    let resources = ResourceTemplate::new(resources);

    // Whatever the guest wants to control is its own: the monitor has no say in any of it.
    let interface = Uuid::new(PCI_OSC);
    let known = Equal::new(&Arg(0), &interface);
    let granted = Return::new(&Arg(3));
    let is_known = If::new(&known, vec![&granted]);
    let status = Path::new("CDW1");
    let field = CreateDWordField::new(&status, &Arg(3), &ZERO);
    let unknown = Or::new(&status, &status, &UNRECOGNIZED);
    let osc = Method::new("_OSC".into(), 4, true, vec![&is_known, &field, &unknown, &granted]);

    let hid = Name::new("_HID".into(), &EISAName::new("PNP0A08"));
    let cid = Name::new("_CID".into(), &EISAName::new("PNP0A03"));
    let [segment, number, uid] = ["_SEG", "_BBN", "_UID"].map(|name| Name::new(name.into(), &ZERO));
    let resources = Name::new("_CRS".into(), &resources);
    let routes: Vec<[u32; 4]> =
        pci.pins.iter().map(|&(device, pin)| [u32::from(device) << 16 | 0xffff, 0, 0, FIRST_LINE + pin]).collect();
    let routes: Vec<Package> =
        routes.iter().map(|route| Package::new(route.iter().map(|word| word as &dyn Aml).collect())).collect();
    let routes = Package::new(routes.iter().map(|route| route as &dyn Aml).collect());
    let routes = Name::new("_PRT".into(), &routes);
    let mut children: Vec<&dyn Aml> = vec![&hid, &cid, &segment, &number, &uid, &resources, &osc];
    // Devices with MSI-X have no pins to be routed (ACPI 6.5 § 6.2.13).
    if !pci.pins.is_empty() {
        children.push(&routes);
    }
    Device::new("PCI0".into(), children).to_aml_bytes(sink);

    let ecam = Memory32Fixed::new(true, pci.ecam.start as u32, (pci.ecam.end - pci.ecam.start) as u32);
    device("ECAM", &EISAName::new("PNP0C02"), 0, &[&ecam], sink);
}

/// The generic event device (ACPI 6.5 § 5.6.9) whose one interrupt presses the power button.
fn power_button(pin: u32, sink: &mut dyn AmlSink) {
    let hid = Name::new("_HID".into(), &EISAName::new("PNP0C0C"));
    let uid = Name::new("_UID".into(), &ZERO);
    Device::new("PWRB".into(), vec![&hid, &uid]).to_aml_bytes(sink);

    let hid = Name::new("_HID".into(), &"ACPI0013");
    let line = edge(pin);
    let resources = ResourceTemplate::new(vec![&line]);
    let resources = Name::new("_CRS".into(), &resources);
    let button = Path::new("\\_SB_.PWRB");
    let press = Notify::new(&button, &PRESSED);
    let line_number = FIRST_LINE + pin;
    let is_ours = Equal::new(&Arg(0), &line_number);
    let pressed = If::new(&is_ours, vec![&press]);
    let event = Method::new("_EVT".into(), 1, true, vec![&pressed]);
    Device::new("GED_".into(), vec![&hid, &uid, &resources, &event]).to_aml_bytes(sink);
}
