//! The program under test, in a folder of its own, with nothing typed.

use std::path::Path;
use std::process::{Command, Stdio};

/// The kernel that it brings along.
#[allow(dead_code, reason = "each test program uses a part of this")]
pub static PROBE: &[u8] = illico_probe_image::IMAGE;

/// illico, in a folder that also is where it keeps unpacked kernels.
pub fn illico(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_illico"));
    command.current_dir(folder).env("XDG_CACHE_HOME", folder).stdin(Stdio::null());
    command
}
