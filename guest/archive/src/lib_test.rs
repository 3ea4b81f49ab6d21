use std::os::unix::net::UnixListener;

use super::*;

/// Names and sizes in an archive of `source`, and the warnings.
fn packed(source: &Path) -> (Vec<(String, u64)>, Vec<String>) {
    let (mut bytes, mut warnings) = (Vec::new(), Vec::new());
    pack(&mut bytes, source, Path::new("x"), |warning| warnings.push(warning.to_string())).unwrap();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let names = archive.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        (entry.path().unwrap().display().to_string().trim_end_matches('/').to_owned(), entry.size())
    });
    (names.collect(), warnings)
}

#[test]
fn sockets_are_left_out_and_names_are_sorted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b"), "content").unwrap();
    fs::create_dir(folder.path().join("a")).unwrap();
    fs::write(folder.path().join("a/inner"), "").unwrap();
    let _socket = UnixListener::bind(folder.path().join("socket")).unwrap();
    let expected = [("x", 0), ("x/a", 0), ("x/a/inner", 0), ("x/b", 7)].map(|(name, size)| (name.to_owned(), size));
    assert_eq!(packed(folder.path()), (expected.to_vec(), Vec::new()));
}

#[test]
fn files_of_proc_are_empty_and_warned_of() {
    let (names, warnings) = packed(Path::new("/proc/self/attr"));
    assert!(names.len() > 1 && names.iter().all(|(_, size)| *size == 0), "{names:?}");
    let (names, warned) = packed(Path::new("/proc/self/status"));
    assert_eq!((names, warned.len()), (vec![("x".to_owned(), 0)], 1), "{warnings:?}");
    assert_eq!(warned, ["/proc/self/status changed while it was copied"]);
}

#[test]
fn what_vanishes_is_left_out_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    // The second one goes while the first is being read.
    for name in ["a", "b"] {
        fs::write(folder.path().join(name), "content").unwrap();
    }
    struct Removes<'a>(&'a Path, usize);
    impl Write for Removes<'_> {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            let _ = fs::remove_file(self.0.join("b"));
            self.1 += data.len();
            Ok(data.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut warnings = Vec::new();
    let mut to = Removes(folder.path(), 0);
    pack(&mut to, folder.path(), Path::new("x"), |warning| warnings.push(warning.to_string())).unwrap();
    assert_eq!(warnings, [format!("{}/b is gone, and was not copied", folder.path().display())]);
    assert_eq!(to.1 % 512, 0);
}

#[test]
fn an_error_names_the_file() {
    let error = pack(io::sink(), Path::new("/no/such/file"), Path::new("x"), |_| ()).unwrap_err();
    assert_eq!(error.to_string(), "/no/such/file: No such file or directory (os error 2)");
}
