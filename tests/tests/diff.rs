//! `illico diff` in the lab: a stock kernel that reads a disk, booted twice with one thing changed. Each thing that can be
//! taken away costs what it should, and the guest works without.

use illico_tests::{Stage, guest};
use serde_json::Value;
use xtask::Series;

const READS: u64 = 400;

const CHANGES: [(&str, &str); 6] = [
    ("msix", "--without msix"),
    ("event-idx", "--without event-idx"),
    ("indirect", "--without indirect"),
    ("transport", "--transport mmio"),
    ("hugepages", "--hugepages off"),
    ("console", "--console uart"),
];

fn row<'a>(diff: &'a Value, part: &str, name: &str) -> &'a Value {
    let rows = diff[part].as_array().into_iter().flatten();
    let mut named = rows.clone().filter(|row| row["name"] == name);
    named.next().unwrap_or_else(|| panic!("no {name} in {:#?}", rows.collect::<Vec<_>>()))
}

#[test]
fn each_thing_that_is_taken_away_costs_what_it_should() {
    let script = format!("dd if=/dev/vda of=/dev/null bs=4k count={READS} iflag=direct 2>/dev/null && echo read");
    let mut stage = Stage::new()
        .bytes("init.cpio", guest::scripted(Series::V6_12, &["virtio_blk"], &script))
        .script("head -c 16m /dev/urandom >image");
    for (name, change) in CHANGES {
        stage = stage
            .script(&format!(
                "timeout -s KILL 300 illico diff --json --change '{change}' -- --kernel kernels/6.12/vmlinux \
                 --initrd init.cpio --memory 128M --cmdline quiet --disk path=image >{name}.diff"
            ))
            .fetch(&format!("{name}.diff"));
    }
    let ran = stage.run();
    let diff = |name: &str| -> Value {
        let diff = serde_json::from_slice(ran.file(&format!("{name}.diff")));
        diff.unwrap_or_else(|error| panic!("{name}: {error}\n{}", ran.output))
    };
    let figure = |name: &str, part: &str, row_name: &str| {
        let diff = diff(name);
        let row = row(&diff, part, row_name);
        eprintln!("{name}: {row}");
        row["b"].as_u64().unwrap_or_else(|| panic!("{row}"))
    };
    let more = |name: &str, part: &str, row_name: &str| {
        let diff = diff(name);
        let row = row(&diff, part, row_name);
        eprintln!("{name}: {row}");
        row["difference"].as_i64().unwrap_or_else(|| panic!("{row}"))
    };
    for (name, _) in CHANGES {
        let diff = diff(name);
        let requests = row(&diff, "queues", "disk0/0 requests");
        assert!(requests["a"].as_u64() >= Some(READS) && requests["b"].as_u64() >= Some(READS), "{name}: {requests}");
        eprintln!("{name}: {}", diff["total"]);
    }
    assert!(figure("msix", "monitor", "disk0 mmio-read") >= READS, "each interrupt is asked what it was for");
    assert!(figure("msix", "monitor", "eoi") >= READS, "the end of each is reported, being a level");
    assert!(figure("msix", "monitor", "ioapic mmio-write") < READS, "a level is taken for one");
    assert!(figure("transport", "monitor", "disk0 mmio-write") >= READS, "each interrupt is acknowledged");
    assert!(more("hugepages", "kernel", "memory") > 1000, "RAM is touched in small pages");
    assert!(more("console", "monitor", "uart port-write") > 0, "each character is an exit");
    // A disk that is read one block at a time has one request in flight: the driver asks for each interrupt.
    assert!(more("event-idx", "queues", "disk0/0 interrupts") >= 0);
    assert!(more("indirect", "queues", "disk0/0 requests").abs() < 40, "the same requests, in other descriptors");
}
