//! The Debian package: built as for a release, installed into a fresh root with what it depends on, run there, removed.

use std::path::Path;
use std::process::{Command, Output};

use xtask::{dist, packages};

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Every path below `root` that could be the package's.
fn files(root: &Path) -> Vec<String> {
    let find = "find bin/ usr/ etc/ -name '*illico*' | sort";
    let output = run(Command::new("sh").args(["-c", find]).current_dir(root));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn it_installs_runs_and_is_removed_in_a_fresh_root() {
    packages::require(&[("mmdebstrap", "mmdebstrap")]).unwrap_or_else(|error| panic!("{error}"));
    let release = dist::run().unwrap_or_else(|error| panic!("{error}"));
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("root");
    run(Command::new("mmdebstrap").args(["--quiet", "--variant=minbase", "bookworm"]).arg(&root));
    run(Command::new("cp").arg(&release.package).arg(root.join("illico.deb")));

    let inside = |words: &[&str]| run(Command::new("chroot").arg(&root).args(words));
    inside(&["dpkg", "--install", "/illico.deb"]);
    let installed = files(&root);
    for path in ["usr/bin/illico", "usr/share/man/man1/illico.1.gz", "usr/share/bash-completion/completions/illico"] {
        assert!(installed.iter().any(|file| file == path), "{path} is missing in {installed:?}");
    }
    let version = inside(&["illico", "--version"]);
    assert_eq!(String::from_utf8_lossy(&version.stdout), format!("illico {}\n", env!("CARGO_PKG_VERSION")));
    inside(&["dpkg", "--purge", "illico"]);
    assert_eq!(files(&root), Vec::<String>::new(), "nothing is left");

    let sums = run(Command::new("sha256sum")
        .args(["--check", "--strict"])
        .arg(&release.checksums)
        .current_dir(release.checksums.parent().expect("a folder")));
    assert_eq!(String::from_utf8_lossy(&sums.stdout).matches(": OK").count(), 3);
    let sbom = std::fs::read_to_string(&release.sbom).expect("the bill of materials");
    assert!(sbom.contains("pkg:cargo/kvm-ioctls@") && !sbom.contains("pkg:cargo/openmetrics-parser@"), "{sbom}");
}
