use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::erofs::testkit;
use crate::limits::Limits;
use crate::progress::unwatched;
use crate::tar::testkit::Archive as Tar;
use crate::testkit::{Parts, bzip2, gzip, plain, zstd};

struct Room {
    folder: tempfile::TempDir,
    store: Store,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("images")).unwrap();
        Self { folder, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name).display().to_string()
    }

    fn resolve(&self, at: &str) -> Result<Image, Error> {
        self.store.resolve(&ImageSource::at(at).unwrap(), &mut unwatched)
    }

    /// The message, after which nothing is in the store.
    fn refused(&self, at: &str) -> String {
        let error = self.resolve(at).unwrap_err();
        let files: Vec<_> = fs::read_dir(self.store.folder()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert!(files.is_empty(), "{files:?}");
        let mut text = error.to_string();
        let mut reason = std::error::Error::source(&error);
        while let Some(error) = reason {
            text = format!("{text}: {error}");
            reason = error.source();
        }
        text.replace(&self.folder.path().display().to_string(), "")
    }
}

fn content(image: &Image, path: &str) -> Vec<u8> {
    testkit::read(&fs::read(&image.root.path).unwrap())[path.as_bytes()].content.clone()
}

fn layers() -> Vec<Vec<u8>> {
    vec![
        Tar::new().directory("etc/").file("etc/a", b"lower").file("etc/b", &[7; 10_000]).end(),
        Tar::new().file("etc/a", b"upper").end(),
        // The same as the first: archives keep it once.
        Tar::new().file("c", b"c").end(),
        Tar::new().file("c", b"c").end(),
    ]
}

#[test]
fn one_image_is_the_same_from_wherever_it_comes() {
    let room = Room::new();
    let parts = Parts::new(&layers());
    parts.write_layout(&room.path("layout"), "latest");
    let sources = [
        room.path("layout").display().to_string(),
        room.path("layout:latest").display().to_string(),
        room.file("oci.tar", &parts.oci_archive("latest")),
        room.file("docker.tar", &parts.docker_archive("x:latest")),
        room.file("docker.tar.gz", &gzip(&parts.docker_archive("x:latest"))),
    ];
    let mut bytes = Vec::new();
    for source in sources {
        let room = Room::new();
        let image = room.resolve(&source).unwrap_or_else(|error| panic!("{source}: {error}"));
        assert_eq!(image.id, Some(parts.id()));
        assert_eq!(content(&image, "etc/a"), b"upper");
        assert_eq!(image.config.entrypoint, ["/bin/sh"]);
        assert_eq!(image.config.cmd, ["-c", "true"]);
        assert_eq!(image.config.env, ["PATH=/bin"]);
        assert_eq!((&*image.config.user, &*image.config.workdir), ("1000:100", "/srv"));
        assert_eq!((&*image.config.stop_signal, &*image.config.exposed_ports.join(" ")), ("SIGINT", "53/udp 80/tcp"));
        bytes.push(fs::read(&image.root.path).unwrap());
    }
    assert!(bytes.windows(2).all(|pair| pair[0] == pair[1]), "the same layers give the same bytes");
}

#[test]
fn layers_may_be_packed_in_any_way() {
    for pack in [gzip, plain, zstd, bzip2] {
        let room = Room::new();
        let mut parts = Parts::new(&layers());
        parts.layers.iter_mut().for_each(|(_, packed)| *packed = pack);
        parts.write_layout(&room.path("layout"), "latest");
        let image = room.resolve(&room.path("layout").display().to_string()).unwrap();
        assert_eq!(content(&image, "etc/a"), b"upper");
    }
}

#[test]
fn what_is_in_the_store_is_not_made_again() {
    let room = Room::new();
    let parts = Parts::new(&layers());
    let path = room.file("docker.tar", &parts.docker_archive("x"));
    let first = room.resolve(&path).unwrap();
    // The layers are not even looked at.
    let mut damaged = parts;
    damaged.layers.iter_mut().for_each(|(tar, _)| tar.fill(0xff));
    fs::write(&path, damaged.docker_archive("x")).unwrap();
    assert_eq!(room.resolve(&path).unwrap(), first);
}

#[test]
fn a_plain_tar_and_a_folder_are_root_file_systems() {
    let room = Room::new();
    let tar = Tar::new().directory("./").directory("./bin").file("./bin/sh", b"sh").end();
    for (name, bytes) in
        [("a.tar", tar.clone()), ("a.tar.gz", gzip(&tar)), ("a.tar.zst", zstd(&tar)), ("a.tar.bz2", bzip2(&tar))]
    {
        let image = room.resolve(&room.file(name, &bytes)).unwrap();
        assert_eq!(content(&image, "bin/sh"), b"sh");
        assert_eq!(image.id, Some(Digest::of(&tar)));
    }
    fs::create_dir_all(room.path("root/bin")).unwrap();
    let sh = room.file("root/bin/sh", b"sh");
    fs::set_permissions(&sh, fs::Permissions::from_mode(0o4755)).unwrap();
    fs::hard_link(&sh, room.path("root/bin/bash")).unwrap();
    symlink("/etc/passwd", room.path("root/link")).unwrap();
    let from = room.path("root").display().to_string();
    let image = room.resolve(&from).unwrap();
    let found = testkit::read(&fs::read(&image.root.path).unwrap());
    assert_eq!((found[&b"bin/sh"[..]].mode, found[&b"bin/sh"[..]].nlink), (0o104_755, 2));
    assert_eq!((found[&b"bin/sh"[..]].uid, found[&b"bin/sh"[..]].gid), (0, 0));
    assert_eq!(found[&b"link"[..]].content, b"/etc/passwd");
    assert_eq!(room.resolve(&from).unwrap().id, image.id);
    fs::set_permissions(&sh, fs::Permissions::from_mode(0o755)).unwrap();
    assert_ne!(room.resolve(&from).unwrap().id, image.id, "whatever changes gives another image");
}

#[test]
fn a_root_file_system_may_have_files_named_as_those_of_images() {
    let room = Room::new();
    let manifests: [&[u8]; 9] = [
        b"",
        b"[]",
        b"{}",
        b"[1]",
        b"null",
        b"no json",
        br#"{"name":"web","icons":[]}"#,
        br#"[{"name":"web","Config":"x"}]"#,
        br#"[["Config"]]"#,
    ];
    for (number, manifest) in manifests.into_iter().enumerate() {
        let tar = Tar::new().file("manifest.json", manifest).file("oci-layout", manifest).file("index.json", b"{}");
        let image = room.resolve(&room.file(&format!("{number}.tar"), &tar.end())).unwrap();
        assert_eq!(content(&image, "manifest.json"), manifest);
    }
    // Whatever lists images is an archive of them, damaged or not.
    let tar = Tar::new().file("manifest.json", br#"[{"Config":"x.json","Layers":["a"]}]"#).end();
    let error = room.resolve(&room.file("saved.tar", &tar)).unwrap_err();
    assert!(error.to_string().contains("has no x.json"), "{error}");
}

#[test]
fn an_image_without_layers_is_an_empty_root() {
    let room = Room::new();
    let manifest = br#"[{"Config":"c.json","RepoTags":null,"Layers":null}]"#;
    let tar = Tar::new().file("manifest.json", manifest).file("c.json", br#"{"rootfs":{"type":"layers"}}"#).end();
    let image = room.resolve(&room.file("empty.tar", &tar)).unwrap();
    assert_eq!(testkit::read(&fs::read(&image.root.path).unwrap()).len(), 1);
}

#[test]
fn a_file_system_is_used_as_it_is_and_imported_as_it_is() {
    let room = Room::new();
    let mut squashfs = b"hsqs".to_vec();
    squashfs.resize(5000, 1);
    let path = room.file("squashfs", &squashfs);
    let image = room.resolve(&path).unwrap();
    assert_eq!((image.id, image.root.path), (None, PathBuf::from(&path)));
    let image = room.store.import(&ImageSource::at(&path).unwrap(), &mut unwatched).unwrap();
    assert_eq!((image.id, image.root.kind), (Some(Digest::of(&squashfs)), RootKind::Squashfs));
    assert!(fs::read(image.root.path).unwrap() == squashfs);
}

#[test]
fn an_image_of_another_machine_is_refused() {
    let room = Room::new();
    let mut parts = Parts::new(&layers());
    parts.configuration["architecture"] = json!("arm64");
    let told = room.refused(&room.file("arm.tar", &parts.oci_archive("latest")));
    assert_eq!(told, "'/arm.tar': it is for linux/arm64, and this machine is linux/amd64");
}

#[test]
fn content_that_is_not_what_it_should_be_is_refused() {
    let room = Room::new();
    let mut parts = Parts::new(&layers());
    parts.configuration["rootfs"]["diff_ids"][1] = json!(Digest::of(b"other").to_string());
    let told = room.refused(&room.file("a.tar", &parts.docker_archive("x")));
    assert!(told.starts_with("'/a.tar', layer 2 of 4: what it unpacks to has the digest sha256:"), "{told}");

    let parts = Parts::new(&layers());
    parts.write_layout(&room.path("layout"), "latest");
    let blobs: Vec<PathBuf> =
        fs::read_dir(room.path("layout/blobs/sha256")).unwrap().map(|file| file.unwrap().path()).collect();
    let largest = blobs.iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let whole = fs::read(largest).unwrap();
    let mut wrong = whole.clone();
    *wrong.last_mut().unwrap() ^= 1;
    for (bytes, why) in [
        (&wrong[..], "its digest is sha256:"),
        (&whole[1..], "shorter than its"),
        (&[&whole[..], b"!"].concat(), "longer than its"),
    ] {
        fs::write(largest, bytes).unwrap();
        let told = room.refused(&room.path("layout").display().to_string());
        assert!(told.contains(why), "{why}: {told}");
    }
}

#[test]
fn a_layer_that_was_made_to_attack_is_named() {
    let room = Room::new();
    let parts = Parts::new(&[Tar::new().end(), Tar::new().file("../../etc/cron.d/x", b"").end()]);
    let told = room.refused(&room.file("evil.tar", &parts.oci_archive("latest")));
    assert_eq!(told, "'/evil.tar', layer 2 of 2: entry '../../etc/cron.d/x': its name has '..'");
}

#[test]
fn what_unpacks_to_more_than_is_allowed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("images")).unwrap();
    let store = store.with_limits(Limits { unpacked: 1 << 20, ..Limits::default() });
    let room = Room { folder, store };
    let tar = Tar::new().file("zeros", &vec![0; 8 << 20]).end();
    let told = room.refused(&room.file("bomb.tar.gz", &gzip(&tar)));
    assert!(told.contains("larger than 1048576 bytes"), "{told}");
    let told = room.refused(&room.file("bomb.tar", &Parts::new(&[tar]).oci_archive("latest")));
    assert!(told.contains("entry 'zeros': unpacked, the image is larger than 1048576 bytes"), "{told}");
}

#[test]
fn one_of_several_images_must_be_named() {
    let room = Room::new();
    let parts = Parts::new(&layers());
    let mut index: serde_json::Value = json!({ "schemaVersion": 2, "manifests": [] });
    for name in ["one", "two"] {
        let files = parts.layout(name);
        let mut manifest: serde_json::Value =
            serde_json::from_slice(&files.iter().find(|(file, _)| file == "index.json").unwrap().1).unwrap();
        index["manifests"].as_array_mut().unwrap().push(manifest["manifests"][0].take());
    }
    parts.write_layout(&room.path("layout"), "x");
    fs::write(room.path("layout/index.json"), index.to_string()).unwrap();
    let path = room.path("layout").display().to_string();
    assert_eq!(room.refused(&path), "'/layout' has several images (one, two): say which, as in '/layout:one'");
    assert_eq!(room.refused(&format!("{path}:three")), "'/layout' has no image 'three'");
    assert!(room.resolve(&format!("{path}:two")).is_ok());
}
