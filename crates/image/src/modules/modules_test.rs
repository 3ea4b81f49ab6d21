//! Load orders of a small tree.

use super::*;

const DEPENDENCIES: &str = "\
kernel/virt/lib/irqbypass.ko:
kernel/arch/x86/kvm/kvm.ko: kernel/virt/lib/irqbypass.ko
kernel/arch/x86/kvm/kvm-amd.ko: kernel/drivers/crypto/ccp/ccp.ko kernel/arch/x86/kvm/kvm.ko kernel/virt/lib/irqbypass.ko
kernel/drivers/crypto/ccp/ccp.ko:
kernel/drivers/net/virtio_net.ko.xz: kernel/net/core/failover.ko.xz
kernel/net/core/failover.ko.xz:
kernel/fs/erofs/erofs.ko:
kernel/crypto/crc.ko:
";
const SOFT: &str = "# comment\nsoftdep erofs pre: crc ext4 no-such-alias post: kvm\n";
const BUILTIN: &str = "kernel/fs/ext4/ext4.ko\nkernel/drivers/virtio/virtio-ring.ko\n";

fn order(names: &[&str]) -> Result<Vec<PathBuf>, ModulesError> {
    Tree::parse(Path::new("/m"), DEPENDENCIES, BUILTIN, SOFT).load_order(names)
}

#[test]
fn dependencies_come_first_and_each_module_once() {
    let files = order(&["kvm-amd", "kvm"]).expect("known modules");
    let expected = [
        "/m/kernel/drivers/crypto/ccp/ccp.ko",
        "/m/kernel/virt/lib/irqbypass.ko",
        "/m/kernel/arch/x86/kvm/kvm.ko",
        "/m/kernel/arch/x86/kvm/kvm-amd.ko",
    ];
    assert_eq!(files, expected.map(PathBuf::from));
}

#[test]
fn dashes_and_underscores_name_the_same_module() {
    assert_eq!(order(&["kvm_amd"]).expect("known"), order(&["kvm-amd"]).expect("known"));
}

#[test]
fn what_is_built_in_needs_no_file() {
    assert_eq!(order(&["ext4", "virtio_ring"]).expect("built in"), Vec::<PathBuf>::new());
}

#[test]
fn compressed_modules_are_known_by_the_same_name() {
    let files = order(&["virtio_net"]).expect("known");
    assert_eq!(files.last(), Some(&PathBuf::from("/m/kernel/drivers/net/virtio_net.ko.xz")));
}

#[test]
fn an_unknown_module_is_named_in_the_error() {
    let error = order(&["ext4", "flux_capacitor"]).expect_err("there is no such module");
    assert_eq!(error.to_string(), "no module named flux_capacitor in /m");
}

#[test]
fn what_shall_come_before_does_if_it_is_a_module() {
    assert_eq!(
        order(&["erofs"]).expect("known"),
        ["/m/kernel/crypto/crc.ko", "/m/kernel/fs/erofs/erofs.ko"].map(PathBuf::from)
    );
}

#[test]
fn a_tree_without_depmod_is_read_from_its_modules() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    fs::create_dir_all(place("kernel/net")).expect("a folder");
    fs::write(place("modules.order"), "kernel/net/vsock.ko\nkernel/net/virtio-vsock.ko\n").expect("written");
    fs::write(place("modules.builtin"), "kernel/virtio.ko\n").expect("written");
    let module = |needs: &str| modinfo::tests::module(format!("depends={needs}\0").as_bytes());
    fs::write(place("kernel/net/vsock.ko"), module("")).expect("written");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    io::Write::write_all(&mut packed, &module("vsock,virtio")).expect("packed");
    fs::write(place("kernel/net/virtio-vsock.ko.gz"), packed.finish().expect("packed")).expect("written");

    let tree = Tree::open(folder.path()).expect("a tree");
    let order = tree.load_order(["virtio_vsock"]).expect("known modules");
    assert_eq!(order, [place("kernel/net/vsock.ko"), place("kernel/net/virtio-vsock.ko.gz")]);
    assert_eq!(content(&order[1]).expect("unpacked"), module("vsock,virtio"));
    assert!(tree.has("virtio") && tree.has("vsock") && !tree.has("overlay"));
}

#[test]
fn a_folder_of_something_else_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Tree::open(folder.path()).expect_err("no modules");
    assert!(error.to_string().ends_with("it has neither modules.dep nor modules.order"), "{error}");
}
