//! A stage on this host's own /dev/kvm: a folder with everything by its relative name, and busybox's programs.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use xtask::{Error, Series, packages};

use crate::guest::kernel;
use crate::stage::{Outcome, Source, Stage};

/// Why guests do not run on this host's KVM; `None` if they do.
///
/// A /dev/kvm on a CPU without VMX and SVM interprets what guests do in ring 0, and ends with an error in Linux.
pub fn why_not(only_in_the_lab: Option<&'static str>) -> Option<&'static str> {
    let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = flags.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    if only_in_the_lab.is_some() {
        only_in_the_lab
    } else if !flags.split_whitespace().any(|flag| flag == "vmx" || flag == "svm") {
        Some("this host's CPU has neither VMX nor SVM, its KVM cannot run Linux")
    } else if OpenOptions::new().read(true).write(true).open("/dev/kvm").is_err() {
        Some("/dev/kvm cannot be opened")
    } else if !fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0) {
        Some("taps and mounts need root here")
    } else {
        None
    }
}

pub(crate) fn run(stage: &Stage, illico: &Path) -> Result<Outcome, Error> {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
    let place = |name: &str| folder.path().join(name);
    let busybox = packages::static_busybox()?;
    for name in ["bin", "disk", "kernels"] {
        fs::create_dir(place(name)).unwrap_or_else(|error| panic!("cannot create {name}: {error}"));
    }
    let installed = Command::new(&busybox).args(["--install", "-s"]).arg(place("bin")).status();
    assert!(installed.is_ok_and(|status| status.success()), "busybox installs its links");
    let link = |target: &Path, name: &str| {
        symlink(target, place(name)).unwrap_or_else(|error| panic!("cannot link {name}: {error}"));
    };
    link(illico, "bin/illico");
    for series in Series::ALL {
        if let Some(folder) = kernel(series).elf().parent() {
            link(folder, &format!("kernels/{}", series.name()));
        }
    }
    for (name, image) in &stage.disks {
        link(image, &format!("disk/{name}"));
    }
    for (name, source) in &stage.files {
        match source {
            Source::Host(host) => link(host, name),
            Source::Bytes(bytes) => {
                fs::write(place(name), bytes).unwrap_or_else(|error| panic!("cannot write {name}: {error}"));
            }
        }
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new(&busybox)
        .args(["sh", "-c", &format!("exec 2>&1 </dev/null\n{}", stage.script)])
        .current_dir(folder.path())
        .env("PATH", format!("{}:{path}", place("bin").display()))
        .output()
        .map_err(|source| Error::Start { command: "busybox sh".to_owned(), source })?;
    let content = |name: &String| fs::read(place(name)).ok().map(|content| (name.clone(), content));
    let files: BTreeMap<_, _> = stage.fetch.iter().filter_map(content).collect();
    let status = output.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX);
    Ok((status, output.stdout, files))
}
