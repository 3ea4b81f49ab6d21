use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use illico_machine::config::Config;
use rustix::process::Signal;
use tempfile::TempDir;

use super::*;

fn vms(folder: &TempDir) -> Vms {
    Vms::at(Places { vms: folder.path().join("state/illico/vms"), sockets: folder.path().join("sockets") })
}

fn asked() -> Asked {
    let (image, command, ports) = (None, vec!["true".to_owned()], Vec::new());
    Asked { verb: Verb::Run, image, command, ports, remove: false, config: Config::default() }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn names(vms: &Vms) -> Vec<String> {
    vms.list().unwrap().iter().map(|vm| vm.name.to_string()).collect()
}

#[test]
fn a_machine_is_listed_while_it_runs_and_after_its_end_until_it_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let vms = vms(&folder);
    assert!(names(&vms).is_empty());
    let ours = vms.create(Some(name("web")), asked()).unwrap();
    let seen = vms.open(&name("web")).unwrap();
    assert_eq!(seen.state(), State::Running);
    assert_eq!(seen.record.as_ref().unwrap().pid, std::process::id() as i32);
    assert!(matches!(vms.remove(&name("web")), Err(VmsError::Alive { .. })));
    let ended = Ended::now(7, "the command ended");
    ours.finish(&ended).unwrap();
    assert_eq!(seen.state(), State::Ended(ended.clone()));
    assert_eq!(seen.wait().unwrap(), State::Ended(ended));
    assert!(seen.monitor().unwrap().is_none());
    assert_eq!(names(&vms), ["web"]);
    vms.remove(&name("web")).unwrap();
    assert!(names(&vms).is_empty());
    assert!(matches!(vms.remove(&name("web")), Err(VmsError::Unknown { .. })));
}

#[test]
fn what_did_not_start_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let vms = vms(&folder);
    let ours = vms.create(None, asked()).unwrap();
    let sockets = ours.make_sockets().unwrap().to_owned();
    assert_eq!(names(&vms), [ours.record().name.as_str()]);
    drop(ours);
    assert!(names(&vms).is_empty() && !sockets.exists());
}

#[test]
fn a_machine_that_goes_with_its_end_still_tells_those_who_wait() {
    let folder = tempfile::tempdir().unwrap();
    let vms = vms(&folder);
    let ours = vms.create(Some(name("job")), Asked { remove: true, ..asked() }).unwrap();
    let seen = vms.open(&name("job")).unwrap();
    let ended = Ended::now(3, "the command ended");
    ours.finish(&ended).unwrap();
    assert_eq!(seen.wait().unwrap(), State::Ended(ended));
    assert!(names(&vms).is_empty());
}

#[test]
fn a_name_belongs_to_one_machine_until_that_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let vms = vms(&folder);
    let ours = vms.create(Some(name("web")), asked()).unwrap();
    let error = vms.create(Some(name("web")), asked()).unwrap_err().to_string();
    assert!(error.contains("web is in use by a machine that runs") && error.contains("rm -f web"), "{error}");
    ours.finish(&Ended::now(0, "")).unwrap();
    let error = vms.create(Some(name("web")), asked()).unwrap_err().to_string();
    assert!(error.contains("has ended") && error.contains("rm web"), "{error}");
}

#[test]
fn of_those_who_want_one_name_at_once_one_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    let vms = vms(&folder);
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let vms = vms.clone();
            thread::spawn(move || vms.create(Some(name("web")), asked()))
        })
        .collect();
    let got: Vec<_> = tries.into_iter().map(|handle| handle.join().unwrap()).collect();
    assert_eq!(got.iter().filter(|got| got.is_ok()).count(), 1);
    assert!(got.iter().flat_map(|got| got.as_ref().err()).all(|error| matches!(error, VmsError::InUse { .. })));
    assert_eq!(names(&vms), ["web"]);
}

#[test]
fn invented_names_differ() {
    let folder = tempfile::tempdir().unwrap();
    let vms = vms(&folder);
    let ours: Vec<_> = (0..20).map(|_| vms.create(None, asked()).unwrap()).collect();
    let names: BTreeSet<_> = ours.iter().map(|folder| folder.record().name.to_string()).collect();
    assert_eq!(names.len(), 20);
}

const CHILD: &str = "ILLICO_VMS_CHILD";

/// Not a test of its own: the body of a process that runs a machine, for the tests below.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let places =
        Places { vms: Path::new(&folder).join("state/illico/vms"), sockets: Path::new(&folder).join("sockets") };
    let ours = Vms::at(places).create(Some(name("web")), asked()).unwrap();
    ours.make_sockets().unwrap();
    println!("\nready");
    loop {
        thread::park();
    }
}

fn start_child(folder: &TempDir) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "vms::tests::child", "--nocapture"])
        .env(CHILD, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "ready"));
    child
}

#[test]
fn a_machine_whose_process_is_killed_is_listed_as_killed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let vms = vms(&folder);
    let mut child = start_child(&folder);
    let seen = vms.open(&name("web")).unwrap();
    assert_eq!(seen.state(), State::Running);
    let monitor = seen.monitor().unwrap().unwrap();
    assert!(!monitor.wait(Duration::ZERO).unwrap());
    let waits = {
        let seen = vms.open(&name("web")).unwrap();
        thread::spawn(move || seen.wait().unwrap())
    };
    assert!(monitor.signal(Signal::KILL).unwrap());
    assert!(monitor.wait(Duration::from_secs(60)).unwrap());
    assert_eq!(waits.join().unwrap(), State::Killed);
    assert_eq!(seen.state(), State::Killed);
    child.wait().unwrap();
    assert!(!monitor.signal(Signal::KILL).unwrap());
    assert!(matches!(vms.create(Some(name("web")), asked()), Err(VmsError::InUse { .. })));
    vms.remove(&name("web")).unwrap();
    assert!(names(&vms).is_empty());
    assert_eq!(fs::read_dir(folder.path().join("sockets")).unwrap().count(), 0);
}

#[test]
fn the_number_of_a_process_is_not_believed_without_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let vms = vms(&folder);
    let mut child = start_child(&folder);
    child.kill().unwrap();
    child.wait().unwrap();
    // As if the number had been given to another: to this process.
    let seen = vms.open(&name("web")).unwrap();
    let mut record = seen.record.clone().unwrap();
    record.pid = std::process::id() as i32;
    fs::write(seen.file("vm.json"), serde_json::to_vec(&record).unwrap()).unwrap();
    assert!(vms.open(&name("web")).unwrap().monitor().unwrap().is_none());
}

#[test]
fn what_a_crash_left_half_made_or_half_removed_is_not_listed_and_goes_with_the_next_change() {
    let folder = tempfile::tempdir().unwrap();
    let vms = vms(&folder);
    let ended = vms.create(Some(name("old")), asked()).unwrap();
    ended.finish(&Ended::now(0, "")).unwrap();
    let root = folder.path().join("state/illico/vms");
    for half in [".new", ".gone"] {
        fs::create_dir(root.join(half)).unwrap();
        fs::write(root.join(half).join("lock"), "").unwrap();
    }
    assert_eq!(names(&vms), ["old"]);
    let _ours = vms.create(Some(name("web")), asked()).unwrap();
    vms.remove(&name("old")).unwrap();
    assert_eq!(names(&vms), ["web"]);
    assert!(!root.join(".new").exists() && !root.join(".gone").exists());
}

#[test]
fn a_folder_that_somebody_spoilt_is_listed_and_can_be_removed() {
    let folder = tempfile::tempdir().unwrap();
    let vms = vms(&folder);
    vms.create(Some(name("web")), asked()).unwrap().finish(&Ended::now(0, "")).unwrap();
    let seen = vms.open(&name("web")).unwrap();
    fs::write(seen.file("vm.json"), "{").unwrap();
    fs::remove_file(seen.file("lock")).unwrap();
    fs::remove_file(seen.file("ended.json")).unwrap();
    let seen = vms.open(&name("web")).unwrap();
    assert!(seen.record.is_none());
    assert_eq!(seen.state(), State::Killed);
    vms.remove(&name("web")).unwrap();
    assert!(names(&vms).is_empty());
}
