use super::*;

#[test]
fn a_file_has_one_writer_or_several_readers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    std::fs::write(&path, b"x").unwrap();
    let open = || File::options().read(true).write(true).open(&path).unwrap();

    let writer = open();
    lock(&writer, false).unwrap();
    assert!(matches!(lock(&open(), false), Err(LockError::InUse)));
    assert!(matches!(lock(&open(), true), Err(LockError::InUse)));
    drop(writer);

    let (first, second) = (open(), open());
    lock(&first, true).unwrap();
    lock(&second, true).unwrap();
    assert!(matches!(lock(&open(), false), Err(LockError::InUse)));
}
