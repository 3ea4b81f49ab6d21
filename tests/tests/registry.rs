//! Images of a real registry (Debian's docker-registry), put there by another program (skopeo); and a disk that is full.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use illico_image::Digest;
use illico_image::tar::testkit::Archive;
use illico_image::testkit::Parts;
use illico_tests::registry::Registry;
use xtask::project::{self, Profile};

fn illico(folder: &Path, words: &[&str]) -> Output {
    let mut illico = Command::new(project::illico(Profile::Dev).expect("illico"));
    illico.args(words).env("XDG_DATA_HOME", folder).stdin(Stdio::null()).output().expect("illico starts")
}

fn said(folder: &Path, words: &[&str]) -> String {
    let output = illico(folder, words);
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

fn refused(folder: &Path, words: &[&str]) -> String {
    let output = illico(folder, words);
    assert_eq!(output.status.code(), Some(125), "{words:?}: {output:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

fn parts() -> Parts {
    let noise: Vec<u8> = (0..3_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let lower = Archive::new().directory("etc").file("etc/hello", b"lower").file("large", &noise).file("gone", b"");
    let upper = Archive::new().file("etc/hello", b"upper").file(".wh.gone", b"");
    Parts::new(&[lower.end(), upper.end()])
}

#[test]
fn an_image_comes_from_a_registry_as_it_comes_from_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let registry = Registry::start(folder.path());
    let parts = parts();
    parts.write_layout(&at("layout"), "latest");
    registry.push(&at("layout"), "room/image:1");
    let name = format!("127.0.0.1:{}/room/image", registry.port);

    let id = said(&at("pulled"), &["pull", &format!("{name}:1")]);
    assert_eq!(id, parts.id().to_string());
    said(&at("imported"), &["import", &at("layout").display().to_string(), "mine"]);
    let file =
        |store: &str| fs::read(at(store).join(format!("illico/images/{}.erofs", parts.id().hex()))).expect("a root");
    assert!(file("pulled") == file("imported"), "the same layers give the same bytes");
    assert!(said(&at("pulled"), &["images"]).contains(&format!("{name}:1 ")));

    let told = refused(&at("pulled"), &["pull", &format!("{name}:2")]);
    assert!(told.contains("has no such image"), "{told}");
    let told = refused(&at("pulled"), &["pull", &format!("{name}@{}", Digest::of(b"nothing"))]);
    assert!(told.contains("has no such image"), "{told}");

    let mut foreign = parts.clone();
    foreign.configuration["architecture"] = "arm64".into();
    foreign.write_layout(&at("foreign"), "latest");
    registry.push(&at("foreign"), "room/image:arm");
    let told = refused(&at("pulled"), &["pull", &format!("{name}:arm")]);
    assert!(told.contains("it is for linux/arm64"), "{told}");

    // What the registry keeps is changed behind its back.
    let layer = folder.path().join("storage/docker/registry/v2/blobs/sha256");
    let mut blobs: Vec<_> = fs::read_dir(layer)
        .expect("blobs")
        .flat_map(|two| fs::read_dir(two.expect("blobs").path()).expect("blobs"))
        .map(|blob| blob.expect("a blob").path().join("data"))
        .collect();
    blobs.sort_by_key(|blob| blob.metadata().map_or(0, |blob| blob.len()));
    let largest = blobs.last().expect("a layer");
    let mut bytes = fs::read(largest).expect("the layer");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(largest, bytes).expect("written");
    let told = refused(&at("second"), &["pull", &format!("{name}:1")]);
    assert!(told.contains("layer 1 of 2"), "{told}");
    assert_eq!(fs::read_dir(at("second/illico/images")).expect("a store").count(), 0, "nothing is left");

    drop(registry);
    let told = refused(&at("second"), &["pull", &format!("{name}:1")]);
    assert!(told.contains("Connection refused"), "{told}");
}

/// A file system of 1 MiB of our own, which nobody else sees.
#[test]
fn a_full_disk_leaves_no_half_image() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("rootfs.tar"), Archive::new().file("large", &[7; 2 << 20]).end()).expect("written");
    fs::write(at("small.tar"), Archive::new().file("small", &[7; 2 << 10]).end()).expect("written");
    fs::create_dir(at("disk")).expect("a folder");
    let script = "
        mount -t tmpfs -o size=1m tmpfs disk
        export XDG_DATA_HOME=$PWD/disk
        $ILLICO import rootfs.tar x; echo status $?
        ls disk/illico/images
        $ILLICO import --quiet small.tar x; echo status $?";
    let mut unshare = Command::new("unshare");
    unshare.args(["--map-root-user", "--mount", "sh", "-c", script]).current_dir(folder.path());
    let illico = project::illico(Profile::Dev).expect("illico");
    let done = unshare.env("ILLICO", illico).output().expect("unshare of util-linux");
    let messages = String::from_utf8_lossy(&done.stderr);
    assert_eq!(String::from_utf8_lossy(&done.stdout), "status 125\nstatus 0\n", "{messages}");
    let wanted = "'rootfs.tar': entry 'large': cannot write the image: No space left on device (os error 28)";
    assert_eq!(messages.trim(), format!("illico: {wanted}"));
}
