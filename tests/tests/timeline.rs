//! A timeline of a stock kernel: how much of the time has a name, and that host and guest are on one clock.

use illico_tests::Stage;
use serde_json::Value;

const BOOT: &str = "--initrd /guests/reboot.cpio --memory 128M --cmdline quiet";

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("no {key} in {value}"))
}

fn mark(story: &Value, name: &str) -> u64 {
    let marks = story["marks"].as_array().expect("marks");
    number(marks.iter().find(|mark| mark["name"] == name).unwrap_or_else(|| panic!("no {name} in {marks:?}")), "at_ns")
}

/// All of the moments of a run, from the log into which its init writes them.
fn has_all_moments(story: &Value) {
    let moments =
        ["first KVM_RUN", "init", "root mounted", "agent ready", "command started", "command ended", "the guest ended"];
    let moments = moments.map(|name| mark(story, name));
    assert!(moments.is_sorted(), "{moments:?}");
    assert_eq!(story["accounted"]["until"], "command started");
    let accounted = &story["accounted"];
    assert!(number(accounted, "named_ns") * 100 >= number(accounted, "total_ns") * 95, "{accounted}");
}

/// `quiet` keeps the console silent: the log comes out of the guest's memory.
#[test]
fn nearly_all_time_from_exec_to_init_and_to_a_command_has_a_name() {
    let mut stage = Stage::new();
    for series in ["6.12", "6.1"] {
        stage = stage
            .boot(series, &format!("--kernel kernels/{series}/vmlinux {BOOT} --timeline {series}-boot.json"))
            .fetch(&format!("{series}-boot.json"));
    }
    let ran = stage
        .boot(
            "calls",
            &format!("--kernel kernels/6.12/vmlinux {BOOT} --timeline calls.svg --timeline-initcalls --why-slow"),
        )
        .fetch("calls.svg")
        .script(
            "HOME=/root timeout -s KILL 150 illico run --net none --kernel kernels/6.12/vmlinux --timeline run.json -- true \
             </dev/null >run.out 2>&1; echo $? >run.status",
        )
        .fetch("run.json")
        .fetch("run.status")
        .run();
    for series in ["6.12", "6.1"] {
        ran.guest(series).ended_well();
        let story: Value = serde_json::from_slice(ran.file(&format!("{series}-boot.json"))).expect("JSON");
        let accounted = &story["accounted"];
        eprintln!("{series}: {accounted}\n{}", story["guest_clock"]);
        assert_eq!(accounted["until"], "init");
        assert!(number(accounted, "named_ns") * 100 >= number(accounted, "total_ns") * 95, "{accounted}");
        assert_eq!(story["guest_clock"]["by"], "kvm-clock");

        let spans = story["spans"].as_array().expect("spans");
        let begins: Vec<_> = spans.iter().map(|span| number(span, "begin_ns")).collect();
        assert!(begins.is_sorted());
        assert!(spans.iter().all(|span| number(span, "begin_ns") < number(span, "end_ns")));
        let moments = ["first KVM_RUN", "init", "the guest ended"].map(|name| mark(&story, name));
        assert!(moments.is_sorted(), "{moments:?}");
        let log: Vec<_> = spans.iter().filter(|span| span["lane"] == "log").collect();
        assert!(log.len() > 100, "{} lines", log.len());
        assert!(log.iter().any(|span| span["name"].as_str().is_some_and(|name| name.starts_with("Run /init"))));
    }
    assert_eq!(ran.text("run.status").trim(), "0");
    has_all_moments(&serde_json::from_slice(ran.file("run.json")).expect("JSON"));
    ran.guest("calls").ended_well();
    let messages = ran.text("calls.messages");
    assert!(messages.contains("told to log its initcalls: initcall_debug"), "{messages}");
    assert!(messages.contains("What took longest:\n1. "), "{messages}");
    assert!(ran.text("calls.svg").contains("acpi_init"), "initcalls are in the picture");
}
