//! Linux's consoles: what is typed arrives, what is written comes out exactly, what that costs, and the terminal that
//! illico was started on.

use illico_tests::{Guest, Ran, Stage, guest};
use xtask::Series;

const OPTIONS: &str = "--kernel kernels/6.12/vmlinux --memory 128M --cmdline quiet";

const CONSOLES: [&str; 2] = ["virtio", "uart"];

/// Standard input is a pipe that is held open, and is written to once the guest listens: a UART that nobody has opened
/// yet drops what it hears.
const TYPE: &str = "
mkfifo keyboard
talk() {
    console=$1
    boot talk-$console $OPTIONS --initrd talk.cpio --console $console <keyboard &
    exec 5>keyboard
    until grep -q ready talk-$console.console || test -s talk-$console.status; do sleep 0.1; done
    echo 'the first line' >&5
    echo 'and another' >&5
    wait
    exec 5>&-
}
";

const TALKS: &str = "\
    stty -echo\n\
    echo ready\n\
    read -r line; echo \"got:$line\"\n\
    read -r line; echo \"got:$line\"\n\
    poweroff -f";

#[test]
fn what_is_piped_to_standard_input_reaches_a_program_and_its_answer_comes_back() {
    let ran = Stage::new()
        .bytes("talk.cpio", guest::scripted(Series::V6_12, &[], TALKS))
        .script(&format!("OPTIONS='{OPTIONS}'"))
        .script(TYPE)
        .script("talk virtio; talk uart")
        .guest("talk-virtio")
        .guest("talk-uart")
        .run();
    for console in CONSOLES {
        let guest = ran.guest(&format!("talk-{console}")).ended_well();
        assert!(guest.console.contains("ready\ngot:the first line\ngot:and another\n"), "{guest}");
    }
}

const LETTERS: usize = 65_536;

/// 64 KiB of lines, each another.
fn letters() -> Vec<u8> {
    let lines = (0..LETTERS / 16).map(|number| format!("line {number:>10}\n"));
    lines.collect::<String>().into_bytes()
}

/// The same guest with and without writing, by a word on the command line, which PID 1's environment has.
fn writing() -> Stage {
    let script = "test $write = 0 || { echo begin; cat /letters; echo end; }";
    let files = [("letters", 0o644, letters())];
    let initrd = guest::with_files(Series::V6_12, &[], &files, script);
    let mut stage = Stage::new().bytes("write.cpio", initrd);
    for console in CONSOLES {
        for write in [0, 1] {
            let options = format!("{OPTIONS}' write={write}' --initrd write.cpio --console {console}");
            stage = stage.boot(&format!("{console}-{write}"), &options);
        }
    }
    stage
}

/// What writing adds to a figure.
fn added(ran: &Ran, console: &str, figure: impl Fn(&Guest) -> u64) -> u64 {
    let of = |write| figure(&ran.guest(&format!("{console}-{write}")).ended_well());
    of(1) - of(0)
}

#[test]
fn sixty_four_kib_come_out_exactly_in_under_100_kicks_or_in_an_exit_a_letter() {
    let ran = writing().run();
    let expected = [b"begin\n", letters().as_slice(), b"end\n"].concat();
    for console in CONSOLES {
        let guest = ran.guest(&format!("{console}-1"));
        let came = guest.console.as_bytes().windows(expected.len()).any(|window| window == expected);
        assert!(came, "{console}: not what was written\n{guest}");
    }
    let kicks = added(&ran, "virtio", |guest| guest.queue("console", 0, "kicks") + guest.queue("console", 1, "kicks"));
    let port = added(&ran, "uart", |guest| guest.reason("port"));
    eprintln!("{LETTERS} letters: {kicks} kicks of the virtio console, {port} port exits of the UART");
    assert!(kicks < 100, "{kicks} kicks");
    assert!(port >= LETTERS as u64, "{port} port exits");
}

#[test]
fn a_terminal_is_raw_while_the_guest_has_it_tells_its_size_and_is_given_back() {
    let script = "stty -echo\necho ready\nwhile read -r word; do echo \"$word: $(stty size)\"; done";
    let ran = Stage::new()
        .bytes("size.cpio", guest::scripted(Series::V6_12, &[], script))
        .program(env!("CARGO_BIN_EXE_on-a-terminal"))
        .script(&format!(
            "timeout -s KILL 150 ./on-a-terminal illico boot {OPTIONS} --initrd size.cpio >told 2>&1; echo $?"
        ))
        .fetch("told")
        .run();
    let told = ran.text("told");
    let expected = [
        "while it runs: lines off, echo off, signals off, output off",
        "size: 30 100",
        "size: 40 120",
        "it ended: exit status: 0",
        "afterwards: lines on, echo on, signals on, output on",
        "as before: true",
    ];
    assert_eq!(told.lines().collect::<Vec<_>>(), expected, "{told}\n{}", ran.output);
}
