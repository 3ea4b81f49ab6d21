use std::os::unix::fs::MetadataExt;

use super::*;

/// A folder `tree` with a read-only folder, a link, a hard link and a long name in it.
fn tree(into: &Path) {
    let long = "n".repeat(120);
    fs::create_dir_all(into.join("tree/inner")).unwrap();
    fs::write(into.join("tree/inner/file"), "content").unwrap();
    fs::write(into.join("tree").join(long), "").unwrap();
    std::os::unix::fs::symlink("/nowhere", into.join("tree/link")).unwrap();
    fs::set_permissions(into.join("tree/inner"), std::os::unix::fs::PermissionsExt::from_mode(0o555)).unwrap();
}

fn packed(source: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    pack(&mut bytes, source, |_| ()).unwrap();
    bytes
}

#[test]
fn a_tree_comes_out_as_it_went_in() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    tree(from.path());
    unpack(&mut &packed(&from.path().join("tree"))[..], to.path()).unwrap();
    let place = |name: &str| to.path().join("tree").join(name);
    assert_eq!(fs::read_to_string(place("inner/file")).unwrap(), "content");
    assert_eq!(fs::read_link(place("link")).unwrap(), Path::new("/nowhere"));
    assert!(place(&"n".repeat(120)).is_file());
    assert_eq!(fs::metadata(place("inner")).unwrap().mode() & 0o777, 0o555);
}

#[test]
fn what_is_not_there_yet_becomes_the_name_of_what_comes() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    tree(from.path());
    unpack(&mut &packed(&from.path().join("tree"))[..], &to.path().join("other")).unwrap();
    assert_eq!(fs::read_to_string(to.path().join("other/inner/file")).unwrap(), "content");
    unpack(&mut &packed(&from.path().join("tree/inner/file"))[..], &to.path().join("copy")).unwrap();
    assert_eq!(fs::read_to_string(to.path().join("copy")).unwrap(), "content");
}

#[test]
fn a_folder_that_is_not_there_is_a_mistake() {
    let to = tempfile::tempdir().unwrap();
    let error = unpack(&mut &packed(Path::new("/etc/passwd"))[..], &to.path().join("a/b")).unwrap_err();
    assert!(error.to_string().starts_with("the guest has no folder for "), "{error}");
}

#[test]
fn hard_links_stay_within_the_archive_under_its_new_name() {
    let to = tempfile::tempdir().unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    archive.append_data(&mut header, "old/a", &b"x"[..]).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Link);
    header.set_size(0);
    archive.append_link(&mut header, "old/b", "old/a").unwrap();
    unpack(&mut &archive.into_inner().unwrap()[..], &to.path().join("new")).unwrap();
    let inode = |name| fs::metadata(to.path().join(name)).unwrap().ino();
    assert_eq!(inode("new/a"), inode("new/b"));
}

#[test]
fn names_that_lead_out_are_refused() {
    let to = tempfile::tempdir().unwrap();
    let mut header = tar::Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..11].copy_from_slice(b"a/../../bad");
    header.set_size(0);
    header.set_mode(0o644);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.resize(512 * 3, 0);
    let error = unpack(&mut &bytes[..], to.path()).unwrap_err();
    assert_eq!(error.to_string(), "the archive has the name a/../../bad");
}
