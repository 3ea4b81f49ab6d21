//! What the process that a guest talks to is linked with: kernels are unpacked in another room, so no decompressor is.

use std::process::Command;

const DECOMPRESSORS: [&str; 14] = [
    "brotli",
    "bzip2",
    "flate2",
    "libdeflater",
    "lz4",
    "lz4_flex",
    "lzma-rs",
    "lzma-rust2",
    "miniz_oxide",
    "ruzstd",
    "snap",
    "xz2",
    "zlib-rs",
    "zstd",
];

#[test]
fn the_machine_links_no_decompressor() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(["--package", env!("CARGO_PKG_NAME")])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let linked: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(linked.contains(&"kvm-ioctls"), "not a dependency tree:\n{tree}");
    let found: Vec<_> = linked.iter().filter(|name| DECOMPRESSORS.contains(name)).collect();
    assert!(found.is_empty(), "{found:?}");
}
