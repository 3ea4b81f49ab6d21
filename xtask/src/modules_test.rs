//! Load orders of a small tree.

use std::path::{Path, PathBuf};

use super::Tree;
use crate::Error;

const DEPENDENCIES: &str = "\
kernel/virt/lib/irqbypass.ko:
kernel/arch/x86/kvm/kvm.ko: kernel/virt/lib/irqbypass.ko
kernel/arch/x86/kvm/kvm-amd.ko: kernel/drivers/crypto/ccp/ccp.ko kernel/arch/x86/kvm/kvm.ko kernel/virt/lib/irqbypass.ko
kernel/drivers/crypto/ccp/ccp.ko:
kernel/drivers/net/virtio_net.ko.xz: kernel/net/core/failover.ko.xz
kernel/net/core/failover.ko.xz:
";
const BUILTIN: &str = "kernel/fs/ext4/ext4.ko\nkernel/drivers/virtio/virtio-ring.ko\n";

fn order(names: &[&str]) -> Result<Vec<PathBuf>, Error> {
    Tree::parse(Path::new("/m"), DEPENDENCIES, BUILTIN).load_order(names)
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
