//! `illico diff`: files that were written by real machines on this host's /dev/kvm, and a guest booted twice.

mod illico;

use std::fs;
use std::path::Path;

use illico::illico;
use serde_json::Value;

/// Runs it and gives its status and what it said on both sides.
fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = illico(folder).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn report(folder: &Path, file: &str, words: &str) {
    let boot = ["boot", "--kernel", ":probe:", "--memory", "64M", "--console", "none", "--exits-json", file];
    let (status, _, said) = run(folder, &[&boot[..], &["--cmdline", words]].concat());
    assert_eq!(status, 0, "{said}");
}

fn row<'a>(diff: &'a Value, part: &str, name: &str) -> &'a Value {
    let rows = diff[part].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name} in {rows:#?}"))
}

#[test]
fn two_reports_are_compared_reason_by_reason() {
    let folder = tempfile::tempdir().unwrap();
    report(folder.path(), "a.json", "probe=exits=100");
    report(folder.path(), "b.json", "probe=exits=300");
    let (status, said, _) = run(folder.path(), &["diff", "a.json", "b.json", "--json"]);
    assert_eq!(status, 0);
    let diff: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&diff["schema"], &diff["a"], &diff["b"]),
        (&"illico-diff/1".into(), &"a.json".into(), &"b.json".into())
    );
    let ports = row(&diff, "monitor", "nobody port-write");
    assert_eq!((&ports["a"], &ports["b"], &ports["difference"]), (&100.into(), &300.into(), &200.into()));
    assert_eq!(ports["ratio"], 3.0);
    let (status, said, _) = run(folder.path(), &["diff", "a.json", "b.json"]);
    assert_eq!(status, 0);
    let line = said.lines().find(|line| line.trim_start().starts_with("nobody")).unwrap();
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    assert_eq!(words, ["nobody", "port-write", "100", "300", "+200", "+200", "%"]);
    assert!(!said.contains('\x1b'), "no colours but on a terminal");
    assert!(said.lines().all(|line| line.len() <= 80), "{said}");
}

#[test]
fn a_guest_is_booted_twice_with_one_thing_changed() {
    let folder = tempfile::tempdir().unwrap();
    let boot = ["--", "--kernel", ":probe:", "--memory", "64M", "--console", "none", "--cmdline", "probe=exits=100"];
    let change = ["diff", "--json", "--change", "--cmdline probe=exits=50"];
    let (status, said, wrong) = run(folder.path(), &[&change[..], &boot].concat());
    assert_eq!((status, wrong.as_str()), (0, ""));
    let diff: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(row(&diff, "monitor", "nobody port-write")["difference"], -50);
    assert_eq!(diff["b"], "--cmdline probe=exits=50");
}

/// What is taken away is not offered, and the machine works all the same.
#[test]
fn a_disk_does_without_what_it_may() {
    let folder = tempfile::tempdir().unwrap();
    fs::File::create(folder.path().join("disk.img")).unwrap().set_len(1 << 20).unwrap();
    let boot = ["--", "--kernel", ":probe:", "--memory", "64M", "--disk", "path=disk.img", "--cmdline", "probe=blk"];
    for change in ["--without event-idx", "--without indirect,event-idx", "--transport mmio --announce cmdline"] {
        let arguments = [&["diff", "--json", "--change", change], &boot[..]].concat();
        let (status, said, wrong) = run(folder.path(), &arguments);
        assert_eq!((status, wrong.as_str()), (0, ""), "{change}");
        let diff: Value = serde_json::from_str(&said).unwrap();
        let requests = row(&diff, "queues", "disk0/0 requests");
        assert!(
            requests["a"].as_u64().unwrap() >= 256 && requests["b"].as_u64().unwrap() >= 256,
            "{change}: {requests}"
        );
    }
}

#[test]
fn what_cannot_be_compared_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    report(folder.path(), "a.json", "probe=hello");
    fs::write(folder.path().join("text"), "hello").unwrap();
    let old = fs::read_to_string(folder.path().join("a.json")).unwrap().replace("illico-exits/2", "illico-exits/1");
    fs::write(folder.path().join("old.json"), old).unwrap();
    for (arguments, words) in [
        (&["a.json", "none"][..], "none: No such file"),
        (&["text", "a.json"], "text: not a report of --exits-json"),
        (&["a.json", "old.json"], "old.json: a report of \"illico-exits/1\""),
        (&["a.json"], "2 values required"),
        (&[], "required"),
        (&["--change", "--transport mmio"], "required"),
        (&["--change", "--sorbet", "--", "--kernel", ":probe:"], "unexpected argument '--sorbet'"),
        (&["--change", "--without msix", "--", "--cpus"], "--cpus"),
    ] {
        let (status, said, wrong) = run(folder.path(), &[&["diff"], arguments].concat());
        assert_eq!((status, said.as_str(), wrong.lines().count()), (125, "", 1), "{arguments:?}: {wrong}");
        assert!(wrong.starts_with("illico: ") && wrong.contains(words), "{arguments:?}: {wrong}");
    }
    let arguments = ["diff", "--change", "--cmdline probe=panic", "--", "--kernel", ":probe:", "--console", "none"];
    let (status, _, wrong) = run(folder.path(), &arguments);
    assert!(status == 125 && wrong.contains("run B ended with exit status: 101"), "{wrong}");
    let (status, _, wrong) =
        run(folder.path(), &["boot", "--kernel", ":probe:", "--transport", "mmio", "--without", "msix"]);
    assert!(
        status == 125 && wrong.starts_with("illico: --without: ") && wrong.contains("it takes --transport pci"),
        "{wrong}"
    );
    let (status, _, wrong) = run(folder.path(), &["boot", "--kernel", ":probe:", "--without", "steam"]);
    assert!(status == 125 && wrong.contains("expected one of event-idx, indirect, msix"), "{wrong}");
}
