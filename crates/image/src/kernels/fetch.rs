//! Getting the distribution's kernel for cloud machines: downloaded and unpacked as this user, not installed.
//!
//! For hosts with apt-get. It knows where packages are and checks their signatures; nothing else is asked.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{IMAGE, Kernel, KernelError, Kernels, MODULES, Record};
use crate::modules::Tree;

/// Packages that stand for the newest kernel of their kind, best first: Debian's from backports, Debian's own, Ubuntu's.
const META_PACKAGES: [&str; 3] = ["linux-image-6.12-cloud-amd64", "linux-image-cloud-amd64", "linux-image-kvm"];

/// Told what is going on, a line at a time.
pub type Watch<'a> = &'a mut dyn FnMut(&str);

impl Kernels {
    /// Fetches the kernel behind `package`, or behind the best one that there is, and keeps it as `name`, or by its release. It
    /// becomes the default one if there is none.
    pub fn fetch(&self, name: Option<&str>, package: Option<&str>, watch: Watch<'_>) -> Result<Kernel, KernelError> {
        let package = real_package(package)?;
        let release = package.trim_start_matches("linux-image-").trim_start_matches("unsigned-").to_owned();
        let name = name.map_or_else(|| release.clone(), str::to_owned);
        self.check_free(&name)?;
        let part = self.part()?;
        watch(&format!("downloading {package}"));
        // apt warns about folders that its own user cannot enter; only a failure is of interest.
        said(Command::new("apt-get").args(["download", &package]).current_dir(&part.0))?;
        let archive = only_deb(&part.0).ok_or_else(|| KernelError::BadPackage(package.clone()))?;
        watch(&format!("unpacking {}", archive.file_name().unwrap_or_default().to_string_lossy()));
        let unpacked = part.0.join("unpacked");
        said(Command::new("dpkg-deb").arg("--extract").arg(&archive).arg(&unpacked))?;
        fs::remove_file(&archive).map_err(KernelError::file("remove", &archive))?;

        let bad = |_| KernelError::BadPackage(package.clone());
        fs::rename(unpacked.join("boot").join(format!("vmlinuz-{release}")), part.0.join(IMAGE)).map_err(bad)?;
        let modules = ["lib/modules", "usr/lib/modules"].map(|place| unpacked.join(place).join(&release));
        let found = modules.iter().find(|folder| folder.is_dir());
        let found = found.ok_or_else(|| KernelError::BadPackage(package.clone()))?;
        fs::rename(found, part.0.join(MODULES)).map_err(bad)?;
        Tree::open(&part.0.join(MODULES))?;
        fs::remove_dir_all(&unpacked).map_err(KernelError::file("remove", &unpacked))?;

        let kernel = self.keep(&part, &name, &Record { release, origin: package, modules: true })?;
        if self.default_name().is_none() {
            self.set_default(&name)?;
        }
        Ok(kernel)
    }
}

/// The package with a kernel in it that this one, or the best one, stands for.
fn real_package(asked: Option<&str>) -> Result<String, KernelError> {
    let candidates = asked.map_or_else(|| META_PACKAGES.to_vec(), |asked| vec![asked]);
    for candidate in &candidates {
        let depends = match said(Command::new("apt-cache").args(["depends", "--", candidate])) {
            Ok(text) => text,
            Err(KernelError::Start { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(KernelError::NoApt);
            }
            // It does not know the package.
            Err(_) => continue,
        };
        let behind =
            depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: ")).find(|name| is_image(name));
        if let Some(package) = behind {
            return Ok(package.to_owned());
        }
        if is_image(candidate) && !depends.is_empty() {
            return Ok((*candidate).to_owned());
        }
    }
    Err(KernelError::NoPackage(candidates.join(", ")))
}

/// Packages with kernels in them have a release in their name.
fn is_image(package: &str) -> bool {
    let release = package.strip_prefix("linux-image-").map(|rest| rest.trim_start_matches("unsigned-"));
    release
        .is_some_and(|release| release.matches('.').count() >= 2 && release.starts_with(|c: char| c.is_ascii_digit()))
}

fn only_deb(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    entries.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|ending| ending == "deb"))
}

/// Runs a program to its end; what it printed, or the last line of its complaint.
fn said(command: &mut Command) -> Result<String, KernelError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.env("LC_ALL", "C").stdin(Stdio::null()).output();
    let output = output.map_err(|source| KernelError::Start { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = complaint.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it did not say why");
    Err(KernelError::Failed { program, reason: last.to_owned() })
}

#[cfg(test)]
#[path = "fetch_test.rs"]
mod tests;
