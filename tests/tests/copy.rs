//! `illico cp` in both directions, in the lab, as a plain user: files that cannot be read, that are no files, that change or
//! vanish meanwhile, and folders that may not be written.

use illico_tests::user::{Case, became, case, is, stage};

/// A machine to copy from and to, and what is copied.
const START: &str = "run -d --name m -- sleep 1000 >/dev/null
mkdir tree tree/closed; echo 1 >tree/a; echo 2 >tree/closed/b; echo 3 >tree/z; chmod 555 tree/closed";

#[test]
fn copies_are_complete_or_say_in_one_line_what_is_missing() {
    let cases: &[(&str, &str, Case)] = &[
        ("start", START, is(0, "", "")),
        // Into the machine.
        (
            "unreadable",
            "echo secret >tree/secret; chmod 0 tree/secret; illico cp tree m:/tmp/; echo $?; rm -f tree/secret",
            is(0, "125\n", "illico: tree/secret: Permission denied (os error 13)\n"),
        ),
        (
            "socket",
            "find /tmp/illico-1000 -type s | grep -q vsock && echo some; illico cp /tmp/illico-1000 m:/tmp/sockets; echo $?;
             illico exec -u 0 m find /tmp/sockets -type s",
            is(0, "some\n0\n", ""),
        ),
        (
            "read-only-in",
            "illico cp tree m:/tmp/in; illico exec m sh -c 'cat /tmp/in/a /tmp/in/closed/b /tmp/in/z; ls -ld /tmp/in/closed' | cut -c 1-10",
            is(0, "1\n2\n3\ndr-xr-xr-x\n", ""),
        ),
        (
            "growing",
            "mkdir log; echo 1 >log/a; echo after >log/z; yes >log/grows & yes=$!; sleep 0.5;
             illico cp log m:/tmp/; echo $?; kill $yes; illico exec m cat /tmp/log/z; rm -r log",
            is(0, "0\nafter\n", "illico: log/grows changed while it was copied\n"),
        ),
        // Files of /proc announce no size, and have content.
        (
            "proc",
            "illico cp /proc/self/status m:/tmp/status; illico exec m wc -c /tmp/status",
            is(0, "0 /tmp/status\n", "illico: /proc/self/status changed while it was copied\n"),
        ),
        // Out of the machine.
        (
            "read-only-out",
            "illico cp m:/tmp/in out; cat out/a out/closed/b out/z; ls -ld out/closed | cut -c 1-10; ls -A | grep illico-cp",
            is(1, "1\n2\n3\ndr-xr-xr-x\n", ""),
        ),
        (
            "growing-out",
            "illico exec m sh -c 'mkdir /tmp/g; echo after >/tmp/g/z; while :; do echo more >>/tmp/g/grows; done' 2>/dev/null & e=$!
             until illico exec m test -s /tmp/g/grows; do sleep 0.2; done
             n=0; until illico cp m:/tmp/g g 2>said; grep -q changed said || test $n -gt 20; do rm -rf g; n=$((n+1)); done
             cat g/z said; kill $e; rm -rf g",
            is(0, "after\nillico: /tmp/g/grows changed while it was copied\n", ""),
        ),
        (
            "proc-out",
            "illico cp m:/proc/self/status status; wc -c <status; illico cp m:/nosuch there; echo $?; ls there",
            is(
                1,
                "0\n125\n",
                "illico: /proc/self/status changed while it was copied\n\
                 illico: /nosuch: No such file or directory (os error 2)\nls: there: No such file or directory\n",
            ),
        ),
        ("end", "illico rm -f m; ls -A | grep illico-cp", is(1, "", "")),
    ];
    let ran = cases.iter().fold(stage(), |stage, (name, commands, _)| case(stage, name, commands)).run();
    let became: Vec<_> = cases.iter().map(|(name, ..)| (*name, became(&ran, name))).collect();
    let expected: Vec<_> = cases.iter().map(|(name, _, expected)| (*name, expected.clone())).collect();
    assert_eq!(became, expected);
}

/// Root in the guest is the plain user on the host, who would be refused its own files without a chmod.
#[test]
fn root_has_its_own_closed_files_in_the_share_of_a_plain_user() {
    let commands = "mkdir share; run -u 0 -v ./share:/mnt -- sh -c 'cd /mnt; mkdir -m 555 closed; echo 1 >closed/in; mkdir -m 0 shut
        echo 2 >shut/in; echo 3 >file; chmod 0 file; cat closed/in shut/in file; mv shut/in closed/moved; rm closed/in; ls -ld closed shut file closed/*'
        | sed 's/ .* / /'; ls -l share | sed 1d | cut -c 1-10";
    let commands = commands.replace("\n        | sed", " | sed");
    let ran = case(stage(), "closed", &commands).run();
    let listed = "dr-xr-xr-x closed\n-rw-r--r-- closed/moved\n---------- file\nd--------- shut\n";
    let expected = format!("1\n2\n3\n{listed}dr-xr-xr-x\n----------\nd---------\n");
    assert_eq!(became(&ran, "closed"), is(0, &expected, ""));
}
