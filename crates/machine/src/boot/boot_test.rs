use super::testkit::{Kernel, bytes_at, file, ram};
use super::*;

fn acpi() -> Acpi {
    Acpi { cpus: 1, pci: None, mmio: vec![], uart_gsi: None, power_button_gsi: None, rtc: false, pvpanic: false }
}

fn load_into(ram: &Ram, kernel: &File, initrd: Option<&File>, protocol: Option<Protocol>) -> Result<Entry, LoadError> {
    let mut command_line = CommandLine::new();
    command_line.push("quiet").unwrap();
    let acpi = acpi();
    let sources =
        Sources { kernel, initrd, command_line: &command_line, acpi: &acpi, protocol, spans: &Spans::default() };
    load(ram, &sources).map(|loaded| loaded.entry)
}

/// The error as a person reads it, and the option it is about.
fn told(mib: u64, kernel: &File, initrd: Option<&File>) -> (String, &'static str) {
    let error = load_into(&ram(mib), kernel, initrd, None).unwrap_err();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    (text, error.field())
}

#[test]
fn a_pvh_kernel_is_entered_with_command_line_initrd_and_tables() {
    let ram = ram(16);
    let entry = load_into(&ram, &Kernel::pvh().file(), Some(&file(b"initrd")), None).unwrap();
    assert_eq!(entry, Entry::Pvh { entry: 0x20_0001, start_info: places::START_INFO });
    assert_eq!(bytes_at(&ram, 0x20_0000, 7), b"\xf4kernel");
    assert_eq!(bytes_at(&ram, places::COMMAND_LINE.0, 6), b"quiet\0");
    assert_eq!(bytes_at(&ram, (16 << 20) - 0x1000, 7), b"initrd\0");
    assert_eq!(bytes_at(&ram, places::ACPI.start, 8), b"RSD PTR ");
}

#[test]
fn a_kernel_without_the_note_is_entered_by_the_protocol_of_linux() {
    let ram = ram(4 << 10);
    let entry = load_into(&ram, &Kernel::plain().file(), Some(&file(b"initrd")), None).unwrap();
    assert!(matches!(entry, Entry::Linux64 { entry: 0x20_0000, zero_page: places::ZERO_PAGE, .. }));
    assert_eq!(bytes_at(&ram, 0x7fff_f000, 6), b"initrd");
    assert!(matches!(load_into(&ram, &Kernel::pvh().file(), None, Some(Protocol::Linux64)), Ok(Entry::Linux64 { .. })));
}

#[test]
fn what_is_wrong_is_told_with_the_option_that_it_is_about() {
    let kernel = Kernel::pvh().file();
    let (text, option) = told(16, &file(b"no ELF file"), None);
    assert!(text.starts_with("cannot boot this kernel: its ELF header is broken") && option == "kernel", "{text}");
    let (text, option) = told(16, &File::open("/dev/zero").unwrap(), None);
    assert_eq!((text.as_str(), option), ("cannot boot this kernel: it is not a regular file", "kernel"));
    let far = Kernel { segments: vec![(0x20_0000, b"x".to_vec(), 32 << 20)], ..Kernel::pvh() };
    let text =
        "cannot boot this kernel: its segment 0x200000..0x2200000 does not fit into 16 MiB of memory; give it more";
    assert_eq!(told(16, &far.file(), None), (text.into(), "memory"));
    let (text, option) = told(16, &kernel, Some(&file(b"")));
    assert!(text.starts_with("cannot load the initrd: the file is empty") && option == "initrd", "{text}");
    let large = tempfile::tempfile().unwrap();
    large.set_len(32 << 20).unwrap();
    let (text, option) = told(16, &kernel, Some(&large));
    assert!(text.ends_with("into 16 MiB of memory") && option == "initrd", "{text}");
    assert!(load_into(&ram(35), &kernel, Some(&large), None).is_ok());
    assert_eq!(told(1, &kernel, None).1, "memory");
}
