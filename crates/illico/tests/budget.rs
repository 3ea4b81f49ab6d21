//! `--budget` on this host's own /dev/kvm: a status of its own and the excess, or one line that says what is wrong.

mod illico;

use std::fs;
use std::process::Output;

use illico::illico;

/// A guest that writes 100 times to a port where nobody is, held to a budget.
fn held_to(budget: &str, experiments: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("budget.toml"), budget).unwrap();
    let words = format!("probe={experiments}");
    illico(folder.path())
        .args(["boot", "--kernel", ":probe:", "--memory", "64M", "--console", "none", "--budget", "budget.toml"])
        .args(["--cmdline", &words])
        .output()
        .unwrap()
}

fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8(output.stderr.clone()).unwrap())
}

#[test]
fn a_guest_within_its_budget_ends_as_without_one() {
    let output = held_to("[reasons]\nport = 200\n[devices]\nnobody = 100\n", "exits=100");
    assert_eq!(told(&output), (Some(0), String::new()));
}

#[test]
fn a_guest_that_spends_more_has_a_status_of_its_own_and_each_excess_is_told() {
    let output = held_to("[reasons]\nport = 200\n[devices]\nnobody = 99\nacpi = 0\n", "exits=100");
    let (status, said) = told(&output);
    assert_eq!(status, Some(105), "{said}");
    let rows: Vec<Vec<_>> = said.lines().skip(2).map(|line| line.split_ascii_whitespace().collect()).collect();
    assert_eq!(rows, [["acpi", "0", "1", "+1"], ["nobody", "99", "100", "+1"]], "{said}");
}

/// A panic is worse than an excess, which is told all the same.
#[test]
fn how_the_guest_ended_goes_before_its_budget() {
    let (status, said) = told(&held_to("[reasons]\nport = 0\n", "panic"));
    assert_eq!(status, Some(101), "{said}");
    assert!(said.contains("more exits than its budget allows"), "{said}");
}

#[test]
fn a_budget_that_cannot_be_held_is_one_line_and_nothing_runs() {
    for (budget, words) in [
        ("[reasons]\nsorbet = 1\n", "budget.toml: there is no reason \"sorbet\"; these are: port, mmio, kick"),
        ("[devices]\nnet0 = 1\n", "this machine has no device \"net0\"; it has: entropy, nobody, pci-config"),
        ("totl = 1\n", "budget.toml: unknown field `totl`, expected one of `total`, `reasons`, `devices` at line 1"),
        ("total = 'few'\n", "at line 1"),
        ("", "budget.toml: it limits nothing"),
    ] {
        let output = held_to(budget, "hello");
        let (status, said) = told(&output);
        assert_eq!((status, said.lines().count()), (Some(125), 1), "{budget}: {said}");
        assert!(said.starts_with("illico: --budget: ") && said.contains(words), "{budget}: {said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let (status, said) =
        told(&illico(folder.path()).args(["boot", "--kernel", ":probe:", "--budget", "none"]).output().unwrap());
    assert_eq!(
        (status, said.as_str()),
        (Some(125), "illico: --budget: none: No such file or directory (os error 2)\n")
    );
}
