//! `illico demo` on this host's /dev/kvm: what it counts, the form of its JSON and its page. Times are shown and
//! never asserted; counts are the same on every host.

mod illico;

use std::process::Stdio;

use illico::illico;
use serde_json::Value;

fn number(found: &Value, path: &str) -> f64 {
    found.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} is a number in {found:#}"))
}

#[test]
fn everything_is_measured_and_told_as_data_and_as_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let output = illico(folder.path()).args(["demo", "--json", "--html", "page.html"]).output().unwrap();
    let host = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), host.as_str()), (Some(0), ""));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();

    assert_eq!(found["schema"], "illico-demo/1");
    assert!(found["host"]["processor"].is_string() && found["host"]["kernel"].is_string(), "{found:#}");
    for path in [
        "/compute/host_ms",
        "/compute/guest_ms",
        "/compute/ratio",
        "/start/process_ms",
        "/start/machine_ms",
        "/start/ratio",
    ] {
        let [low, median, high] = ["low", "median", "high"].map(|key| number(&found, &format!("{path}/{key}")));
        assert!(0.0 < low && low <= median && median <= high, "{path}: {found:#}");
        assert!(found.pointer(&format!("{path}/samples")).unwrap().as_array().unwrap().len() >= 30, "{path}");
    }
    let namespaces = &found["start"]["namespaces"];
    assert!(namespaces["made"]["kinds"].is_u64() || namespaces["refused"]["why"].is_string(), "{namespaces:#}");

    // An exit a byte, and what the report of a figure more takes; a kick for each 4 KiB, and as many again at most.
    assert_eq!(found["console"]["bytes"], 65_536);
    let (uart, virtio) = (number(&found, "/console/uart/exits"), number(&found, "/console/virtio/exits"));
    assert!((65_536.0..65_700.0).contains(&uart), "{uart}");
    assert!((1.0..=40.0).contains(&virtio), "{virtio}");

    for path in ["mmio", "pci"] {
        let kicks = number(&found, &format!("/disk/{path}/kicks"));
        assert!((0.95..=1.05).contains(&kicks), "a kick a block by {path}: {kicks}");
    }
    let registers = |path: &str| number(&found, &format!("/disk/{path}/registers"));
    assert!((0.95..=1.05).contains(&registers("mmio")), "an acknowledgement a block: {}", registers("mmio"));
    assert_eq!(registers("pci"), 0.0, "MSI-X has none");
    for key in ["kicks", "registers", "halts"] {
        assert_eq!(number(&found, &format!("/disk/pmem/{key}")), 0.0, "memory is read without an exit");
    }

    let deeds = found["wild"]["deeds"].as_array().unwrap();
    assert_eq!(found["wild"]["status"], 102);
    for (attack, verdict, works_again) in [
        ("holes", "ignored", Value::Null),
        ("ports", "ignored", Value::Null),
        ("outside-ram", "needs-reset", Value::Bool(true)),
        ("loop-of-all", "needs-reset", Value::Bool(true)),
        ("crash", "triple-fault", Value::Null),
    ] {
        let deed = deeds.iter().find(|deed| deed["attack"] == attack).unwrap_or_else(|| panic!("{attack}: {deeds:#?}"));
        assert_eq!((&deed["verdict"], &deed["works_again"]), (&Value::from(verdict), &works_again), "{attack}");
    }
    page(&std::fs::read_to_string(folder.path().join("page.html")).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the page is all that is left");
}

/// It shows every experiment, in both colour schemes, and loads nothing.
fn page(html: &str) {
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
    for title in ["Compute", "Start", "Console", "Disk", "Wild"] {
        assert!(html.contains(&format!("<h2>{title}</h2>")), "{title}");
    }
    // Compute and Start have a plot, Console and Disk two.
    assert_eq!((html.matches("<svg ").count(), html.matches("</svg>").count()), (6, 6));
    assert!(html.contains("prefers-color-scheme: dark"));
    for foreign in ["http:", "https:", "src=", "href=", "url(", "@import", "<script"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    assert!(!html.contains("NaN") && !html.contains("inf\""), "every figure is a number");
}

/// Whoever cannot have the page is told at once, in one line.
#[test]
fn a_page_that_cannot_be_written_is_refused_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "kept").unwrap();
    for path in ["missing/page.html", "file/page.html", "."] {
        let mut command = illico(folder.path());
        let output = command.args(["demo", "--html", path]).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(125), "{path:?}: {said}");
        assert!(said.starts_with("illico: --html: cannot create ") && said.lines().count() == 1, "{path:?}: {said}");
        assert!(output.stdout.is_empty(), "{path:?}");
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("file")).unwrap(), "kept");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
}
