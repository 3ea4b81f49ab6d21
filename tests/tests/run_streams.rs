//! Streams of commands in the lab, as a plain user: a reader that pauses costs neither a byte nor a status, and many commands
//! in one machine leave nothing behind, whether they come together or one after the other.
//!
//! `ILLICO_EXECS=10000 ILLICO_EXECS_AT_ONCE=500 cargo test -p illico-tests --test run_streams -- --nocapture many` is the long
//! run of the second test; it prints its figures.

use std::collections::BTreeMap;
use std::time::Duration;

use illico_tests::user::{became, case, stage};

/// Bytes of output: around a pipe (64 KiB), what an agent holds (256 KiB), and more than both with a vsock buffer.
const SIZES: [u32; 7] = [1, 65_535, 65_537, 262_143, 262_145, 524_289, 2_000_000];

/// All at once, so that the pause is one for all of them.
const PAUSED: &str = r#"
paused() { # name, command
    { timeout -s KILL 300 /bin/illico $2; echo $? >$1.status; } | { sleep 60; wc -c >$1.count; } &
}
run="run --net none --kernel /kernels/6.12/vmlinux --memory 128M"
timeout -s KILL 300 /bin/illico $run -d --name m -- sleep 1000 || exit 1
for size in $SIZES; do
    paused run.$size "$run -- head -c $size /dev/zero"
    paused exec.$size "exec m head -c $size /dev/zero"
done
wait
for size in $SIZES; do
    for verb in run exec; do echo $verb $size $(cat $verb.$size.count) $(cat $verb.$size.status); done
done
illico kill m
"#;

#[test]
fn a_reader_that_pauses_for_a_minute_gets_every_byte_and_the_status() {
    let sizes = SIZES.map(|size| size.to_string()).join(" ");
    let commands = PAUSED.replace("$SIZES", &sizes);
    let ran = case(stage(), "paused", &commands).run();
    let became = became(&ran, "paused");
    let expected: String = SIZES.iter().map(|size| format!("run {size} {size} 0\nexec {size} {size} 0\n")).collect();
    assert_eq!(became.out, format!("m\n{expected}"), "{}", became.err);
}

/// `figures` prints the size of the monitor's table of descriptors (who they are, the kernel tells nobody of a confined process),
/// its KiB of memory, and the number of descriptors and the KiB of the guest's init.
const MANY: &str = r#"
run -d --name m -- sleep 1000000 || exit 1
pid=$(illico inspect m | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')
figures() {
    sleep 10 # a connection that is just closing keeps its descriptor until the guest's kernel has answered
    echo $1 $(sed -n 's/^FDSize:[^0-9]*//p' /proc/$pid/status) $(sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' /proc/$pid/status) \
        $(/bin/illico exec -u 0 m sh -c "ls /proc/1/fd | wc -l; sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' /proc/1/status")
}
burst() { # how many at once
    rm -rf burst; mkdir burst
    for n in $(seq $1); do { timeout -s KILL 500 /bin/illico exec m echo yes >burst/$n 2>burst/$n.err || echo $? >burst/$n.failed; } & done
    wait $(jobs -p)
    echo at once: $(cat burst/*[0-9] | grep -c yes) yes, $(ls burst | grep -c failed) failed
    cat burst/*.err | sort | uniq -c | head -3
}
row() { # how many in a row
    failed=0
    for n in $(seq $1); do timeout -s KILL 100 /bin/illico exec m true || failed=$((failed + 1)); done
    echo in a row: $1, $failed failed
}
burst 10; row 20
figures before
burst $AT_ONCE
figures burst
row $IN_A_ROW
figures row
illico kill m
"#;

/// A number from the environment.
fn number(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text:?} is no number")))
}

#[test]
fn many_commands_together_and_in_a_row_leave_nothing_behind() {
    let (in_a_row, at_once) = (number("ILLICO_EXECS", 200), number("ILLICO_EXECS_AT_ONCE", 60));
    let commands = MANY.replace("$AT_ONCE", &at_once.to_string()).replace("$IN_A_ROW", &in_a_row.to_string());
    let limit = Duration::from_secs(600) + Duration::from_secs(2) * (in_a_row + at_once);
    let ran = case(stage().timeout(limit), "many", &commands).run();
    let became = became(&ran, "many");
    println!("{}", became.out);
    for line in [format!("at once: {at_once} yes, 0 failed"), format!("in a row: {in_a_row}, 0 failed")] {
        assert!(became.out.lines().any(|said| said == line), "{became:?}");
    }
    let figures: BTreeMap<&str, Vec<u64>> = became
        .out
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once(' ')?;
            let figures = rest.split(' ').map(|word| word.parse().ok()).collect::<Option<Vec<_>>>()?;
            (figures.len() == 4).then_some((name, figures))
        })
        .collect();
    let [before, burst, row] = ["before", "burst", "row"].map(|name| &figures[name]);
    // One descriptor that stays of each command in a row would be hundreds, and a table of twice the size.
    assert!(row[0] <= burst[0], "the table of descriptors of the monitor: {figures:?}");
    for later in [burst, row] {
        assert!(later[2] < before[2] + 10, "descriptors of init: {figures:?}");
    }
    // Heaps keep what they once needed; a leak of 100 bytes a command would be more in the long run.
    for index in [1, 3] {
        assert!(row[index] <= burst[index] + 64 + u64::from(in_a_row) / 100, "KiB of memory: {figures:?}");
    }
}
