//! A real registry on this host (Debian's docker-registry), and skopeo, which carries images in and out as podman does.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use xtask::packages;

/// A registry on this host, until this is dropped.
#[derive(Debug)]
pub struct Registry {
    process: Child,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
}

impl Registry {
    /// Starts one that keeps its images in `storage` of this folder.
    pub fn start(folder: &Path) -> Self {
        packages::require(&[("docker-registry", "docker-registry")]).expect("packages");
        // Somebody else may take the port before the registry does; that fails the test aloud.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let written = folder.join("registry.yml");
        fs::write(&written, configuration(&folder.join("storage").display().to_string(), port)).expect("written");
        let program = packages::find_program("docker-registry").expect("installed");
        let mut command = Command::new(program);
        command.arg("serve").arg(written).stdout(Stdio::null()).stderr(Stdio::null());
        // Made at once: it ends the process however this ends.
        let registry = Self { process: command.spawn().expect("the registry starts"), port };
        for _ in 0..300 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return registry;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the registry does not listen");
    }

    /// Puts the image of a layout into it.
    pub fn push(&self, layout: &Path, name: &str) {
        copy(layout, &format!("docker://127.0.0.1:{}/{name}", self.port));
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a registry is told: where its images are, and where it listens.
pub fn configuration(storage: &str, port: u16) -> String {
    format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {storage}}}}}\n\
         http: {{addr: 127.0.0.1:{port}}}\n"
    )
}

/// Copies the image `latest` of a layout to where skopeo says, such as `docker-archive:web.tar:web:1`, which is what
/// `podman save` writes: both are the same library's.
pub fn copy(layout: &Path, to: &str) {
    packages::require(&[("skopeo", "skopeo")]).expect("packages");
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", "copy", "--dest-tls-verify=false"]);
    let done = skopeo.arg(format!("oci:{}:latest", layout.display())).arg(to).output().expect("skopeo");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
