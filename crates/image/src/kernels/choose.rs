//! Which kernel a guest gets.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{HOST, Kernel, KernelError, Kernels, recognise};

impl Kernels {
    /// The kernel of this name, or the file at this path (with a slash in it). Without one, the default one; without
    /// that, the only one of the store, or else the host's.
    pub fn choose(&self, asked: Option<&OsStr>) -> Result<Kernel, KernelError> {
        if let Some(asked) = asked {
            return match asked.as_bytes().contains(&b'/') {
                true => self.at_path(Path::new(asked)),
                false => self.named(&asked.to_string_lossy()),
            };
        }
        if let Some(name) = self.default_name() {
            return self.named(&name);
        }
        let mut kernels = self.list()?;
        match &mut kernels[..] {
            [] => Err(KernelError::None),
            // Who fetched one kernel wants it.
            [host, _] if host.name == HOST => Ok(kernels.swap_remove(1)),
            _ => Ok(kernels.swap_remove(0)),
        }
    }

    /// A kernel that is in no store. Its modules are in `lib/modules` or `modules` beside it, or are the host's.
    fn at_path(&self, path: &Path) -> Result<Kernel, KernelError> {
        let release = release_of(path)?;
        let beside = path.parent().unwrap_or(Path::new("."));
        let places = [beside.join("lib/modules").join(&release), beside.join("modules"), self.host_modules(&release)];
        let modules = places.into_iter().find(|folder| are_modules(folder));
        let name = path.display().to_string();
        Ok(Kernel { origin: "--kernel".to_owned(), name, image: path.to_owned(), modules, release })
    }

    /// The kernel that this host runs, if its files can be read.
    pub(super) fn of_host(&self) -> Option<Kernel> {
        let release = self.host_release();
        let image = self.host.join("boot").join(format!("vmlinuz-{release}"));
        File::open(&image).ok()?;
        let modules = Some(self.host_modules(&release)).filter(|folder| are_modules(folder))?;
        let origin = "this host".to_owned();
        Some(Kernel { name: HOST.to_owned(), image, modules: Some(modules), release, origin })
    }

    pub(super) fn host_release(&self) -> String {
        let release = fs::read_to_string(self.host.join("proc/sys/kernel/osrelease")).unwrap_or_default();
        release.trim_end().to_owned()
    }

    fn host_modules(&self, release: &str) -> PathBuf {
        self.host.join("lib/modules").join(release)
    }
}

fn are_modules(folder: &Path) -> bool {
    ["modules.dep", "modules.order"].iter().any(|name| folder.join(name).is_file())
}

pub(super) fn release_of(path: &Path) -> Result<String, KernelError> {
    let file = File::open(path).map_err(KernelError::file("open", path))?;
    let metadata = file.metadata().map_err(KernelError::file("read", path))?;
    if !metadata.is_file() {
        return Err(KernelError::NotAKernel(path.to_owned()));
    }
    let release = recognise::release(&file).map_err(KernelError::file("read", path))?;
    release.ok_or_else(|| KernelError::NotAKernel(path.to_owned()))
}
