//! The guest's kernel: which one, what it has drivers for, and the initramfs that goes with it.

use std::fs::File;
use std::path::Path;

use illico_image::initramfs;
use illico_image::kernels::Kernels;
use illico_protocol::RunSpec;

use crate::commands::{Failure, boot};
use crate::output;

/// A kernel, and its modules.
#[derive(Debug)]
pub struct Kernel(illico_image::kernels::Kernel);

impl Kernel {
    /// The one that is asked for, or the default one. `verbose`: says which, and why it is there.
    pub fn choose(asked: Option<&Path>, verbose: bool) -> Result<Self, Failure> {
        // What is in this folder is a path, too, for the store: it has a slash.
        let asked = asked.map(|path| if path.exists() { Path::new(".").join(path) } else { path.to_owned() });
        let name = asked.as_deref().map(|path| path.to_str().ok_or("--kernel: not UTF-8")).transpose()?;
        let kernel = Kernels::of_user()?.choose(name).map_err(|error| prefixed(&error))?;
        if verbose {
            output::say(&format!("kernel {} ({}), from {}", kernel.release, kernel.image.display(), kernel.origin));
        }
        Ok(Self(kernel))
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

    /// Its file.
    pub fn open(&self) -> Result<File, Failure> {
        boot::open("--kernel", &self.0.image)
    }

    /// What it starts with. `console`: it has one.
    pub fn initramfs(&self, spec: &RunSpec, console: bool) -> Result<Vec<u8>, Failure> {
        let also: &[&str] = if console { &["virtio_console"] } else { &[] };
        Ok(initramfs::generate(&self.0, spec, also, &illico_init_image::image())?)
    }
}

fn prefixed(error: &(dyn std::error::Error + 'static)) -> Failure {
    format!("--kernel: {}", output::error_lines(error).join("; ")).into()
}
