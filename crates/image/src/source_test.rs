use std::fs;

use super::*;
use crate::tar::testkit::Archive;
use crate::testkit::{Parts, gzip};

fn parse(text: &str) -> ImageSource {
    ImageSource::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn what_is_at_a_path_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = |name: &str| at(name).display().to_string();
    fs::create_dir(at("rootfs")).unwrap();
    Parts::new(&[]).write_layout(&at("layout"), "latest");
    fs::write(at("a.tar"), Archive::new().end()).unwrap();
    fs::write(at("a.tar.gz"), gzip(b"")).unwrap();
    let with = |offset: usize, magic: &[u8]| [&vec![0; offset], magic, &[0; 2048][..]].concat();
    fs::write(at("ext4"), with(1080, &[0x53, 0xef])).unwrap();
    fs::write(at("erofs"), with(1024, &[0xe2, 0xe1, 0xf5, 0xe0])).unwrap();
    fs::write(at("squashfs"), with(0, b"hsqs")).unwrap();
    let raw = |name: &str, kind| ImageSource::Raw { path: at(name), kind };
    assert_eq!(parse(&text("rootfs")), ImageSource::Folder(at("rootfs")));
    assert_eq!(parse(&text("layout")), ImageSource::Layout { path: at("layout"), name: None });
    assert_eq!(parse(&text("layout:latest")), ImageSource::Layout { path: at("layout"), name: Some("latest".into()) });
    assert_eq!(parse(&text("a.tar")), ImageSource::Tar { path: at("a.tar"), name: None });
    let named = ImageSource::Tar { path: at("a.tar"), name: Some("web:1".into()) };
    assert_eq!(parse(&text("a.tar:web:1")), named, "names have colons, too");
    assert_eq!(parse(&text("a.tar.gz")), ImageSource::Tar { path: at("a.tar.gz"), name: None });
    assert_eq!(parse(&text("ext4")), raw("ext4", RootKind::Ext4));
    assert_eq!(parse(&text("erofs")), raw("erofs", RootKind::Erofs));
    assert_eq!(parse(&text("squashfs")), raw("squashfs", RootKind::Squashfs));
}

#[test]
fn a_path_need_not_be_utf_8() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(OsStr::from_bytes(b"caf\xe9.tar"));
    fs::write(&path, Archive::new().end()).unwrap();
    assert_eq!(ImageSource::parse(&path).unwrap(), ImageSource::Tar { path: path.clone(), name: None });
    let mut named = path.clone().into_os_string();
    named.push(":web");
    assert_eq!(ImageSource::at(&named).unwrap(), ImageSource::Tar { path, name: Some("web".into()) });
    assert!(matches!(ImageSource::parse(OsStr::from_bytes(b"caf\xe9")), Err(SourceError::Reference(_))));
}

#[test]
fn what_is_no_image_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text");
    fs::write(&path, "hello, world").unwrap();
    let told = ImageSource::parse(path.display().to_string()).unwrap_err().to_string();
    assert!(told.contains("text' is not an image"), "{told}");
    let told = ImageSource::parse("./is/not/there").unwrap_err().to_string();
    assert_eq!(told, "cannot open './is/not/there'");
}

#[test]
fn everything_else_is_a_name() {
    assert_eq!(parse("debian:12"), ImageSource::Registry("debian:12".parse().unwrap()));
    assert_eq!(parse("src"), ImageSource::Registry("src".parse().unwrap()), "a folder without a slash is not an image");
    assert!(ImageSource::parse("Not A Name").is_err());
}
