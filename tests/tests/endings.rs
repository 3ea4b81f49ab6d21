//! How machines with Linux end: what the guest wants, what its kernel meets, and what SIGTERM asks for. The statuses are
//! those that `illico boot --help` lists.

use illico_tests::{Stage, guest};
use xtask::Series;

/// A guest in the background, whose process is `$pid`; what it says is waited for, and its status kept.
const BACKGROUND: &str = "
start() {
    name=$1; shift
    timeout -s KILL 150 illico boot --exits-json $name.json \"$@\" >$name.console 2>$name.messages &
    pid=$!
}
said() { # at least so many lines with this word
    until test $(grep -c $2 $name.console) -ge $1 || ! kill -0 $pid; do sleep 0.1; done
}
ended() { wait $pid; echo $? >$name.status; }
";

fn options(series: Series, initrd: &str) -> String {
    format!("--kernel kernels/{}/vmlinux --initrd {initrd}.cpio --memory 128M --cmdline quiet", series.name())
}

/// A guest's own end, in one lab for all: name, series, script.
const OWN: [(&str, Series, &str); 6] = [
    ("poweroff", Series::V6_12, "poweroff -f"),
    ("reboot", Series::V6_12, "reboot -f"),
    ("panic", Series::V6_12, "echo c >/proc/sysrq-trigger"),
    ("poweroff-6.1", Series::V6_1, "poweroff -f"),
    ("reboot-6.1", Series::V6_1, "reboot -f"),
    ("panic-6.1", Series::V6_1, "echo c >/proc/sysrq-trigger"),
];

#[test]
fn power_off_and_reset_are_success_and_a_panic_is_101() {
    let mut stage = Stage::new();
    for (name, series, script) in OWN {
        // Whatever comes after the end would be said, and then end the machine in the wrong way.
        let script = format!("echo ready\n{script}\necho still here");
        stage = stage
            .bytes(&format!("{name}.cpio"), guest::scripted(series, &[], &script))
            .boot(name, &options(series, name));
    }
    let ran = stage.run();
    for (name, ..) in OWN {
        let guest = ran.guest(name);
        let panics = name.starts_with("panic");
        assert!(guest.console.contains("ready\n") && !guest.console.contains("still here"), "{guest}");
        assert_eq!(guest.status, if panics { 101 } else { 0 }, "{guest}");
        assert_eq!(guest.messages, if panics { "illico: the guest's kernel panicked\n" } else { "" }, "{guest}");
    }
}

/// Listens to the button before it says so. An event is 24 bytes; type, code and value are the last 8 of them.
const LISTENS: &str = "\
    exec 3</dev/input/event0\n\
    echo ready\n\
    echo event $(head -c 24 <&3 | od -An -tu2 -j16)\n\
    poweroff -f";

const DEAF: &str = "while true; do echo alive; sleep 1; done";

#[test]
fn the_first_sigterm_presses_the_power_button_and_the_second_one_stops() {
    let mut stage = Stage::new().script(BACKGROUND);
    for series in Series::ALL {
        let (listens, deaf) = (format!("listens-{}", series.name()), format!("deaf-{}", series.name()));
        stage = stage
            .bytes(&format!("{listens}.cpio"), guest::scripted(series, &["button", "evdev"], LISTENS))
            .bytes(&format!("{deaf}.cpio"), guest::scripted(series, &[], DEAF))
            .script(&format!("start {listens} {}", options(series, &listens)))
            .script("said 1 ready; kill -TERM $pid; ended")
            .script(&format!("start {deaf} {}", options(series, &deaf)))
            .script("said 1 alive; kill -TERM $pid; n=$(grep -c alive $name.console); said $((n + 2)) alive")
            .script("kill -0 $pid && echo after the first: running; kill -TERM $pid; ended")
            .guest(&listens)
            .guest(&deaf);
    }
    let ran = stage.run();
    for series in Series::ALL {
        // EV_KEY, KEY_POWER, pressed.
        let listens = ran.guest(&format!("listens-{}", series.name())).ended_well();
        assert!(listens.console.contains("event 1 116 1 0\n"), "{listens}");
        let deaf = ran.guest(&format!("deaf-{}", series.name()));
        assert_eq!((deaf.status, deaf.messages.as_str()), (143, "illico: stopped\n"), "{deaf}");
    }
    assert_eq!(ran.output.matches("after the first: running\n").count(), 2, "{}", ran.output);
}

/// A driver for pvpanic is a module in Debian's kernels. With `panic=0` they stop for ever: no reset tells of the panic.
#[test]
fn a_panic_told_by_pvpanic_needs_no_reset() {
    let mut stage = Stage::new();
    for series in Series::ALL {
        let name = series.name();
        let script = "echo c >/proc/sysrq-trigger";
        stage = stage
            .bytes(&format!("{name}.cpio"), guest::scripted(series, &["pvpanic_mmio"], script))
            .boot(name, &format!("{}' panic=0'", options(series, name)));
    }
    let ran = stage.run();
    for series in Series::ALL {
        let guest = ran.guest(series.name());
        assert_eq!((guest.status, guest.messages.as_str()), (101, "illico: the guest's kernel panicked\n"), "{guest}");
    }
}
