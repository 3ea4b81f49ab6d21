//! The Debian package's own files: control, md5sums, copyright and changelog (Debian policy, chapters 5 and 12).

use std::fs;
use std::path::Path;
use std::process::Command;

use super::VERSION;
use crate::error::output_of;
use crate::{Error, project};

/// Adds to an installed tree what makes it a package.
///
/// The program is linked with glibc alone, 2.36 or newer (packed relocations). `passt` is the network of a plain user,
/// e2fsprogs makes the disk of `--scratch`; without either the rest works.
pub(super) fn complete(tree: &Path) -> Result<(), Error> {
    let documents = tree.join("usr/share/doc/illico");
    fs::create_dir_all(&documents).map_err(Error::file("create", &documents))?;
    let license = project::root().join("LICENSE-MIT");
    let license = fs::read_to_string(&license).map_err(Error::file("read", &license))?;
    let copyright = format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: illico\n\n\
         Files: *\nCopyright: the illico authors\nLicense: MIT or Apache-2.0\n\nLicense: MIT\n{}\n\
         License: Apache-2.0\n See /usr/share/common-licenses/Apache-2.0.\n",
        indented(&license)
    );
    write(&documents.join("copyright"), &copyright)?;
    let changes = project::root().join("CHANGELOG.md");
    let changes = fs::read_to_string(&changes).map_err(Error::file("read", &changes))?;
    write(&documents.join("changelog"), &changes)?;
    output_of(Command::new("gzip").args(["-9n"]).arg(documents.join("changelog")))?;

    let size = output_of(Command::new("du").args(["-s", "-k"]).arg(tree.join("usr")))?;
    let size = String::from_utf8_lossy(&size).split_whitespace().next().unwrap_or("0").to_owned();
    let folder = tree.join("DEBIAN");
    fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
    write(
        &folder.join("control"),
        &format!(
            "Package: illico\nVersion: {VERSION}\nArchitecture: amd64\nMaintainer: the illico authors <illico@localhost>\n\
             Installed-Size: {size}\nDepends: libc6 (>= 2.36)\nRecommends: passt\nSuggests: e2fsprogs\nSection: admin\n\
             Priority: optional\nDescription: run programs, images and kernels in microVMs, and see every exit\n \
             illico starts a program, an OCI image or a bare kernel in a virtual machine of its own (Linux KVM), without\n \
             root and without a daemon, and shows where every VMEXIT went.\n"
        ),
    )?;
    let sums = "cd \"$1\" && find usr -type f -printf '%P\\0' | sort -z | sed -z 's,^,usr/,' | xargs -0 md5sum";
    let sums = output_of(Command::new("sh").args(["-c", sums, "sh"]).arg(tree))?;
    write(&folder.join("md5sums"), &String::from_utf8_lossy(&sums))?;
    // mkdtemp made it private; a package's root is not.
    output_of(Command::new("chmod").arg("755").arg(tree)).map(drop)
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::file("write", path))
}

/// As a field's continuation: a space before each line, a dot for an empty one.
fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { " .\n".to_owned() } else { format!(" {line}\n") }).collect()
}
