use std::time::Duration;

use illico_machine::exit_samples::Sample;
use illico_machine::guest_log::Record;
use illico_machine::spans;

use super::*;
use crate::show::timeline::accounted::Gap;

const MS: u64 = 1_000_000;

fn recorded(log: Vec<Record>) -> Recorded {
    let one = |name: &'static str, thread: &str, begin: u64, end: u64| spans::Span {
        name: name.into(),
        detail: String::new(),
        thread: thread.to_owned(),
        begin: begin * MS,
        end: end * MS,
    };
    Recorded {
        spans: vec![
            one("parse the options", "main", 0, 1),
            one("KVM_GET_SUPPORTED_CPUID", "devices", 1, 2),
            one("KVM_CREATE_VM", "main", 2, 4),
            one("load the guest", "main", 4, 8),
            one(FIRST_RUN, "main", 8, 8),
            one(ENDED, "main", 80, 80),
        ],
        left_out: 0,
        machine: Some(Timeline {
            guest_clock_zero: Some(3 * MS as i64),
            log,
            exits: ExitSamples {
                samples: vec![
                    Sample { at: 8 * MS, reasons: [0; 8], parties: vec![0], halted: 0 },
                    Sample { at: 10 * MS, reasons: [1, 2, 4, 3, 0, 0, 0, 9], parties: vec![5], halted: 7 },
                ],
                parties: vec!["uart".into()],
                pages: None,
            },
        }),
    }
}

fn log() -> Vec<Record> {
    [
        (0, "Linux version 6.12.0"),
        (0, "kvm-clock: using sched offset of 7000000 cycles"),
        (20_000, "devtmpfs: initialized"),
        (20_100, "calling  acpi_init+0x0/0x10 @ 1"),
        (30_100, "initcall acpi_init+0x0/0x10 returned 0 after 10000 usecs"),
        (35_000, "something else"),
        (40_000, "Run /init as init process"),
        (50_000, "illico: command started"),
    ]
    .map(|(us, text)| Record { at: us * 1000, text: text.as_bytes().to_vec() })
    .to_vec()
}

fn story() -> Story {
    let origin =
        Origin { named: Duration::from_millis(5), unnamed: Duration::from_millis(1), uncertain: Duration::ZERO };
    Story::tell(&recorded(log()), 90 * MS, &origin)
}

fn find<'a>(story: &'a Story, lane: &str, name: &str) -> &'a Span {
    let span = story.spans.iter().find(|span| span.lane == lane && span.name == name);
    span.unwrap_or_else(|| panic!("no {name} in {:#?}", story.spans))
}

#[test]
fn host_and_guest_are_on_one_axis_that_begins_with_exec() {
    let story = story();
    // exec is 6 ms before main, and printk's clock begins 3 + 7 ms after it.
    assert_eq!(story.guest_clock.as_ref().unwrap().zero, 16 * MS as i64);
    assert_eq!((find(&story, MONITOR, "KVM_CREATE_VM").begin, story.mark(FIRST_RUN)), (8 * MS, Some(14 * MS)));
    let acpi = find(&story, INITCALLS, "acpi_init");
    assert_eq!((acpi.begin, acpi.end), (36_100_000, 46_100_000));
    assert_eq!(story.mark(INIT), Some(56 * MS));
    assert_eq!(story.mark(COMMAND_STARTED), Some(66 * MS));
    assert_eq!(story.mark(ENDED), Some(86 * MS));
    assert_eq!(story.end, 96 * MS);
}

#[test]
fn a_line_of_the_log_lasts_until_the_next() {
    let story = story();
    let step = find(&story, LOG, "devtmpfs: initialized");
    assert_eq!((step.begin, step.end), (36 * MS, 51 * MS));
    assert_eq!(find(&story, LOG, "something else").end, 56 * MS);
    assert!(story.spans.iter().all(|span| !span.name.starts_with("Linux version")), "it took no time");
}

#[test]
fn phases_follow_one_another_without_a_gap() {
    let story = story();
    let phases: Vec<_> = story.spans.iter().filter(|span| span.lane == GUEST).collect();
    assert_eq!(
        phases.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(),
        ["entry", "early set-up", "initcalls", "init"]
    );
    assert!(phases.windows(2).all(|pair| pair[0].end == pair[1].begin));
}

#[test]
fn what_has_no_name_is_listed() {
    let Accounted { until, total, named, unnamed, .. } = story().accounted;
    assert_eq!((until.as_str(), total), (COMMAND_STARTED, 66 * MS));
    assert_eq!(unnamed, [Gap { begin: 0, end: MS }], "what was waited for before main is known by its length only");
    assert_eq!(named, 65 * MS);
}

#[test]
fn spans_are_in_order_and_within_the_axis() {
    let story = story();
    assert!(story.spans.windows(2).all(|pair| pair[0].begin <= pair[1].begin));
    assert!(story.spans.iter().all(|span| span.begin < span.end && span.end <= story.end), "{:#?}", story.spans);
}

#[test]
fn exits_are_differences_between_two_looks() {
    let exits = story().exits.unwrap();
    assert_eq!(exits.buckets.len(), 1);
    let bucket = &exits.buckets[0];
    assert_eq!((bucket.begin, bucket.end), (14 * MS, 16 * MS));
    assert_eq!(
        (bucket.all.as_slice(), bucket.came_up.as_slice(), bucket.halted),
        (&[1, 2, 4, 3, 0, 0, 0, 9][..], &[5][..], 7)
    );
}

#[test]
fn a_guest_that_lies_about_time_stays_between_its_beginning_and_its_end() {
    let log = [
        (u64::MAX, "illico: command started"),
        (u64::MAX / 2, "far"),
        (0, "kvm-clock: using sched offset of 18446744073709551615 cycles"),
    ];
    let log = log.map(|(at, text)| Record { at, text: text.as_bytes().to_vec() }).to_vec();
    let story = Story::tell(&recorded(log), 90 * MS, &Origin::default());
    for span in story.spans.iter().filter(|span| [LOG, GUEST].contains(&span.lane.as_str())) {
        assert!(8 * MS <= span.begin && span.end <= 80 * MS, "{span:?}");
    }
}

#[test]
fn without_a_log_there_is_the_monitors_part() {
    let story = Story::tell(&recorded(Vec::new()), 90 * MS, &Origin::default());
    assert_eq!(story.guest_clock, None);
    assert_eq!(story.accounted.until, ENDED);
    assert_eq!(story.accounted.named, 8 * MS);
}

#[test]
fn the_json_is_what_the_manual_says_and_reads_back() {
    let story = story();
    let json = serde_json::to_value(&story).unwrap();
    assert_eq!(json["schema"], "illico-timeline/1");
    for key in ["end_ns", "exec_uncertain_ns", "guest_clock", "accounted", "marks", "spans", "spans_left_out", "exits"]
    {
        assert!(json.get(key).is_some(), "{key}");
    }
    assert_eq!(json["marks"][0]["name"], FIRST_RUN);
    assert_eq!(serde_json::from_value::<Story>(json).unwrap(), story);
}
