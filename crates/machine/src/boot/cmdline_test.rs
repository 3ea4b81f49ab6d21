use illico_memory::{Layout, Pages};

use super::*;

const VIRTIO: Machine = Machine { console: Console::Virtio, pci: true };
const UART: Machine = Machine { console: Console::Uart, pci: false };

#[test]
fn the_users_words_come_last() {
    let mut line = CommandLine::with_defaults(VIRTIO);
    line.push("virtio_mmio.device=4K@0xd0000000:1").unwrap();
    line.push(" panic=30 -- --verbose\n").unwrap();
    assert!(line.as_str().starts_with("console=hvc0 8250.nr_uarts=0 pci=noearly "), "{line:?}");
    assert!(line.as_str().ends_with(" virtio_mmio.device=4K@0xd0000000:1 panic=30 -- --verbose"), "{line:?}");
}

#[test]
fn defaults_follow_the_machine() {
    let words = |machine| CommandLine::with_defaults(machine).text;
    assert!(words(UART).contains("console=ttyS0 8250.nr_uarts=1 pci=off"));
    let none = words(Machine { console: Console::None, pci: true });
    assert!(!none.contains("console=") && none.contains("8250.nr_uarts=0"));
}

#[test]
fn without_defaults_there_is_nothing_but_the_users_words() {
    let mut line = CommandLine::new();
    line.push("").unwrap();
    assert_eq!(line.as_str(), "");
    line.push("root=/dev/vda").unwrap();
    assert_eq!(line.as_str(), "root=/dev/vda");
}

#[test]
fn it_is_bounded_by_what_linux_reads() {
    let mut line = CommandLine::new();
    line.push(&"a".repeat(2047)).unwrap();
    assert_eq!(line.push("b"), Err(CommandLineError::TooLong { len: 2049, defaults: 0, most: 2047 }));
    let mut line = CommandLine::with_defaults(VIRTIO);
    let room = 2047 - line.defaults - 1;
    assert!(line.push(&"a".repeat(room + 1)).is_err());
    line.push(&"a".repeat(room)).unwrap();
    assert_eq!(line.as_str().len(), 2047);
}

#[test]
fn bytes_that_would_not_arrive_are_refused() {
    let mut line = CommandLine::new();
    assert_eq!(line.push("a\0b"), Err(CommandLineError::Byte { at: 1, byte: 0 }));
    assert_eq!(line.push("a\nb"), Err(CommandLineError::Byte { at: 1, byte: 10 }));
    assert_eq!(line.push("caf\u{e9}"), Err(CommandLineError::Byte { at: 3, byte: 0xc3 }));
    assert_eq!(line, CommandLine::new());
}

#[test]
fn every_default_is_one_word_with_a_reason() {
    for default in DEFAULTS {
        assert!(!default.word.contains(' ') && default.reason.len() > 10, "{default:?}");
    }
}

#[test]
fn it_is_written_with_a_final_nul() {
    let ram = Ram::new(&Layout::flat(1 << 20), Pages::Small).unwrap();
    ram.write(COMMAND_LINE, &[0xff; 8]).unwrap();
    let mut line = CommandLine::new();
    line.push("quiet").unwrap();
    line.write(&ram).unwrap();
    let mut back = [0; 7];
    ram.read(COMMAND_LINE, &mut back).unwrap();
    assert_eq!(&back, b"quiet\0\xff");
}

#[test]
fn the_page_about_booting_lists_the_defaults_with_their_reasons() {
    let page = include_str!("../../../../docs/boot.md");
    for DefaultWord { word, reason, .. } in DEFAULTS {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{word}` |")));
        assert!(row.is_some_and(|row| row.ends_with(&format!("| {reason} |"))), "docs/boot.md lacks {word}: {reason}");
    }
    let rows =
        page.lines().skip_while(|line| !line.starts_with("| word |")).skip(2).filter(|line| line.starts_with("| `"));
    assert_eq!(rows.count(), DEFAULTS.len(), "words that are no defaults any more");
}
