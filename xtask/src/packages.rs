//! Debian packages that the lab needs: installed when missing, and said aloud.
//!
//! Nothing is ever removed or upgraded. Installing needs root; without it `sudo` is asked.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Once;

use crate::error::output_of;
use crate::{Error, programs};

/// Makes sure that each `(program, package)` is there: installs the packages whose program is missing.
pub fn require(programs: &[(&str, &'static str)]) -> Result<(), Error> {
    let missing: Vec<&str> =
        programs.iter().filter(|(program, _)| find_program(program).is_none()).map(|&(_, package)| package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    install(&missing)
}

/// The path of a busybox that needs no libraries, which the initramfs of labs and guests start with.
pub fn static_busybox() -> Result<PathBuf, Error> {
    let found = find_program("busybox");
    // Debian's package `busybox` has a dynamic program of the same name, which `busybox-static` replaces.
    match found {
        Some(program) if programs::libraries(&program)?.is_empty() => Ok(program),
        _ => {
            install(&["busybox-static"])?;
            Ok(find_program("busybox").unwrap_or_else(|| PathBuf::from("/bin/busybox")))
        }
    }
}

fn install(packages: &[&str]) -> Result<(), Error> {
    eprintln!("installing Debian packages: {}", packages.join(" "));
    update_lists()?;
    let mut command = as_root("apt-get");
    // Another apt-get may be at work, such as that of a second lab that starts at the same time.
    command.args(["-o", "DPkg::Lock::Timeout=600", "install", "--yes", "--no-install-recommends"]).args(packages);
    output_of(&mut command).map(drop)
}

/// `apt-get update`, at most once in a process.
pub(crate) fn update_lists() -> Result<(), Error> {
    static ONCE: Once = Once::new();
    let mut result = Ok(());
    ONCE.call_once(|| {
        eprintln!("updating the package lists");
        let mut command = as_root("apt-get");
        command.arg("update");
        result = output_of(&mut command).map(drop);
    });
    result
}

/// The path of a program, also in the `sbin` folders that an ordinary user's PATH leaves out.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(Into::into);
    std::env::split_paths(&path).chain(system).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn as_root(program: &str) -> Command {
    // `id -u` instead of geteuid: no unsafe code and no dependency for one number.
    let uid = Command::new("id").arg("-u").stderr(Stdio::null()).output();
    let root = uid.is_ok_and(|output| output.stdout == b"0\n");
    let mut command = if root {
        Command::new(program)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg("DEBIAN_FRONTEND=noninteractive").arg(program);
        sudo
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}
