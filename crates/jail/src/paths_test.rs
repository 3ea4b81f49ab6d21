use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};

use super::*;
use crate::testkit::in_child;

/// Kernels before 5.13, and those built without it, have nothing to test.
fn without_landlock() -> bool {
    // SAFETY: asks for the version only.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0, 0, 1) };
    version < 4
}

#[test]
fn a_thread_without_rules_opens_nothing_and_connects_nowhere() {
    if without_landlock() {
        return;
    }
    let ended = in_child("paths::tests::a_thread_without_rules_opens_nothing_and_connects_nowhere", || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = File::open("/etc/passwd").unwrap();
        assert!(enter([]).unwrap());
        assert_eq!(File::open("/etc/passwd").unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(fs::read_dir("/").unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(File::open("/dev/null").unwrap_err().kind(), ErrorKind::PermissionDenied);
        let connected = TcpStream::connect(listener.local_addr().unwrap());
        assert_eq!(connected.unwrap_err().kind(), ErrorKind::PermissionDenied);
        // What is open stays open.
        assert!(std::io::read_to_string(open).unwrap().contains("root"));
    });
    assert_eq!(ended.status, 0, "{}", ended.said);
}

#[test]
fn a_thread_with_rules_reads_here_and_writes_there() {
    if without_landlock() {
        return;
    }
    let ended = in_child("paths::tests::a_thread_with_rules_reads_here_and_writes_there", || {
        let folder = tempfile::tempdir().unwrap();
        let (read, write) = (folder.path().join("read"), folder.path().join("write"));
        for folder in [&read, &write] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("file"), "x").unwrap();
        }
        let rules = [Rule::new(&read, Rights::Read).unwrap(), Rule::new(&write, Rights::Write).unwrap()];
        assert!(enter(&rules).unwrap());
        assert_eq!(fs::read(read.join("file")).unwrap(), b"x");
        assert_eq!(fs::write(read.join("new"), "y").unwrap_err().kind(), ErrorKind::PermissionDenied);
        fs::write(write.join("new"), "y").unwrap();
        fs::rename(write.join("new"), write.join("file")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap_err().kind(), ErrorKind::PermissionDenied);
        fs::remove_file(write.join("file")).unwrap();
        assert_eq!(File::open("/etc/passwd").unwrap_err().kind(), ErrorKind::PermissionDenied);
    });
    assert_eq!(ended.status, 0, "{}", ended.said);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let error = Rule::new(Path::new("/no/such"), Rights::Read).unwrap_err();
    assert_eq!(error.to_string(), "cannot open /no/such, which a thread is to be left");
}
