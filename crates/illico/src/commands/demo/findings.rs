//! All that was measured, as data: what `--json` prints. docs/demo.md has the schema.

use serde::Serialize;

use super::{Compute, Console, Disk, Start, Wild};

/// Name and version of the JSON.
pub const SCHEMA: &str = "illico-demo/1";

/// Everything.
#[derive(Debug, Serialize)]
pub struct Findings {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Where it was measured.
    pub host: Host,
    /// How long all of it took.
    pub seconds: f64,
    /// The same computation on the host and in a guest.
    pub compute: Compute,
    /// A process, a machine, a set of namespaces, from exec to the end.
    pub start: Start,
    /// 64 KiB through two consoles.
    pub console: Console,
    /// A block by three devices.
    pub disk: Disk,
    /// A guest that touches what it must not.
    pub wild: Wild,
}

/// A host.
#[derive(Debug, Serialize)]
pub struct Host {
    /// The processor's name, as it tells it.
    pub processor: String,
    /// The kernel's version.
    pub kernel: String,
}

impl Host {
    /// Asks the kernel.
    pub fn look() -> Self {
        let uname = rustix::system::uname();
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let name = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Self {
            processor: name.map_or_else(|| "an x86-64 processor".to_owned(), |(_, name)| name.trim().to_owned()),
            kernel: uname.release().to_string_lossy().into_owned(),
        }
    }
}
