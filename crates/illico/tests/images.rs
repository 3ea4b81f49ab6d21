//! The store of images from outside: what each verb prints, what it refuses, and what is left when an import dies
//! half-way.

mod illico;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use illico::illico;
use illico_image::tar::testkit::Archive;
use illico_image::testkit::Parts;

fn verb(folder: &Path, words: &[&str]) -> Output {
    illico(folder).env("XDG_DATA_HOME", folder).args(words).output().unwrap()
}

/// What it printed; it went well.
fn said(folder: &Path, words: &[&str]) -> String {
    let output = verb(folder, words);
    assert!(output.status.success(), "{words:?}: {output:?}");
    assert!(output.stderr.is_empty(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Its one line of complaint.
fn refused(folder: &Path, words: &[&str]) -> String {
    complaint(verb(folder, words))
}

fn complaint(output: Output) -> String {
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text.strip_prefix("illico: ").unwrap().trim_end().to_owned()
}

fn stored(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder.join("illico/images")).unwrap();
    let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "lock" && name != "names.json");
    names.sort();
    names
}

/// A folder with a tar of two MiB that are not zero.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let tar = Archive::new().directory("etc").file("etc/large", &vec![7; 2 << 20]).end();
    fs::write(folder.path().join("rootfs.tar"), tar).unwrap();
    folder
}

#[test]
fn an_image_is_imported_listed_and_removed() {
    let folder = folder();
    let folder = folder.path();
    let id = said(folder, &["import", "rootfs.tar", "mine"]);
    let id = id.trim();
    assert!(id.starts_with("sha256:") && id.len() == 71, "{id}");
    assert_eq!(said(folder, &["import", "--quiet", "rootfs.tar", "localhost/other:2"]), "");
    let list = said(folder, &["images"]);
    let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "ID", "DISK", "AGE"]);
    assert_eq!((lines[1][0], lines[2][0], lines[1][1]), ("localhost/other:2", "mine:latest", &id[7..19]));
    assert_eq!(said(folder, &["images", "--quiet"]), format!("{id}\n"));
    let json: serde_json::Value = serde_json::from_str(&said(folder, &["images", "--json"])).unwrap();
    assert_eq!(json[0]["id"], id);
    assert_eq!(json[0]["names"], serde_json::json!(["localhost/other:2", "mine:latest"]));
    assert_eq!(json[0]["kind"], "erofs");
    assert_eq!(said(folder, &["rmi", "mine"]), "mine\n");
    assert_eq!(said(folder, &["rmi", &id[7..15]]), format!("localhost/other:2\n{id}\n"));
    assert_eq!(said(folder, &["images", "--json"]), "[]\n");
    assert!(stored(folder).is_empty());
}

#[test]
fn prune_removes_what_no_name_leads_to() {
    let folder = folder();
    let folder = folder.path();
    said(folder, &["import", "rootfs.tar", "mine"]);
    fs::write(folder.join("other.tar"), Archive::new().file("x", b"").end()).unwrap();
    said(folder, &["import", "other.tar", "mine"]);
    fs::write(folder.join("illico/images/import-1-0.part"), "left by a dead process").unwrap();
    assert_eq!(stored(folder).len(), 5);
    assert!(said(folder, &["prune"]).starts_with("removed 1 image without a name; 2."));
    assert_eq!(stored(folder).len(), 2);
    assert_eq!(said(folder, &["prune", "--quiet"]), "");
}

#[test]
fn what_cannot_be_imported_is_told_in_one_line_and_leaves_nothing() {
    let folder = folder();
    let folder = folder.path();
    fs::write(folder.join("evil.tar"), Archive::new().file("../../etc/cron.d/x", b"").end()).unwrap();
    fs::write(folder.join("text"), "hello").unwrap();
    let mut parts = Parts::new(&[Archive::new().file("a", b"").end()]);
    parts.configuration["architecture"] = "riscv64".into();
    fs::write(folder.join("riscv.tar"), parts.docker_archive("x")).unwrap();
    let mut cut = fs::read(folder.join("rootfs.tar")).unwrap();
    cut.truncate(1 << 20);
    fs::write(folder.join("cut.tar"), cut).unwrap();
    for (words, message) in [
        (&["import", "evil.tar", "x"][..], "'evil.tar': entry '../../etc/cron.d/x': its name has '..'"),
        (&["import", "riscv.tar", "x"], "'riscv.tar': it is for linux/riscv64, and this machine is linux/amd64"),
        (&["import", "none.tar", "x"], "cannot open 'none.tar': No such file or directory (os error 2)"),
        (&["import", "cut.tar", "x"], "'cut.tar': entry 'etc/large': 1049600 bytes of its data are missing"),
        (&["import", "rootfs.tar", "x", "--max", "1"], "(--max allows more)"),
        (&["import", "text", "x"], "'text' is not an image: neither an OCI layout or archive"),
        (&["import", "rootfs.tar", "Not/A/Name"], "'Not/A/Name' names no image"),
        (&["import", "rootfs.tar", "x", "--max", "much"], "write a number with K, M, G or T"),
        (&["rmi", "none"], "there is no image 'none' in the store"),
        (&["pull", "localhost:1/x"], "cannot reach the registry 'localhost:1': Connection refused"),
        (&["pull", "registry.invalid/x"], "cannot reach the registry 'registry.invalid': "),
    ] {
        let told = refused(folder, words);
        assert!(told.contains(message), "{words:?}: {told}");
        assert!(!folder.join("illico/images").exists() || stored(folder).is_empty(), "{words:?}: {:?}", stored(folder));
    }
    assert!(!folder.join("etc").exists());
}

/// Files of this size and no larger: the kernel says so by an error, as it does where the disk is full.
fn with_small_files(folder: &Path, before: &str) -> Output {
    let illico = env!("CARGO_BIN_EXE_illico");
    let script = format!("{before} ulimit -f 1000; exec {illico} import rootfs.tar mine");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(folder).env("XDG_DATA_HOME", folder).output().unwrap()
}

#[test]
fn an_import_that_cannot_be_written_leaves_nothing() {
    let folder = folder();
    let told = complaint(with_small_files(folder.path(), "trap '' XFSZ;"));
    assert_eq!(told, "'rootfs.tar': entry 'etc/large': cannot write the image: File too large (os error 27)");
    assert!(stored(folder.path()).is_empty());
    said(folder.path(), &["import", "--quiet", "rootfs.tar", "mine"]);
}

#[test]
fn an_import_that_is_killed_half_way_is_no_image() {
    let folder = folder();
    let killed = with_small_files(folder.path(), "");
    assert!(std::os::unix::process::ExitStatusExt::signal(&killed.status).is_some(), "{killed:?}");
    assert_eq!(stored(folder.path()).len(), 1, "what was written so far");
    assert_eq!(said(folder.path(), &["images", "--quiet"]), "");
    said(folder.path(), &["prune"]);
    assert!(stored(folder.path()).is_empty());
    said(folder.path(), &["import", "--quiet", "rootfs.tar", "mine"]);
    assert_eq!(stored(folder.path()).len(), 2);
}
