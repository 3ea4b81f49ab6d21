use std::thread;

use illico_protocol::{Ending, HELLO};
use tar::{Builder, Header};

use super::*;

fn header(kind: EntryType, size: usize, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size as u64);
    header.set_mode(mode);
    header
}

/// An archive of entries: kind, name, content or target. Names go in as they are, which `Builder` would not let through.
fn archive(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for &(kind, name, content) in entries {
        let is_file = kind == EntryType::Regular;
        let mut header = header(kind, if is_file { content.len() } else { 0 }, 0o6755);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        if !is_file {
            header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
        }
        header.set_cksum();
        builder.append(&header, if is_file { content.as_bytes() } else { b"" }).unwrap();
    }
    builder.into_inner().unwrap()
}

fn unpacked(entries: &[(EntryType, &str, &str)]) -> (tempfile::TempDir, io::Result<()>) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("to")).unwrap();
    let to = folder.path().join("to");
    let done = unpack(&mut archive(entries).as_slice(), Path::new("logs"), &to, &|_| ());
    let done = done.and_then(|closed| closed.close(|path| to.join(path)));
    (folder, done)
}

use EntryType::{Char, Directory, Link, Regular, Symlink};

#[test]
fn what_was_asked_for_is_unpacked_without_the_rights_of_others() {
    let (folder, done) = unpacked(&[
        (Directory, "logs", ""),
        (Regular, "logs/a", "one"),
        (Symlink, "logs/b", "a"),
        (Link, "logs/c", "logs/a"),
    ]);
    done.unwrap();
    let path = |name: &str| folder.path().join("to/logs").join(name);
    assert_eq!(fs::read_to_string(path("b")).unwrap(), "one");
    assert_eq!(fs::read_to_string(path("c")).unwrap(), "one");
    assert_eq!(fs::metadata(path("a")).unwrap().permissions().mode() & 0o7000, 0);
}

#[test]
fn a_guest_that_wants_to_write_elsewhere_is_refused() {
    for entries in [
        [(Regular, "logs/../../x", "evil")].as_slice(),
        &[(Regular, "../x", "evil")],
        &[(Regular, "/x", "evil")],
        &[(Regular, "other", "evil")],
        &[(Directory, "logs", ""), (Symlink, "logs/up", "../.."), (Regular, "logs/up/x", "evil")],
        &[(Symlink, "logs", ".."), (Regular, "logs/x", "evil")],
        &[(Directory, "logs", ""), (Link, "logs/x", "../x")],
    ] {
        let (folder, done) = unpacked(entries);
        assert!(done.is_err(), "{entries:?}");
        let outside: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(outside, ["to"], "{entries:?}");
    }
}

#[test]
fn devices_are_left_out_and_nothing_at_all_is_an_error() {
    let (folder, done) = unpacked(&[(Directory, "logs", ""), (Char, "logs/null", "")]);
    done.unwrap();
    assert!(!folder.path().join("to/logs/null").exists());
    assert!(unpacked(&[(Char, "logs", "")]).1.is_err());
}

#[test]
fn data_arrives_as_it_was_written_and_the_last_word_is_heard() {
    let bytes: Vec<u8> = (0..3 * MAX_DATA + 17).map(|n| n as u8).collect();
    for (ending, fine) in [(Ending::DONE, true), (Ending::Failed("the disk is full".to_owned()), false)] {
        let (host, mut agent) = UnixStream::pair().unwrap();
        let sent = bytes.clone();
        let writes = thread::spawn(move || {
            agent.write_all(&HELLO).unwrap();
            let mut writer = DataWriter::new(agent.try_clone().unwrap());
            writer.write_all(&sent).unwrap();
            writer.finish().unwrap();
            let mut last = Vec::new();
            Frame::End(ending).encode(&mut last).unwrap();
            agent.write_all(&last).unwrap();
        });
        let mut reader = DataReader::new(Reader::new(host), &|_| ());
        let mut came = Vec::new();
        reader.read_to_end(&mut came).unwrap();
        assert!(came == bytes);
        let end = reader.end();
        assert_eq!(end.is_ok(), fine, "{end:?}");
        writes.join().unwrap();
    }
}

#[test]
fn an_archive_that_breaks_off_is_an_error_with_the_agent_s_reason() {
    let (host, mut agent) = UnixStream::pair().unwrap();
    let mut bytes = HELLO.to_vec();
    Frame::End(Ending::Failed("/nosuch: no such file".to_owned())).encode(&mut bytes).unwrap();
    agent.write_all(&bytes).unwrap();
    let mut reader = DataReader::new(Reader::new(host), &|_| ());
    let error = unpack(&mut reader, Path::new("logs"), Path::new("/nowhere"), &|_| ()).unwrap_err().to_string();
    assert!(error.contains("/nosuch: no such file"), "{error}");
    // The agent keeps its end open; nothing more is read from it.
    let error = reader.end().unwrap_err().to_string();
    assert!(error.contains("/nosuch: no such file"), "{error}");
    drop(agent);
}

#[test]
fn folders_that_may_not_be_written_are_closed_last() {
    let folder = tempfile::tempdir().unwrap();
    let mut builder = Builder::new(Vec::new());
    for (name, kind, mode) in
        [("logs", Directory, 0o555), ("logs/in", Directory, 0o500), ("logs/in/file", Regular, 0o444)]
    {
        builder.append_data(&mut header(kind, 0, mode), name, io::empty()).unwrap();
    }
    let closed =
        unpack(&mut builder.into_inner().unwrap().as_slice(), Path::new("logs"), folder.path(), &|_| ()).unwrap();
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("logs"), mode("logs/in"), mode("logs/in/file")), (0o755, 0o700, 0o444));
    fs::rename(folder.path().join("logs"), folder.path().join("moved")).unwrap();
    closed.close(|path| folder.path().join("moved").join(path.strip_prefix("logs").unwrap())).unwrap();
    assert_eq!((mode("moved"), mode("moved/in")), (0o555, 0o500));
    fs::set_permissions(folder.path().join("moved"), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(folder.path().join("moved/in"), Permissions::from_mode(0o755)).unwrap();
}
