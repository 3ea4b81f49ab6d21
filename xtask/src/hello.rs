//! `cargo xtask hello`, which `make run` ends with: a stock Debian kernel boots to a program that says
//! who it is, and illico says where the exits went.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use crate::lab::Lab;
use crate::project::{self, Profile};
use crate::{Error, GuestInit, Kernel, Series};

/// What PID 1 of the guest runs before it powers off.
const SCRIPT: &str = "\
uname -a
read up idle < /proc/uptime
echo \"init after $up s of the guest's own clock\"
";

/// Boots the guest where this host can, and says where.
pub fn run() -> Result<ExitCode, Error> {
    let kernel = Kernel::get(Series::V6_12)?;
    let initrd = GuestInit::new(&kernel).script(SCRIPT).build()?;
    let illico = project::illico(Profile::Release)?;
    if can_run_guests(&illico) {
        eprintln!("this host's KVM runs Linux guests: booting directly\n");
        return directly(&illico, &kernel, &initrd);
    }
    eprintln!(
        "this host's KVM does not run Linux guests (`{} doctor` says why):\n\
         booting in the lab, an emulated machine with a complete KVM; it takes half a minute\n",
        illico.display()
    );
    let status = Lab::command([
        "illico",
        "boot",
        "--kernel",
        "/kernels/6.12/vmlinuz",
        "--initrd",
        "/root/hello.cpio",
        "--memory",
        "128M",
        "--cmdline",
        "quiet",
        "--exits",
    ])
    .program(&illico)
    .bytes("/root/hello.cpio", 0o644, initrd)
    .timeout(Duration::from_secs(300))
    .echo(true)
    .run()?
    .status;
    Ok(ExitCode::from(status))
}

fn can_run_guests(illico: &Path) -> bool {
    let mut doctor = Command::new(illico);
    doctor.arg("doctor").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    doctor.status().is_ok_and(|status| status.success())
}

fn directly(illico: &Path, kernel: &Kernel, initrd: &[u8]) -> Result<ExitCode, Error> {
    let path = std::env::temp_dir().join(format!("illico-hello-{}.cpio", std::process::id()));
    std::fs::write(&path, initrd).map_err(Error::file("write", &path))?;
    let mut boot = Command::new(illico);
    boot.arg("boot").arg("--kernel").arg(kernel.bzimage()).arg("--initrd").arg(&path);
    boot.args(["--memory", "128M", "--cmdline", "quiet", "--exits"]);
    let status = boot.status();
    let _ = std::fs::remove_file(&path);
    let status = status.map_err(Error::file("run", illico))?;
    Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)))
}
