//! The shelf: a read-only ext4 disk with what every run of the lab may want and few need: the guest kernels and all
//! modules of the lab's own kernel.
//!
//! On a disk they cost a run nothing until they are read; in the initramfs each run would copy them. Made once for
//! each pair of kernel versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::output_of;
use crate::kernels::{cache, lock_cache};
use crate::{Error, Kernel, packages};

/// Where the lab mounts the shelf; `/kernels` and `/lib/modules` lead there.
pub(super) const LINKS: [(&str, &str); 2] = [("/kernels", "/shelf/kernels"), ("/lib/modules", "/shelf/modules")];

/// Named in the image's file name: another layout is another file.
const LAYOUT: u32 = 1;

/// The shelf's image, made if it is not in the cache.
pub(super) fn image(lab: &Kernel, guests: &[Kernel]) -> Result<PathBuf, Error> {
    let versions: Vec<&str> = guests.iter().map(|kernel| kernel.version.as_str()).collect();
    let path = cache().join(format!("shelf-{LAYOUT}_{}_{}.ext4", lab.version, versions.join("_")));
    let _lock = lock_cache()?;
    if path.is_file() {
        return Ok(path);
    }
    let staging = tempfile::tempdir_in(cache()).map_err(Error::file("create a folder in", cache()))?;
    let root = staging.path().join("root");
    for kernel in guests {
        let folder = root.join("kernels").join(kernel.series.name());
        fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
        link(&kernel.elf(), &folder.join("vmlinux"))?;
        link(&kernel.bzimage(), &folder.join("vmlinuz"))?;
    }
    let modules = root.join("modules");
    fs::create_dir_all(&modules).map_err(Error::file("create", &modules))?;
    output_of(Command::new("cp").arg("-rl").arg(lab.modules_folder()).arg(&modules))?;

    let image = staging.path().join("image");
    let mkfs = packages::find_program("mkfs.ext4").unwrap_or_else(|| "mkfs.ext4".into());
    let mut command = Command::new(mkfs);
    command.args(["-q", "-F", "-O", "^has_journal", "-m", "0", "-b", "4096", "-d"]).arg(&root).arg(&image);
    command.arg(format!("{}M", size_mib(&root)?));
    output_of(&mut command)?;
    fs::rename(&image, &path).map_err(Error::file("move", &image))?;
    Ok(path)
}

/// Enough for the files, their last blocks and the inode tables.
fn size_mib(root: &Path) -> Result<u64, Error> {
    let listing = output_of(Command::new("du").args(["-s", "-m"]).arg(root))?;
    let size = String::from_utf8_lossy(&listing).split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
    size.map(|mib| mib + mib / 8 + 16).ok_or_else(|| Error::Kernel("du printed no size".to_owned()))
}

fn link(from: &Path, to: &Path) -> Result<(), Error> {
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop)).map_err(Error::file("copy", from))
}
