//! Machines by the library alone, in the lab: the example of `illico-launch`, by a plain user without capabilities.

use illico_tests::image;
use illico_tests::user::{became, case, stage};
use xtask::project::{self, Profile};

#[test]
fn the_example_runs_two_commands_and_leaves_nothing() {
    let example = project::example("illico-launch", "two_commands", Profile::Dev).expect("it builds");
    let run = "/root/two_commands ./root.tar /kernels/6.12/vmlinux";
    let stage = stage().program(example).bytes("root.tar", image::root());
    let stage = stage.script("chmod 755 /root; mv root.tar /home/user/");
    let stage = case(stage, "example", run);
    let ran = case(stage, "left", "ls .local/state/illico/vms; ls /tmp/illico-1000; illico ps --all --quiet").run();
    let example = became(&ran, "example");
    let (name, rest) = example.out.split_once(" runs\n").unwrap_or_else(|| panic!("{example:?}\n{}", ran.output));
    assert!(!name.is_empty() && !name.contains('\n'), "{example:?}");
    let commands = "lower[\"cat\", \"/etc/issue\"]: status 0\n0\n[\"id\", \"-u\"]: status 0\n";
    assert_eq!(rest, format!("{commands}signal 15 ended the command\n"), "{example:?}");
    assert_eq!((example.status, example.err.as_str()), (0, ""), "{example:?}");
    assert_eq!(became(&ran, "left").out, "", "{}", ran.output);
}
