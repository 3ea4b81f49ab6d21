use std::fs;
use std::io::Write;
use std::os::unix::net::UnixListener;

use super::*;
use crate::Limits;

/// The warnings while `folder` is read, with `meanwhile` done after each file that has content.
fn warnings(folder: &Path, mut meanwhile: impl FnMut()) -> Result<Vec<String>, Error> {
    let mut root = Root::new(tempfile::tempfile().unwrap(), Limits::default());
    let mut warnings = Vec::new();
    let mut watch = |progress: Progress<'_>| match progress {
        Progress::Warning(text) => warnings.push(text.to_owned()),
        Progress::Advance(1..) => meanwhile(),
        _ => {}
    };
    add(folder, &mut root, &mut watch)?;
    root.finish([0; 16]).unwrap();
    Ok(warnings)
}

#[test]
fn files_take_the_size_that_they_announce_with_a_warning() {
    // Files of /proc announce nothing and have content, files of /sys announce a page and have less.
    for (folder, file) in [("/proc/sys/kernel/random", "boot_id"), ("/sys/class/net/lo/statistics", "rx_bytes")] {
        let said = warnings(Path::new(folder), || ()).unwrap();
        assert!(said.contains(&format!("{folder}/{file} changed while it was copied")), "{said:?}");
    }
}

#[test]
fn what_vanishes_is_left_out_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        fs::File::create(folder.path().join(name)).unwrap().write_all(b"content").unwrap();
    }
    fs::hard_link(folder.path().join("b"), folder.path().join("d")).unwrap();
    let gone = folder.path().join("b");
    let said = warnings(folder.path(), || drop(fs::remove_file(&gone))).unwrap();
    assert_eq!(said, [format!("{} is gone, and was not copied", gone.display())]);
}

#[test]
fn a_socket_with_two_names_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let _socket = UnixListener::bind(folder.path().join("a")).unwrap();
    fs::hard_link(folder.path().join("a"), folder.path().join("b")).unwrap();
    assert_eq!(warnings(folder.path(), || ()).unwrap(), [""; 0]);
}
