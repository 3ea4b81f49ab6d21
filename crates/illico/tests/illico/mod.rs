//! The program under test, in a folder of its own, with nothing typed.

use std::path::Path;
use std::process::{Command, Stdio};

use illico_launch::vms::{Asked, Folder, Places, Verb, Vms};
use illico_machine::config::Config;

/// The kernel that it brings along.
#[allow(dead_code, reason = "each test program uses a part of this")]
pub static PROBE: &[u8] = illico_probe_image::IMAGE;

/// illico, in a folder that also is where it keeps unpacked kernels.
pub fn illico(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_illico"));
    command.current_dir(folder).env("XDG_CACHE_HOME", folder).stdin(Stdio::null());
    command
}

/// A machine in the folder's state that runs for as long as what comes back lives: this process holds its lock.
#[allow(dead_code, reason = "each test program uses a part of this")]
pub fn held_machine(folder: &Path, name: &str, words: &str) -> Folder {
    let vms = Vms::at(Places { vms: folder.join("illico/vms"), sockets: folder.join("illico") });
    let asked = Asked {
        verb: Verb::Run,
        image: Some(words.to_owned()),
        command: vec![words.to_owned()],
        ports: vec![words.to_owned()],
        remove: false,
        config: Config::default(),
    };
    vms.create(Some(name.parse().unwrap()), asked).unwrap()
}

/// illico with its state in this folder.
#[allow(dead_code, reason = "each test program uses a part of this")]
pub fn beside(folder: &Path) -> Command {
    let mut command = illico(folder);
    for variable in ["HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME"] {
        command.env(variable, folder);
    }
    command
}
