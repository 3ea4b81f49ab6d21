//! The life of machines in the background and at a terminal, in the lab, as a plain user: they are listed, reached, stopped,
//! killed and removed, and none of it needs more than their folders.

use std::collections::BTreeMap;

use illico_tests::user::{Case, became, case, stage};
use serde_json::Value;

const TRAPS: &str = "sh -c 'trap \"echo stopping; exit 3\" TERM; trap \"echo usr1\" USR1; echo one; echo two >&2; while true; do sleep 0.2; done'";

/// Answers `size` with that of its terminal, and Ctrl-C with status 3.
const ASKED: &str =
    r#"sh -c 'trap "exit 3" INT; stty -echo; echo ready; while read word; do echo "$word: $(stty size)"; done'"#;

/// What somebody at a terminal sees of it.
const SEEN: [&str; 6] = [
    "while it runs: lines off, echo off, signals off, output off",
    "size: 30 100",
    "size: 40 120",
    "it ended: exit status: 3",
    "afterwards: lines on, echo on, signals on, output on",
    "as before: true",
];

fn at_terminal(verb: &str) -> String {
    format!("on-a-terminal --leave \"$(printf '\\003')\" timeout -s KILL 100 illico {verb} {ASKED}")
}

/// What became of each.
fn all(cases: &[(&'static str, String)]) -> BTreeMap<&'static str, Case> {
    let mut stage = stage().program(env!("CARGO_BIN_EXE_on-a-terminal")).script("cp on-a-terminal /bin/");
    for (name, commands) in cases {
        stage = case(stage, name, commands);
    }
    let ran = stage.run();
    cases.iter().map(|(name, _)| (*name, became(&ran, name))).collect()
}

#[test]
fn a_machine_in_the_background_is_reached_until_it_is_stopped() {
    let cases = all(&[
        ("start", format!("run -d --name web -- {TRAPS}; illico ps; illico ps --json")),
        ("inspect", "illico inspect web".to_owned()),
        ("again", "run --name web -- true".to_owned()),
        ("exec", "illico exec web sh -c 'id -u; hostname; exit 5'".to_owned()),
        ("exec-in", "echo typed | illico exec -i web cat; illico exec web nosuch".to_owned()),
        ("exec-as", "illico exec -e A=b -w /tmp -u 7:8 web sh -c 'echo $A; pwd; id -u; id -g'".to_owned()),
        ("exec-it", at_terminal("exec -it web")),
        (
            "copy",
            "mkdir d; echo 1 >d/a; echo 2 >d/b; illico cp d web:/tmp/ && illico exec web cat /tmp/d/a /tmp/d/b; \
             illico cp web:/tmp/d e && cat e/a e/b; illico cp web:/tmp/d/b . && cat b; illico cp b web:/tmp/c && illico exec web cat /tmp/c"
                .to_owned(),
        ),
        ("copy-wrong", "illico cp web:/nosuch .; illico cp d/a web:/tmp/no/where; ls -A".to_owned()),
        ("signal", "illico kill -s USR1 web; illico exec web sleep 1; illico logs web".to_owned()),
        ("remove", "illico rm web".to_owned()),
        (
            "stop",
            "illico logs -f web >followed & f=$!; illico wait web >status & w=$!; illico stop web; wait $f $w; cat status; \
             illico ps; illico ps --all; illico wait web; illico logs web | tee logs; cmp logs followed && rm logs followed status"
                .to_owned(),
        ),
        ("gone", "illico rm web; illico ps --all --quiet; ls -A /tmp/illico-1000; ls -A .local/state/illico/vms".to_owned()),
    ]);
    let start = &cases["start"];
    assert!(start.out.starts_with("web\nNAME "), "{start:?}");
    assert!(start.out.lines().any(|line| line.starts_with("web   running")), "{start:?}");
    let listed = start.out.find('[').map(|at| serde_json::from_str::<Value>(&start.out[at..]).unwrap());
    let listed = &listed.as_ref().unwrap()[0];
    assert_eq!([&listed["name"], &listed["state"], &listed["command"][0]], ["web", "running", "sh"]);
    let inspected: Value = serde_json::from_str(&cases["inspect"].out).unwrap();
    for key in ["name", "state", "pid", "created_ms", "command"] {
        assert_eq!(inspected[key], listed[key], "{key} of {inspected:#} and {listed:#}");
    }
    let again = &cases["again"];
    assert_eq!(again.status, 125);
    assert!(again.err.contains("--name: web is in use by a machine that runs"), "{again:?}");
    let exec = &cases["exec"];
    assert_eq!((exec.status, exec.out.as_str()), (5, "1000\nweb\n"), "{exec:?}");
    let exec = &cases["exec-in"];
    assert_eq!((exec.status, exec.out.as_str()), (127, "typed\n"), "{exec:?}");
    assert_eq!(cases["exec-as"].out, "b\n/tmp\n7\n8\n", "{}", cases["exec-as"].err);
    assert_eq!(cases["exec-it"].out.lines().collect::<Vec<_>>(), SEEN, "{}", cases["exec-it"].err);
    assert_eq!(cases["copy"].out, "1\n2\n1\n2\n2\n2\n", "{:?}", cases["copy"].err);
    let wrong = &cases["copy-wrong"];
    assert!(
        wrong.err.contains("/nosuch: No such file") && wrong.err.contains("no folder for /tmp/no/where"),
        "{wrong:?}"
    );
    assert!(!wrong.out.contains("illico-cp"), "{wrong:?}");
    // The shell also says what became of the program that it waited for.
    let signal = &cases["signal"];
    assert!(signal.out.starts_with("one\ntwo\n") && signal.out.contains("usr1\n"), "{signal:?}");
    let remove = &cases["remove"];
    assert!(remove.status == 125 && remove.err.contains("web runs"), "{remove:?}");
    let stop = &cases["stop"];
    assert!(stop.status == 0 && stop.out.starts_with("3\nNAME"), "{stop:?}");
    assert!(
        stop.out.contains("web   ended (3)") && stop.out.contains("\n3\none\n") && stop.out.contains("stopping\n"),
        "{stop:?}"
    );
    assert_eq!(cases["gone"].out, ".turn\n", "{:?}", cases["gone"].err);
}

#[test]
fn a_machine_ends_in_each_way_and_is_told_of_truly() {
    let cases = all(&[
        ("terminal", at_terminal("run --net none --kernel /kernels/6.12/vmlinux -it --")),
        ("not-begun", "run -d --name no -- nosuch; echo $?; illico ps --all --quiet".to_owned()),
        (
            "killed",
            "run -d --name k -- sleep 1000; kill -9 $(illico inspect k | sed -n 's/.*\"pid\": \\([0-9]*\\).*/\\1/p'); \
             illico wait k; illico ps --all; illico exec k true; illico rm k; illico ps --all --quiet; ls /tmp/illico-1000"
                .to_owned(),
        ),
        // It hears no signal: the machine is ended when the time is over.
        (
            "deaf",
            "run -d --name d -- sh -c 'trap \"\" TERM; while true; do sleep 1; done'; illico stop --time 1 d; \
             illico inspect d | grep why; illico kill d; illico rm d"
                .to_owned(),
        ),
        ("kill", "run -d --name f --rm -- sleep 1000; illico kill f; illico rm -f f; illico ps --all --quiet".to_owned()),
    ]);
    assert_eq!(cases["terminal"].out.lines().collect::<Vec<_>>(), SEEN, "{}", cases["terminal"].err);
    let no = &cases["not-begun"];
    assert_eq!((no.out.as_str(), no.err.as_str()), ("127\n", "illico: nosuch: command not found\n"));
    let killed = &cases["killed"];
    assert!(killed.out.starts_with("k\n137\nNAME") && killed.out.contains("\nk     killed"), "{killed:?}");
    assert!(killed.out.lines().count() == 4 && killed.err.contains("k does not run"), "{killed:?}");
    let deaf = &cases["deaf"];
    assert_eq!(deaf.out, "d\n  \"why\": \"signal 15 stopped the machine\"\n", "{deaf:?}");
    assert!(deaf.err.contains("d does not run"), "{deaf:?}");
    // The one that was killed said nothing, so it stays until it is removed, `--rm` or not.
    assert_eq!(cases["kill"].out, "f\n", "{:?}", cases["kill"].err);
}
