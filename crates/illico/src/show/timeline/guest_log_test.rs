use super::*;

fn record(at: u64, text: &str) -> Record {
    Record { at, text: text.as_bytes().to_vec() }
}

fn entry(text: &str) -> Entry {
    Entry { at: 0, text: text.to_owned() }
}

#[test]
fn the_order_is_that_of_the_guests_clock() {
    let entries = read(&[record(2, "b"), record(1, "a ")]);
    assert_eq!(entries, [Entry { at: 1, text: "a".into() }, Entry { at: 2, text: "b".into() }]);
}

#[test]
fn nothing_in_a_line_can_steer_a_terminal_or_a_page() {
    assert_eq!(read(&[record(1, "\x1b[2Jwiped\x07")])[0].text, "\u{fffd}[2Jwiped\u{fffd}");
    let broken = Record { at: 1, text: vec![0xff, 0xfe] };
    assert_eq!(read(&[broken])[0].text, "\u{fffd}\u{fffd}");
}

#[test]
fn initcalls_are_told_by_name() {
    assert_eq!(entry("calling  acpi_init+0x0/0x4a0 @ 1").initcall(), Some(Initcall::Calling("acpi_init")));
    assert_eq!(
        entry("initcall acpi_init+0x0/0x4a0 returned -19 after 12345 usecs").initcall(),
        Some(Initcall::Returned("acpi_init"))
    );
    assert_eq!(
        entry("calling  virtio_blk_init+0x0/0xff0 [virtio_blk] @ 80").initcall(),
        Some(Initcall::Calling("virtio_blk_init"))
    );
    for text in ["calling ", "initcall x", "initcall x returned", "a line"] {
        assert_eq!(entry(text).initcall(), None, "{text:?}");
    }
}

#[test]
fn the_guests_clock_tells_where_it_began() {
    assert_eq!(entry("kvm-clock: using sched offset of 24681012 cycles").sched_offset(), Some(24_681_012));
    for text in ["kvm-clock: using sched offset of -1 cycles", "kvm-clock: using sched offset of ", "kvm-clock: x"] {
        assert_eq!(entry(text).sched_offset(), None, "{text:?}");
    }
}

#[test]
fn our_own_programs_set_marks() {
    assert_eq!(entry("illico: command started").mark(), Some("command started"));
    assert_eq!(entry("illico: ").mark(), None);
    assert_eq!(entry("other: command started").mark(), None);
}
