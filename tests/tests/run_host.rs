//! `illico run` on the host's own files, in the lab, as a plain user without capabilities: what a command sees, what comes
//! out of it, and what it cannot touch.

use illico_tests::user::{became, case, is, stage};

#[test]
fn a_command_runs_as_if_it_were_here_and_leaves_no_trace() {
    // name, commands, what is expected of them.
    let exactly = [
        ("streams", "run -- sh -c 'echo out; echo err >&2; exit 7'", is(7, "out\n", "err\n")),
        ("signal", "run -- sh -c 'kill -9 $$'", is(137, "", "")),
        ("nothing", "run -- nosuch", is(127, "", "illico: nosuch: command not found\n")),
        ("no-program", "run -- /etc/passwd", is(126, "", "illico: /etc/passwd: Permission denied\n")),
        ("stdin", "echo typed | run -i -- cat; run -- cat", is(0, "typed\n", "")),
        // The same user, folder and files, and no more rights than here.
        (
            "same",
            "run -- sh -c 'id -u; id -g; pwd; cat .cases | head -1'",
            is(0, "1000\n1000\n/home/user\ncd /home/user\n", ""),
        ),
        ("no-rights", "run -u 0 -- sh -c 'id -u; cat /root/streams.out 2>/dev/null'", is(1, "0\n", "")),
        (
            "environment",
            "SECRET=1 LANG=C TOKEN=t run -e A=b -e TOKEN -- sh -c 'echo $SECRET.$LANG.$TOKEN.$A.$HOME'",
            is(0, ".C.t.b./home/user\n", ""),
        ),
        (
            "asked",
            "mkdir w; printf '# a comment\\nA=file\\nB=file\\nC\\n' >e; \
             C=here run --env-file e -e B=asked -w /home/user/w -u 1234:56 -- sh -c 'echo $A.$B.$C; pwd; id -u; id -g'",
            is(0, "file.asked.here\n/home/user/w\n1234\n56\n", ""),
        ),
        // What it writes is seen by itself only.
        (
            "scratch",
            "rm -r w e; run -- sh -c 'echo x >new; rm .cases; ls -A'; ls -A",
            is(0, ".local\nnew\n.cases\n.local\n", ""),
        ),
        (
            "rw-cwd",
            "mkdir c; cd c; run --rw-cwd -- sh -c 'echo x >new; echo y >/home/user/other'; ls; ls ..",
            is(0, "new\nc\n", ""),
        ),
        (
            "volumes",
            "mkdir s; echo in >s/f; echo alone >one; \
             run -v ./s:/mnt/s -v s:/mnt/r:ro -v ./one:/mnt/o -- sh -c \
             'cat /mnt/s/f /mnt/o; echo out >/mnt/s/g; echo changed >/mnt/o; ls /mnt/r; ls /run/illico/v2; echo no >/mnt/r/x' \
             2>/dev/null; echo $?; cat s/g one; ls s",
            is(0, "in\nalone\nf\ng\none\n1\nout\nchanged\nf\ng\n", ""),
        ),
        ("terminal", "run -t -- sh -c 'test -t 0 && stty size'", is(0, "24 80\r\n", "")),
        ("in-vain", "run -it -- true", is(125, "", "illico: -t: standard input is no terminal; leave -t out, or -i\n")),
        ("timeout", "run --timeout 8 -- sh -c 'echo begun; sleep 1000'", is(124, "begun\n", "")),
        // Nothing of all this is left.
        ("after", "illico ps --all --quiet; ls /tmp/illico-1000", is(0, "", "")),
    ];
    let mut stage = stage();
    for (name, commands, _) in &exactly {
        stage = case(stage, name, commands);
    }
    let ran = stage.run();
    let wrong = exactly.iter().map(|(name, _, expected)| (name, expected, became(&ran, name)));
    let wrong: Vec<_> = wrong.filter(|(_, expected, became)| *expected != became).collect();
    assert!(wrong.is_empty(), "name, what was expected, what became of it: {wrong:#?}");
}
