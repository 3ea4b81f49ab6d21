use std::os::unix::net::UnixListener;

use super::*;

fn names(archive: &[u8]) -> Vec<(String, u64)> {
    let mut archive = tar::Archive::new(archive);
    let mut names = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        names.push((name.trim_end_matches('/').to_owned(), entry.size()));
    }
    names
}

#[test]
fn sockets_are_left_out_and_order_is_by_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b"), "content").unwrap();
    fs::create_dir(folder.path().join("a")).unwrap();
    fs::write(folder.path().join("a/inner"), "").unwrap();
    let _socket = UnixListener::bind(folder.path().join("socket")).unwrap();
    let mut archive = Vec::new();
    pack(&mut archive, folder.path(), OsStr::new("x")).unwrap();
    let expected = [("x", 0), ("x/a", 0), ("x/a/inner", 0), ("x/b", 7)].map(|(name, size)| (name.to_owned(), size));
    assert_eq!(names(&archive), expected);
}

#[test]
fn files_of_proc_do_not_break_what_follows() {
    let mut archive = Vec::new();
    pack(&mut archive, Path::new("/proc/self/attr"), OsStr::new("attr")).unwrap();
    let names = names(&archive);
    assert!(names.len() > 1 && names.iter().all(|(_, size)| *size == 0), "{names:?}");
}

#[test]
fn a_file_that_changes_takes_the_place_that_was_announced() {
    for (content, announced, expected) in [("grown", 3, "gro"), ("cut", 5, "cut\0\0"), ("same", 4, "same")] {
        let mut read = String::new();
        let mut file = Announced { file: content.as_bytes(), left: announced, ended: false };
        file.read_to_string(&mut read).unwrap();
        assert_eq!((read.as_str(), file.has_changed()), (expected, content != "same"));
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let error = pack(io::sink(), Path::new("/no/such/file"), OsStr::new("x")).unwrap_err();
    assert_eq!(error.to_string(), "/no/such/file: No such file or directory (os error 2)");
}
