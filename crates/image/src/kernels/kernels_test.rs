use tempfile::TempDir;

use super::*;
use crate::modules::ModulesError;

/// A store and a host, both empty but for what a test puts there.
struct Place {
    folder: TempDir,
    kernels: Kernels,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kernels = Kernels::at(&folder.path().join("store"), &folder.path().join("host"));
        Self { folder, kernels }
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn kernel(&self, release: &str) -> PathBuf {
        self.file(&format!("files/{release}"), &recognise::tests::bzimage(release))
    }

    fn modules(&self, release: &str) -> PathBuf {
        let file = self.file(&format!("lib/modules/{release}/modules.dep"), b"kernel/fs/overlay.ko:\n");
        self.file(&format!("lib/modules/{release}/modules.builtin"), b"kernel/drivers/virtio_pci.ko\n");
        self.file(&format!("lib/modules/{release}/kernel/fs/overlay.ko"), b"module");
        file.parent().unwrap().to_owned()
    }

    /// Lets the host run this kernel, with files that everyone can read.
    fn host(&self, release: &str) {
        self.file("host/proc/sys/kernel/osrelease", format!("{release}\n").as_bytes());
        self.file(&format!("host/boot/vmlinuz-{release}"), b"");
        self.file(&format!("host/lib/modules/{release}/modules.dep"), b"");
    }

    fn names(&self) -> Vec<String> {
        self.kernels.list().unwrap().into_iter().map(|kernel| kernel.name).collect()
    }
}

fn told<T: std::fmt::Debug>(result: Result<T, KernelError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn what_is_added_is_there_with_its_modules() {
    let place = Place::new();
    let kernel = place.kernels.add("lab", &place.kernel("6.12.1"), Some(&place.modules("6.12.1"))).unwrap();
    assert_eq!((kernel.name.as_str(), kernel.release.as_str()), ("lab", "6.12.1"));
    assert_eq!(place.kernels.choose(Some("lab".as_ref())).unwrap(), kernel);
    assert_eq!(place.names(), ["lab"]);
    let order = kernel.load_order(&["virtio_pci", "overlay"], &["virtio_console"]).unwrap();
    assert_eq!(order, [kernel.modules.unwrap().join("kernel/fs/overlay.ko")]);
}

#[test]
fn a_module_that_is_missing_is_named_with_its_kernel() {
    let place = Place::new();
    let kernel = place.kernels.add("lab", &place.kernel("6.12.1"), Some(&place.modules("6.12.1"))).unwrap();
    assert_eq!(
        told(kernel.load_order(&["erofs"], &[])),
        "kernel lab (6.12.1) has no erofs, built in or as a module, which this guest needs"
    );
    assert!(kernel.has(&["overlay", "virtio-pci"]) && !kernel.has(&["erofs"]));
}

#[test]
fn without_a_choice_the_default_one_then_the_only_one_then_the_hosts() {
    let place = Place::new();
    let chosen = || place.kernels.choose(None).map(|kernel| kernel.name);
    assert!(matches!(chosen(), Err(KernelError::None)));
    place.host("6.18.0");
    assert_eq!(chosen().unwrap(), "host");
    place.kernels.add("a", &place.kernel("6.12.1"), None).unwrap();
    assert_eq!(chosen().unwrap(), "a");
    place.kernels.add("b", &place.kernel("6.12.2"), None).unwrap();
    assert_eq!(chosen().unwrap(), "host");
    place.kernels.set_default("b").unwrap();
    assert_eq!(chosen().unwrap(), "b");
    place.kernels.remove("b").unwrap();
    assert_eq!(chosen().unwrap(), "a");
}

#[test]
fn a_path_is_a_kernel_with_the_modules_beside_it() {
    let place = Place::new();
    let image = place.file("vmlinuz", &recognise::tests::bzimage("6.12.1"));
    let modules = place.modules("6.12.1");
    let kernel = place.kernels.choose(Some(image.as_os_str())).unwrap();
    assert_eq!((kernel.image, kernel.modules, kernel.release), (image, Some(modules), "6.12.1".to_owned()));
}

#[test]
fn mistakes_are_told_and_leave_nothing_behind() {
    let place = Place::new();
    let kernels = &place.kernels;
    let image = place.kernel("6.12.1");
    kernels.add("lab", &image, None).unwrap();
    assert_eq!(
        told(kernels.add("lab", &image, None)),
        "there is a kernel named 'lab' already; `illico kernel rm lab` removes it"
    );
    assert!(told(kernels.add("../lab", &image, None)).contains("cannot be the name of a kernel"));
    assert!(told(kernels.add("host", &image, None)).contains("cannot be the name of a kernel"));
    assert!(told(kernels.add("text", &place.file("text", b"hello"), None)).contains("is no kernel for x86-64"));
    assert!(told(kernels.add("folder", place.folder.path(), None)).contains("is no kernel for x86-64"));
    assert!(told(kernels.add("none", Path::new("/no/such/file"), None)).starts_with("cannot open '/no/such/file'"));
    assert!(told(kernels.add("empty", &image, Some(place.folder.path()))).contains("holds no kernel modules"));
    assert!(
        told(kernels.add("other", &image, Some(&place.modules("6.1"))))
            .contains("has modules for 6.1, but the kernel is 6.12.1")
    );
    assert_eq!(told(kernels.choose(Some("lob".as_ref()))), "there is no kernel named 'lob'; there are lab");
    assert_eq!(told(kernels.set_default("lob")), "there is no kernel named 'lob'; there are lab");
    assert!(told(kernels.remove("host")).contains("not in the store"));
    assert!(told(kernels.choose(Some("host".as_ref()))).contains("cannot be read"));
    let left: Vec<_> =
        fs::read_dir(place.folder.path().join("store")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(left.iter().all(|name| name == "lab" || name == ".lock"), "{left:?}");
}

#[test]
fn a_broken_tree_of_modules_is_not_taken_for_none() {
    let place = Place::new();
    let mut kernel = Kernel::builtin_for_tests();
    kernel.modules = Some(place.folder.path().join("gone"));
    assert!(matches!(kernel.load_order(&[], &[]), Err(KernelError::Modules(ModulesError::NoModules(_)))));
    assert!(!kernel.has(&["overlay"]));
}

#[test]
fn what_interrupted_programs_left_is_removed() {
    let place = Place::new();
    place.file("store/.7.part/vmlinuz", &[7; 9000]);
    place.file("store/.lab.12.gone/vmlinuz", b"half");
    let alive = place.kernels.part().unwrap();
    assert!(!place.folder.path().join("store/.7.part").exists());
    place.file("store/.9.part/vmlinuz", b"half");
    place.kernels.prune().unwrap();
    assert!(alive.0.exists() && !place.folder.path().join("store/.9.part").exists());
    place.file("store/broken/kernel.json", b"{");
    place.kernels.remove("broken").unwrap();
    assert!(place.names().is_empty());
}

#[test]
fn a_kept_part_does_not_take_the_next_one_along() {
    let place = Place::new();
    let first = place.kernels.part().unwrap();
    let record = || Record { release: "6.12".to_owned(), origin: String::new(), modules: false };
    place.kernels.keep(&first, "first", &record()).unwrap();
    let second = place.kernels.part().unwrap();
    assert_eq!(first.0, second.0, "the name of a part is used again");
    drop(first);
    place.kernels.keep(&second, "second", &record()).unwrap();
    assert_eq!(place.names(), ["first", "second"]);
}
