//! `cargo xtask dist`: what a release consists of, in `target/dist`: the stripped program, a Debian package, a software
//! bill of materials, and checksums.
//!
//! What is installed where is said once, by `make install`; the package is that tree with a control file.

mod control;
mod sbom;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::output_of;
use crate::{Error, project};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const CHECKSUMS: &str = "SHA256SUMS";

/// Files of a release.
#[derive(Debug)]
pub struct Release {
    /// The program, without symbols.
    pub program: PathBuf,
    /// The Debian package.
    pub package: PathBuf,
    /// CycloneDX JSON.
    pub sbom: PathBuf,
    /// For `sha256sum --check`.
    pub checksums: PathBuf,
}

/// Builds everything anew.
pub fn run() -> Result<Release, Error> {
    let folder = project::root().join("target/dist");
    fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
    let staging = tempfile::tempdir_in(&folder).map_err(Error::file("create a folder in", &folder))?;
    let tree = staging.path();
    output_of(
        Command::new("make")
            .args(["--silent", "install", "PREFIX=/usr"])
            .arg(format!("DESTDIR={}", tree.display()))
            .current_dir(project::root()),
    )?;

    let program = folder.join(format!("illico-{VERSION}-x86_64-linux-gnu"));
    copy(&tree.join("usr/bin/illico"), &program)?;
    let package = folder.join(format!("illico_{VERSION}_amd64.deb"));
    control::complete(tree)?;
    output_of(Command::new("dpkg-deb").args(["--root-owner-group", "-Zxz", "--build"]).arg(tree).arg(&package))?;
    let sbom = folder.join(format!("illico-{VERSION}.cdx.json"));
    fs::write(&sbom, sbom::cyclonedx()?).map_err(Error::file("write", &sbom))?;

    let release = Release { program, package, sbom, checksums: folder.join(CHECKSUMS) };
    let files = [&release.program, &release.package, &release.sbom];
    let names = files.map(|file| file.file_name().unwrap_or_default().to_owned());
    let sums = output_of(Command::new("sha256sum").args(names).current_dir(&folder))?;
    fs::write(&release.checksums, sums).map_err(Error::file("write", &release.checksums))?;
    Ok(release)
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::copy(from, to).map(drop).map_err(Error::file("copy", from))
}
