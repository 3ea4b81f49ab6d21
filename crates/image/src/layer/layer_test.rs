#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;

use super::*;
use crate::erofs::testkit::{self, Found};
use crate::tar::testkit::{Archive, Raw};

/// What a tree of these layers has, by path.
fn unpacked(layers: &[Archive]) -> Result<BTreeMap<String, Found>, String> {
    let file = tempfile::tempfile().unwrap();
    let mut root = Root::new(file.try_clone().unwrap(), Limits { unpacked: 64 << 20, metadata: 1 << 20 });
    for (number, layer) in layers.iter().enumerate() {
        let tar = layer.clone().end();
        let digest = root.apply(number as u32, &tar[..]).map_err(|error| told(&error))?;
        assert_eq!(digest, Digest::of(&tar));
    }
    let (_, len) = root.finish([0; 16]).unwrap();
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    let found = testkit::read(&bytes).into_iter();
    Ok(found.map(|(path, found)| (String::from_utf8_lossy(&path).into_owned(), found)).collect())
}

fn told(error: &dyn std::error::Error) -> String {
    let reason = error.source().map(|reason| format!(": {}", told(reason)));
    format!("{error}{}", reason.unwrap_or_default())
}

fn found(layers: &[Archive]) -> BTreeMap<String, Found> {
    unpacked(layers).unwrap()
}

/// All paths but that of the root.
fn paths(layers: &[Archive]) -> Vec<String> {
    found(layers).into_keys().filter(|path| !path.is_empty()).collect()
}

fn refused(layers: &[Archive]) -> String {
    unpacked(layers).unwrap_err()
}

fn layer() -> Archive {
    Archive::new()
}

#[test]
fn an_upper_layer_replaces_and_adds() {
    let lower = layer().directory("etc/").file("etc/a", b"old").file("etc/b", b"b");
    let upper = layer().file("etc/a", b"new").file("etc/c/d", b"d");
    let found = found(&[lower, upper]);
    assert_eq!(found["etc/a"].content, b"new");
    assert_eq!(found["etc/b"].content, b"b");
    assert_eq!(found["etc/c"].mode, 0o040_755);
    assert_eq!(found["etc/c/d"].content, b"d");
}

#[test]
fn directories_take_new_attributes_and_keep_their_entries() {
    let lower = layer().raw(Raw { mode: 0o700, uid: 5, ..Raw::new(b'5', b"./") }, b"").directory("a").file("a/b", b"");
    let upper = layer().raw(Raw { mode: 0o1777, gid: 7, ..Raw::new(b'5', b"a/") }, b"");
    let found = found(&[lower, upper]);
    assert_eq!((found[""].mode, found[""].uid), (0o040_700, 5));
    assert_eq!((found["a"].mode, found["a"].gid), (0o041_777, 7));
    assert!(found.contains_key("a/b"));
}

#[test]
fn whiteouts_hide_what_layers_below_have() {
    let lower = layer().file("a/file", b"").file("a/folder/x", b"").file("a/other", b"").file("b", b"");
    let upper = layer().file("a/.wh.file", b"").file("a/.wh.folder", b"").file(".wh.nothing", b"").file("./.wh.b", b"");
    assert_eq!(paths(&[lower, upper]), ["a", "a/other"]);
}

#[test]
fn whiteouts_do_not_hide_what_their_own_layer_has() {
    let lower = layer().file("a/x", b"old");
    for upper in [layer().file("a/x", b"new").file("a/.wh.x", b""), layer().file("a/.wh.x", b"").file("a/x", b"new")] {
        assert_eq!(found(&[lower.clone(), upper])["a/x"].content, b"new");
    }
}

#[test]
fn an_opaque_directory_is_empty_but_for_its_own_layer() {
    let lower = layer().file("a/x", b"").file("a/y/z", b"").file("b", b"");
    for upper in
        [layer().file("a/.wh..wh..opq", b"").file("a/new", b""), layer().file("a/new", b"").file("a/.wh..wh..opq", b"")]
    {
        assert_eq!(paths(&[lower.clone(), upper]), ["a", "a/new", "b"]);
    }
}

#[test]
fn a_directory_that_is_hidden_and_made_again_is_new() {
    let lower = layer().directory("a").file("a/x", b"");
    let upper = layer().file(".wh.a", b"").directory("a").file("a/y", b"");
    assert_eq!(paths(&[lower.clone(), upper]), ["a", "a/y"]);
    let upper = layer().directory("a").file("a/y", b"").file(".wh.a", b"");
    assert_eq!(paths(&[lower, upper]), ["a", "a/y"]);
}

#[test]
fn book_keeping_of_aufs_is_left_out() {
    let upper = layer().directory(".wh..wh.plnk").file(".wh..wh.aufs", b"").file("x", b"");
    assert_eq!(paths(&[upper]), ["x"]);
}

#[test]
fn hard_links_share_an_inode_also_across_layers() {
    let lower = layer().file("a", b"content");
    let upper = layer().link("b", "a").link("./c", "/b");
    let found = found(&[lower, upper]);
    assert_eq!(found["a"], found["b"]);
    assert_eq!((found["c"].nlink, &*found["c"].content), (3, &b"content"[..]));
}

#[test]
fn a_link_outlives_what_it_was_made_of() {
    let lower = layer().file("a", b"content").link("b", "a");
    let upper = layer().file(".wh.a", b"").file("a2", b"");
    let found = found(&[lower, upper]);
    assert_eq!((found["b"].nlink, &*found["b"].content), (1, &b"content"[..]));
}

#[test]
fn symbolic_links_on_the_way_lead_inside_the_image() {
    let lower = layer().directory("usr/lib/").symlink("lib", "usr/lib").symlink("var/run", "/run").directory("run");
    let found = found(&[lower.file("lib/libc.so", b"").file("var/run/pid", b"").directory("lib/x/")]);
    assert!(found.contains_key("usr/lib/libc.so") && found.contains_key("run/pid") && found.contains_key("usr/lib/x"));
    assert_eq!(found["lib"].content, b"usr/lib");
}

#[test]
fn a_link_of_its_own_layer_leads_into_layers_below() {
    let lower = layer().raw(Raw { mode: 0o700, ..Raw::new(b'5', b"usr/lib/") }, b"");
    let found = found(&[lower, layer().symlink("lib", "usr/lib").file("lib/libc.so", b"")]);
    assert!(found.contains_key("usr/lib/libc.so"));
    assert_eq!(found["usr/lib"].mode, 0o040_700);
}

#[test]
fn files_below_a_file_or_link_of_a_lower_layer_replace_it() {
    // As overlayfs shows layers that are unpacked by themselves: the folder hides whatever was there.
    let lower = layer()
        .file("file", b"f")
        .symlink("dangling", "nowhere")
        .symlink("link", "folder")
        .file("folder/kept", b"k")
        .symlink("absolute", "/folder")
        .symlink("up", "../../etc")
        .raw(Raw::new(b'6', b"pipe"), b"")
        .link("second", "file");
    for name in ["file", "dangling", "link", "absolute", "up", "pipe", "second"] {
        let upper = layer().file(&format!("{name}/x"), b"x").file(&format!("{name}/sub/y"), b"y");
        let found = found(&[lower.clone(), upper]);
        assert_eq!(found[name].mode, 0o040_755, "{name}");
        assert_eq!(
            (&*found[&format!("{name}/x")].content, &*found[&format!("{name}/sub/y")].content),
            (&b"x"[..], &b"y"[..])
        );
        let folder: Vec<&String> = found.keys().filter(|path| path.starts_with("folder/")).collect();
        assert_eq!(folder, ["folder/kept"]);
    }
    let deep = layer().file("file/a/b/c", b"").symlink("link/l", "x").link("dangling/h", "folder/kept");
    let deep = found(&[lower.clone(), deep]);
    assert!(["file/a/b/c", "link/l", "dangling/h"].iter().all(|&path| deep.contains_key(path)));
    for upper in [layer().file("file/.wh..wh..opq", b""), layer().file("file/.wh.x", b"")] {
        assert_eq!(found(&[lower.clone(), upper])["file"].mode, 0o040_755);
    }
}

#[test]
fn a_symbolic_link_at_the_end_is_replaced_and_not_followed() {
    let lower = layer().file("etc/passwd", b"kept").symlink("link", "etc/passwd").symlink("folder", "etc");
    let upper = layer().file("link", b"new").directory("folder");
    let found = found(&[lower, upper]);
    assert_eq!((&*found["link"].content, &*found["etc/passwd"].content), (&b"new"[..], &b"kept"[..]));
    assert_eq!(found["folder"].mode, 0o040_755);
}

#[test]
fn what_replaces_a_file_may_be_of_another_kind() {
    let lower = layer().file("a/b/c", b"").file("x", b"");
    let upper = layer().file("a", b"file").directory("x/").file("x/y", b"");
    assert_eq!(paths(&[lower, upper]), ["a", "x", "x/y"]);
}

#[test]
fn devices_stay_in_the_image() {
    let device = Raw { major: 10, minor: 229, mode: 0o666, ..Raw::new(b'3', b"dev/fuse") };
    let found = found(&[layer().raw(device, b"").raw(Raw::new(b'6', b"pipe"), b"")]);
    assert_eq!((found["dev/fuse"].mode, found["dev/fuse"].rdev), (0o020_666, 0xae5));
    assert_eq!(found["pipe"].mode, 0o010_644);
}

#[test]
fn attributes_and_odd_names_are_kept() {
    let name = b"odd \xff\xfe\n".to_vec();
    let archive =
        layer().pax(&[(b"SCHILY.xattr.user.a", b"1\0")]).raw(Raw { uid: 70_000, ..Raw::new(b'0', &name) }, b"x");
    let found = found(&[archive]);
    let one = &found[&*String::from_utf8_lossy(&name)];
    assert_eq!((one.uid, &*one.xattrs[&b"user.a"[..]]), (70_000, &b"1\0"[..]));
}

#[test]
fn sparse_files_have_their_zeros() {
    let records: [(&[u8], &[u8]); 2] = [(b"GNU.sparse.size", b"100000"), (b"GNU.sparse.map", b"5000,3,99999,1")];
    let found = found(&[layer().pax(&records).file("sparse", b"abcd")]);
    let content = &found["sparse"].content;
    assert_eq!((content.len(), &content[5000..5003], content[99_999]), (100_000, &b"abc"[..], b'd'));
    assert_eq!(content.iter().filter(|&&byte| byte != 0).count(), 4);
}

#[test]
fn entries_that_would_escape_are_refused() {
    let told = refused(&[layer().file("../../etc/passwd", b"")]);
    assert_eq!(told, "entry '../../etc/passwd': its name has '..'");
    assert!(refused(&[layer().file("a/../b", b"")]).ends_with("its name has '..'"));
    assert!(refused(&[layer().file("a", b"").link("b", "../a")]).ends_with("its name has '..'"));
    assert!(refused(&[layer().file("../.wh.x", b"")]).ends_with("its name has '..'"));
    let climbing = layer().symlink("evil", "../../home").file("evil/x", b"");
    let told = refused(&[climbing]);
    assert_eq!(told, "entry 'evil/x': its path leads above the root through the symbolic link '../../home'");
    let linked = layer().symlink("evil", "..").link("x", "evil/etc/shadow");
    assert!(refused(&[linked]).contains("leads above the root"));
}

#[test]
fn absolute_names_are_those_of_the_image() {
    assert_eq!(paths(&[layer().file("/etc/passwd", b"").symlink("a", "/")]), ["a", "etc", "etc/passwd"]);
}

#[test]
fn links_that_lead_nowhere_are_refused() {
    assert!(refused(&[layer().link("a", "b")]).ends_with("a hard link to what is not there"));
    assert!(refused(&[layer().directory("d").link("a", "d")]).ends_with("a hard link to a directory"));
    assert!(refused(&[layer().link("a", "/")]).ends_with("a hard link to a directory"));
    assert!(refused(&[layer().symlink("a", "")]).contains("symbolic link leads nowhere"));
    let around = layer().symlink("a", "b").symlink("b", "a").file("a/x", b"");
    assert!(refused(&[around]).ends_with("its path goes through more than 40 symbolic links"));
    assert!(refused(&[layer().symlink("a", "b").file("a/x", b"")]).ends_with("below what is not a directory"));
    assert!(refused(&[layer().file("a", b"").file("a/x", b"")]).ends_with("below what is not a directory"));
}

#[test]
fn names_that_linux_does_not_have_are_refused() {
    assert!(refused(&[layer().file(&"n".repeat(256), b"")]).ends_with("longer than 255 bytes"));
    assert!(refused(&[layer().file(&"n/".repeat(2500), b"")]).ends_with("longer than 4095 bytes"));
    assert!(refused(&[layer().file(".wh.", b"")]).ends_with("it hides the root"));
    assert!(refused(&[layer().file(".wh...", b"")]).ends_with("it hides the root"));
    assert!(refused(&[layer().file(".", b"")]).ends_with("the root is not a directory"));
    assert!(refused(&[layer().file("", b"")]).ends_with("it has no name"));
    let value = vec![0; 70_000];
    assert!(
        refused(&[layer().pax(&[(b"SCHILY.xattr.user.a", &value)]).file("x", b"")])
            .contains("larger than Linux allows")
    );
}

#[test]
fn what_is_larger_than_allowed_is_refused() {
    let bomb = Raw { size: 1 << 40, ..Raw::new(b'0', b"bomb") };
    assert!(refused(&[layer().raw(bomb, b"")]).contains("larger than 67108864 bytes (--max allows more)"));
    let many = (0..5000).fold(layer(), |archive, number| archive.file(&number.to_string(), b""));
    assert!(refused(&[many]).contains("names and attributes of all entries are more than"));
}

#[test]
fn a_truncated_layer_names_its_last_entry() {
    let mut archive = layer().file("a", b"").file("b", &[1; 5000]).cut();
    archive.truncate(3000);
    let told = refused(&[layer().bytes(&archive)]);
    assert!(told.starts_with("entry 'b': "), "{told}");
}

#[test]
fn what_replaced_files_had_is_used_again() {
    let lower = layer().file("a", &[1; 1 << 20]);
    let upper = layer().file("a", &[2; 1 << 20]).file("b", &[3; 1 << 20]);
    let found = found(&[lower, upper]);
    assert_eq!(found["b"].offset, 4096);
    assert!(found["a"].content == [2; 1 << 20] && found["b"].content == [3; 1 << 20]);
}

#[test]
fn in_a_plain_tar_names_mean_only_themselves() {
    let file = tempfile::tempfile().unwrap();
    let mut root = Root::new(file, Limits::default());
    root.add_all(&layer().file(".wh.x", b"").end()[..]).unwrap();
    assert!(root.tree().entry(Tree::ROOT, b".wh.x").is_some());
}
