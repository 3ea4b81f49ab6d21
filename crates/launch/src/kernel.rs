//! The guest's kernel: which one, what it has drivers for, and the initramfs that goes with it.

use std::fs::File;
use std::path::Path;

use illico_image::initramfs;
use illico_image::kernels::Kernels;
use illico_protocol::RunSpec;

use crate::error::{LaunchError, Part, open};

/// A kernel, and its modules.
#[derive(Debug, Clone)]
pub struct Kernel(illico_image::kernels::Kernel);

impl Kernel {
    /// The kernel of that name or path, or the default one.
    pub fn choose(asked: Option<&Path>) -> Result<Self, LaunchError> {
        // The store takes a text with a slash for a path; a bare name of a file in the current folder is one, too.
        let asked = asked.map(|path| if path.exists() { Path::new(".").join(path) } else { path.to_owned() });
        Ok(Self(Kernels::of_user()?.choose(asked.as_deref().map(Path::as_os_str))?))
    }

    /// Its release, as `uname -r` gives it.
    pub fn release(&self) -> &str {
        &self.0.release
    }

    /// Where it was found: for people.
    pub fn origin(&self) -> String {
        self.0.origin.to_string()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0.image
    }

    /// Whether it can map an erofs image.
    pub fn maps(&self) -> bool {
        self.0.has(&["virtio_pmem", "nd_pmem", "erofs"])
    }

    /// What a guest may have lacked that ended before its command.
    pub fn missing(&self) -> Option<String> {
        let release = &self.0.release;
        let places = format!("lib/modules/{release} or modules beside it, /lib/modules/{release}");
        let none = || format!("kernel {release} was run without modules, of which there are none here ({places})");
        self.0.modules.is_none().then(none)
    }

    /// Opens its file.
    pub fn open(&self) -> Result<File, LaunchError> {
        open(Part::Kernel, &self.0.image)
    }

    /// The initramfs with illico's PID 1. `console`: the machine has a VirtIO console.
    pub fn initramfs(&self, spec: &RunSpec, console: bool) -> Result<Vec<u8>, LaunchError> {
        let also: &[&str] = if console { &["virtio_console"] } else { &[] };
        Ok(initramfs::generate(&self.0, spec, also, &illico_init_image::image())?)
    }
}
