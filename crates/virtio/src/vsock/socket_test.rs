use std::io::ErrorKind;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use super::*;

fn spec(path: impl Into<PathBuf>) -> VsockSpec {
    VsockSpec { path: path.into(), cid: 3 }
}

/// A temporary folder, and a name in it.
fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vm.sock");
    (folder, path)
}

fn refused(spec: &VsockSpec) -> String {
    Listener::open(spec).unwrap_err().to_string()
}

#[test]
fn programs_are_accepted_and_the_file_goes_with_its_guard() {
    let (_folder, path) = place();
    let (listener, file) = Listener::open(&spec(&path)).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let mut program = UnixStream::connect(&path).unwrap();
    program.write_all(b"hello").unwrap();
    let mut bytes = [0; 5];
    listener.accept().unwrap().read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"hello");
    drop(file);
    assert!(!path.exists());
}

#[test]
fn no_other_user_of_the_host_may_connect() {
    let (_folder, path) = place();
    let _open = Listener::open(&spec(&path)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o177, 0);
}

#[test]
fn a_socket_left_behind_is_replaced() {
    let (_folder, path) = place();
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let (_listener, _file) = Listener::open(&spec(&path)).unwrap();
    UnixStream::connect(&path).unwrap();
}

#[test]
fn a_socket_in_use_and_a_file_of_another_kind_are_left_alone() {
    let (folder, path) = place();
    let other = UnixListener::bind(&path).unwrap();
    assert!(refused(&spec(&path)).contains("a running program listens there"));
    UnixStream::connect(&path).unwrap();
    drop(other);
    let text = folder.path().join("text");
    fs::write(&text, "precious").unwrap();
    assert!(refused(&spec(&text)).contains("not a socket"));
    assert_eq!(fs::read(&text).unwrap(), b"precious");
    assert!(refused(&spec(folder.path())).contains("not a socket"));
    assert!(refused(&spec(folder.path().join("none/vm.sock"))).contains("a folder that exists"));
}

#[test]
fn a_file_that_has_become_anothers_stays() {
    let (_folder, path) = place();
    let (_listener, file) = Listener::open(&spec(&path)).unwrap();
    fs::remove_file(&path).unwrap();
    // The name of a new file may have the number of the old one, so another comes between.
    let _between = tempfile::tempfile_in(path.parent().unwrap()).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    drop(file);
    assert!(path.exists());
}

#[test]
fn a_guests_port_is_a_socket_beside() {
    let (_folder, path) = place();
    let (listener, _file) = Listener::open(&spec(&path)).unwrap();
    assert_eq!(listener.connect(1024).unwrap_err().kind(), ErrorKind::NotFound);
    let mut name = path.into_os_string();
    name.push("_1024");
    let program = UnixListener::bind(&name).unwrap();
    listener.connect(1024).unwrap().write_all(b"x").unwrap();
    let mut byte = [0];
    program.accept().unwrap().0.read_exact(&mut byte).unwrap();
    drop(program);
    assert_eq!(listener.connect(1024).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn names_have_a_length_that_leaves_room_for_ports() {
    let long = |len: usize| spec("x".repeat(len));
    long(96).check().unwrap();
    let said = long(97).check().unwrap_err().to_string();
    assert!(said.contains("97 bytes are too many") && said.contains("at most 96"), "{said}");
    assert!(SocketAddrUnix::new(format!("{}_{}", "x".repeat(96), u32::MAX)).is_ok());
}

#[test]
fn a_cid_is_a_guests() {
    let with = |cid| VsockSpec { path: "vm.sock".into(), cid }.check();
    assert!(with(3).is_ok() && with(u32::MAX - 1).is_ok());
    for cid in [0, 1, 2, u32::MAX] {
        assert!(
            crate::device::DeviceError::from(with(cid).unwrap_err())
                .to_string()
                .contains(&format!("cid={cid}: a guest's"))
        );
    }
    let spec: VsockSpec = serde_json::from_str(r#"{"path": "vm.sock"}"#).unwrap();
    assert_eq!(spec.cid, 3);
}
