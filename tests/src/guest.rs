//! Initramfs for the tests' guests.

use std::path::Path;

use xtask::cpio::{Archive, Node};
use xtask::{GuestInit, Kernel, Series, packages, programs};

/// A Debian kernel, from the cache or downloaded into it.
pub fn kernel(series: Series) -> Kernel {
    Kernel::get(series).unwrap_or_else(|error| panic!("no kernel {}: {error}", series.name()))
}

/// Busybox running a script that talks to the console, after these modules. Then the guest powers off.
///
/// In 6.1 the console is a module too, so its PID 1 starts without one.
pub fn scripted(series: Series, modules: &[&str], script: &str) -> Vec<u8> {
    with_files(series, modules, &[], script)
}

/// The same with files in it: name, permissions, content.
pub fn with_files(series: Series, modules: &[&str], files: &[(&str, u32, Vec<u8>)], script: &str) -> Vec<u8> {
    let kernel = kernel(series);
    let mut init = GuestInit::new(&kernel)
        .modules(["virtio_mmio", "virtio_pci", "virtio_console"].iter().chain(modules).copied())
        .script(format!("exec </dev/console >/dev/console 2>&1\nstty -onlcr\n{script}\n"));
    for (path, permissions, content) in files {
        init = init.file(*path, *permissions, content.clone());
    }
    init.build().unwrap_or_else(|error| panic!("no initramfs: {error}"))
}

/// A program of the host as `/bin/NAME` in the guest, and the libraries that it needs: files for `with_files`.
pub fn program(host: &Path) -> Vec<(String, u32, Vec<u8>)> {
    let name = host.file_name().unwrap_or_default().to_string_lossy();
    let libraries = programs::libraries(host).unwrap_or_else(|error| panic!("{error}"));
    let paths = libraries.into_iter().map(|library| (library.to_string_lossy().into_owned(), library));
    [(format!("/bin/{name}"), host.to_owned())]
        .into_iter()
        .chain(paths)
        .map(|(path, file)| (path, 0o755, read(&file).unwrap_or_else(|error| panic!("{error}"))))
        .collect()
}

/// The least init that has a network card: mounts, modules, two interfaces, and a reset. What a boot with a user space
/// costs is counted with it, so it starts as few programs as it can.
pub fn network_init() -> Vec<u8> {
    let busybox = packages::static_busybox().and_then(|path| read(&path)).unwrap_or_else(|error| panic!("{error}"));
    let mut archive = Archive::new();
    for folder in ["proc", "sys", "dev"] {
        archive.folder(folder, 0o755);
    }
    archive.node("dev/console", 0o600, Node::Character, (5, 1));
    archive.file("busybox", 0o755, &busybox);
    let mut init = String::from(
        "#!/busybox sh\n\
         /busybox mount -t proc proc /proc\n\
         /busybox mount -t sysfs sys /sys\n\
         /busybox mount -t devtmpfs dev /dev\n",
    );
    let modules = kernel(Series::V6_12).modules().and_then(|tree| Ok(tree.load_order(["virtio_net"])?));
    for file in modules.unwrap_or_else(|error| panic!("{error}")) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        archive.file(&name, 0o644, &read(&file).unwrap_or_else(|error| panic!("{error}")));
        init.push_str(&format!("/busybox insmod /{name}\n"));
    }
    init.push_str(
        "/busybox ifconfig lo up\n\
         /busybox ifconfig eth0 172.20.0.2 netmask 255.255.255.0 up\n\
         /busybox reboot -f\n",
    );
    archive.file("init", 0o755, init.as_bytes());
    archive.finish()
}

fn read(path: &Path) -> Result<Vec<u8>, xtask::Error> {
    std::fs::read(path).map_err(|source| xtask::Error::File { action: "read", path: path.to_owned(), source })
}
