//! Kernel modules: loaded in the order that the host worked out, from the initramfs, then forgotten.

use std::fs::{self, File};

use illico_protocol::MODULES_PATH;
use rustix::io::Errno;
use rustix::system::finit_module;

use crate::error::InitError;

pub(crate) fn load(names: &[String]) -> Result<(), InitError> {
    for name in names {
        let failed = |source| InitError::Module { name: name.clone(), source };
        let path = format!("{MODULES_PATH}/{name}");
        let file = File::open(&path).map_err(failed)?;
        match finit_module(&file, c"", 0) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed(errno.into())),
        }
        // The initramfs is memory. That of a module is of no more use once the kernel has it.
        let _ = fs::remove_file(&path);
    }
    Ok(())
}
