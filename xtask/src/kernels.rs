//! Debian's cloud kernels, unpacked but not installed: bzImage, ELF and modules of 6.12 and 6.1.
//!
//! The package behind each meta package is resolved by apt-cache, downloaded by apt-get and unpacked by dpkg into a cache
//! with a folder for each version; modules are decompressed and `modules.dep` written there, once. Without a network
//! the newest version in the cache serves.
//! The cache is `target/lab` in the workspace, or the folder that `ILLICO_LAB_CACHE` names.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use illico_image::modules::Tree;

use crate::error::output_of;
use crate::{Error, packages, payload, project};

/// Where apt-get update puts package lists: what it changed after our last look may name a newer kernel.
const APT_LISTS: &str = "/var/lib/apt/lists";

/// A kernel series that Debian 12 ships for cloud machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series {
    /// From bookworm's 6.12 backport: also the lab's own kernel.
    V6_12,
    /// Debian 12's first kernel.
    V6_1,
}

impl Series {
    pub const ALL: [Series; 2] = [Series::V6_12, Series::V6_1];

    pub fn name(self) -> &'static str {
        match self {
            Series::V6_12 => "6.12",
            Series::V6_1 => "6.1",
        }
    }

    fn meta_package(self) -> &'static str {
        match self {
            Series::V6_12 => "linux-image-6.12-cloud-amd64",
            Series::V6_1 => "linux-image-cloud-amd64",
        }
    }
}

/// One kernel in the cache.
#[derive(Debug, Clone)]
pub struct Kernel {
    pub series: Series,
    /// Debian's package version.
    pub version: String,
    /// What `uname -r` says in it.
    pub release: String,
    folder: PathBuf,
}

impl Kernel {
    /// Finds the kernel in the cache, or downloads it into the cache.
    pub fn get(series: Series) -> Result<Kernel, Error> {
        packages::require(&[("zstd", "zstd"), ("lz4", "lz4"), ("xz", "xz-utils"), ("depmod", "kmod")])?;
        let _lock = lock_cache()?;
        let shelf = cache().join("kernels").join(series.name());
        fs::create_dir_all(&shelf).map_err(Error::file("create", &shelf))?;
        let looked = shelf.join("newest");
        if let Some(kernel) = looked_up_since_lists_changed(&looked).and_then(|v| Kernel::open(series, &shelf, &v)) {
            return Ok(kernel);
        }
        let kernel = match Kernel::candidate(series, &shelf) {
            Ok(kernel) => kernel,
            Err(error) => {
                let cached = fs::read_to_string(&looked).ok().and_then(|v| Kernel::open(series, &shelf, &v));
                eprintln!("{error}");
                let kernel = cached.ok_or(error)?;
                eprintln!("using Linux {} from the cache", kernel.version);
                kernel
            }
        };
        fs::write(&looked, &kernel.version).map_err(Error::file("write", &looked))?;
        Ok(kernel)
    }

    /// The compressed kernel, as a distribution ships it.
    pub fn bzimage(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// The ELF file inside it, with the PVH note. Unpacked by `zstd` and `lz4`, not by the project's own code.
    pub fn elf(&self) -> PathBuf {
        self.folder.join("vmlinux")
    }

    /// `lib/modules/<release>`, modules decompressed.
    pub fn modules_folder(&self) -> PathBuf {
        self.folder.join("lib/modules").join(&self.release)
    }

    pub fn modules(&self) -> Result<Tree, Error> {
        Ok(Tree::open(&self.modules_folder())?)
    }

    fn open(series: Series, shelf: &Path, version: &str) -> Option<Kernel> {
        let folder = shelf.join(version);
        let release = fs::read_to_string(folder.join("release")).ok()?;
        Some(Kernel { series, version: version.to_owned(), release, folder })
    }

    /// The version that apt would install now, downloaded if it is not in the cache.
    fn candidate(series: Series, shelf: &Path) -> Result<Kernel, Error> {
        let (package, version) = match package_behind(series.meta_package()) {
            Ok(found) => found,
            Err(_) => {
                packages::update_lists()?;
                package_behind(series.meta_package())?
            }
        };
        if let Some(kernel) = Kernel::open(series, shelf, &version) {
            return Ok(kernel);
        }
        eprintln!("downloading Debian's {package} {version}");
        let unpacked = tempfile::tempdir_in(shelf).map_err(Error::file("create a folder in", shelf))?;
        if download(&package, unpacked.path()).is_err() {
            // Lists that are some days old name packages that the archive has replaced.
            packages::update_lists()?;
            download(&package, unpacked.path())?;
        }
        let release = package.trim_start_matches("linux-image-").to_owned();
        prepare(unpacked.path(), &release)?;
        let folder = shelf.join(&version);
        fs::rename(unpacked.keep(), &folder).map_err(Error::file("create", &folder))?;
        Kernel::open(series, shelf, &version).ok_or_else(|| Error::Kernel(format!("{folder:?} is incomplete")))
    }
}

/// The bzImage of another of Debian's kernels, by the meta package that depends on the newest one; kept in the cache.
///
/// Only the image is unpacked: generic and rt kernels come with hundreds of megabytes of modules.
pub fn stock_bzimage(meta_package: &str) -> Result<PathBuf, Error> {
    let _lock = lock_cache()?;
    let folder = cache().join("kernels").join(meta_package);
    fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
    let (package, version) = match package_behind(meta_package) {
        Ok(found) => found,
        Err(_) => {
            packages::update_lists()?;
            package_behind(meta_package)?
        }
    };
    let image = folder.join(format!("vmlinuz-{version}"));
    if image.is_file() {
        return Ok(image);
    }
    eprintln!("downloading Debian's {package} {version}");
    let unpacked = tempfile::tempdir_in(&folder).map_err(Error::file("create a folder in", &folder))?;
    download(&package, unpacked.path())?;
    let archive = only_deb(unpacked.path())?;
    let listing = output_of(Command::new("dpkg-deb").arg("--fsys-tarfile").arg(&archive))?;
    let tar = unpacked.path().join("files.tar");
    fs::write(&tar, listing).map_err(Error::file("write", &tar))?;
    output_of(Command::new("tar").arg("-xf").arg(&tar).arg("-C").arg(unpacked.path()).arg("./boot"))?;
    let packed = unpacked.path().join(format!("boot/vmlinuz-{}", package.trim_start_matches("linux-image-")));
    fs::rename(&packed, &image).map_err(Error::file("move", &packed))?;
    Ok(image)
}

/// The cache's root folder.
pub fn cache() -> PathBuf {
    std::env::var_os("ILLICO_LAB_CACHE").map_or_else(|| project::root().join("target/lab"), PathBuf::from)
}

/// Held while something is added to the cache: labs of several worktrees may share it.
pub(crate) fn lock_cache() -> Result<File, Error> {
    let folder = cache();
    fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
    let path = folder.join("lock");
    let file = File::create(&path).map_err(Error::file("create", &path))?;
    file.lock().map_err(Error::file("lock", &path))?;
    Ok(file)
}

/// What was newest when we last asked apt, if its lists have not changed since.
fn looked_up_since_lists_changed(looked: &Path) -> Option<String> {
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let lists = changed(Path::new(APT_LISTS)).unwrap_or(SystemTime::UNIX_EPOCH);
    if changed(looked).ok()? < lists {
        return None;
    }
    fs::read_to_string(looked).ok()
}

/// The real package that a meta package depends on, and the version that apt would install.
fn package_behind(meta: &str) -> Result<(String, String), Error> {
    let depends = output_of(Command::new("apt-cache").args(["depends", meta]))?;
    let package = String::from_utf8_lossy(&depends)
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|name| name.starts_with("linux-image-"))
        .map(str::to_owned)
        .ok_or_else(|| Error::Kernel(format!("apt-cache knows no kernel behind {meta}")))?;
    let policy = output_of(Command::new("apt-cache").args(["policy", &package]).env("LC_ALL", "C"))?;
    let version = String::from_utf8_lossy(&policy)
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Candidate: "))
        .find(|version| *version != "(none)")
        .map(str::to_owned)
        .ok_or_else(|| Error::Kernel(format!("apt-cache has no candidate for {package}")))?;
    Ok((package, version))
}

fn download(package: &str, folder: &Path) -> Result<(), Error> {
    // apt warns about every folder that its own user cannot enter; only a failure is of interest.
    output_of(Command::new("apt-get").args(["download", package]).current_dir(folder)).map(drop)
}

fn only_deb(folder: &Path) -> Result<PathBuf, Error> {
    let entries = fs::read_dir(folder).map_err(Error::file("list", folder))?;
    entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .ok_or_else(|| Error::Kernel("apt-get download left no .deb".to_owned()))
}

/// Turns a folder with one .deb into what the cache keeps.
fn prepare(folder: &Path, release: &str) -> Result<(), Error> {
    let archive = only_deb(folder)?;
    output_of(Command::new("dpkg").arg("-x").arg(&archive).arg(folder))?;
    fs::remove_file(&archive).map_err(Error::file("remove", &archive))?;

    let (packed, bzimage) = (folder.join(format!("boot/vmlinuz-{release}")), folder.join("vmlinuz"));
    fs::rename(&packed, &bzimage).map_err(Error::file("move", &packed))?;
    let image = fs::read(&bzimage).map_err(Error::file("read", &bzimage))?;
    let elf = folder.join("vmlinux");
    fs::write(&elf, payload::unpack(&image)?).map_err(Error::file("write", &elf))?;
    let config = folder.join(format!("boot/config-{release}"));
    fs::rename(&config, folder.join("config")).map_err(Error::file("move", &config))?;
    for unneeded in ["boot", "usr", "etc"] {
        let path = folder.join(unneeded);
        if path.exists() {
            fs::remove_dir_all(&path).map_err(Error::file("remove", &path))?;
        }
    }

    decompress_modules(&folder.join("lib/modules").join(release))?;
    let depmod = packages::find_program("depmod").unwrap_or_else(|| "depmod".into());
    output_of(Command::new(depmod).arg("-b").arg(folder).arg(release))?;
    let path = folder.join("release");
    fs::write(&path, release).map_err(Error::file("write", &path))
}

/// `.ko.xz` to `.ko`: neither busybox's modprobe nor a kernel asked by `init_module` unpacks them.
fn decompress_modules(tree: &Path) -> Result<(), Error> {
    let mut xz = Command::new("find");
    xz.arg(tree).args(["-name", "*.ko.xz", "-exec", "xz", "--decompress", "{}", "+"]);
    output_of(xz.stdin(Stdio::null())).map(drop)
}
