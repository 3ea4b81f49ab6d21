use illico_protocol::Exec;

use super::*;

fn spec(root: Root) -> RunSpec {
    RunSpec::new("guest", root, Exec::new(["true"]))
}

#[test]
fn a_guest_has_the_modules_of_what_it_mounts_and_no_others() {
    assert_eq!(needed(&spec(Root::share())), ["virtio_pci", "vmw_vsock_virtio_transport", "virtiofs", "overlay"]);
    assert_eq!(needed(&spec(Root::erofs_dax()))[2..], ["overlay", "virtio_pmem", "nd_pmem", "erofs"]);
    let disk = Root::Device { path: "/dev/vda".to_owned(), filesystem: "squashfs".to_owned(), options: String::new() };
    assert_eq!(needed(&spec(disk))[2..], ["overlay", "virtio_blk", "squashfs"]);
}

#[test]
fn the_same_guest_has_the_same_bytes_and_all_that_it_needs() {
    let kernel = Kernel::builtin_for_tests();
    let first = generate(&kernel, &spec(Root::share()), &["virtio_console"], b"program").unwrap();
    assert_eq!(first, generate(&kernel, &spec(Root::share()), &["virtio_console"], b"program").unwrap());
    let has = |bytes: &[u8]| first.windows(bytes.len()).any(|window| window == bytes);
    assert!(has(b"program") && has(b"illico/run.json") && has(b"\"modules\":[]"));
}
