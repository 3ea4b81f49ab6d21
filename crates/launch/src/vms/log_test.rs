use super::*;

fn scene() -> (tempfile::TempDir, Log) {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::begin_with(folder.path(), 10).unwrap();
    (folder, log)
}

fn read(reader: &mut LogReader) -> (String, u64) {
    let mut out = Vec::new();
    let look = reader.copy(&mut out).unwrap();
    assert_eq!(look.copied, out.len() as u64);
    (String::from_utf8(out).unwrap(), look.missed)
}

fn kept(folder: &Path) -> Vec<(String, u64)> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let mut kept: Vec<_> =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())).collect();
    kept.sort();
    kept
}

#[test]
fn whatever_is_written_two_files_of_a_bounded_size_are_kept_and_they_are_the_last() {
    let (folder, mut log) = scene();
    for line in 0..1000 {
        writeln!(log, "line {line}").unwrap();
        let kept = kept(folder.path());
        assert!(kept.len() <= 2 && kept.iter().all(|(_, bytes)| *bytes <= 10), "{kept:?}");
    }
    let (text, missed) = read(&mut LogReader::open(folder.path()).unwrap().unwrap());
    assert!(text.ends_with("line 999\n") && text.len() > 10 && missed == 0, "{text:?}");
}

#[test]
fn one_write_may_be_longer_than_all_that_is_kept() {
    let (folder, mut log) = scene();
    log.write_all(b"0123456789abcdefghijABCDEFGHIJxyz").unwrap();
    assert_eq!(kept(folder.path()), [("output.2.log".to_owned(), 10), ("output.3.log".to_owned(), 3)]);
    assert_eq!(read(&mut LogReader::open(folder.path()).unwrap().unwrap()), ("ABCDEFGHIJxyz".to_owned(), 0));
}

#[test]
fn a_reader_that_follows_goes_on_from_file_to_file() {
    let (folder, mut log) = scene();
    let mut reader = LogReader::open(folder.path()).unwrap().unwrap();
    assert_eq!(read(&mut reader), (String::new(), 0));
    let (mut all, mut seen) = (String::new(), String::new());
    for line in 0..100 {
        let line = format!("{line}\n");
        log.write_all(line.as_bytes()).unwrap();
        all.push_str(&line);
        let (text, missed) = read(&mut reader);
        assert_eq!(missed, 0);
        seen.push_str(&text);
    }
    assert_eq!(seen, all);
}

#[test]
fn a_reader_that_is_too_slow_knows_what_it_missed() {
    let (folder, mut log) = scene();
    log.write_all(b"01234").unwrap();
    let mut reader = LogReader::open(folder.path()).unwrap().unwrap();
    assert_eq!(read(&mut reader), ("01234".to_owned(), 0));
    log.write_all(b"56789abcdefghijABCDEFGHIJxyz").unwrap();
    // The file that it had open is read to its end, though it has no name any more; that of a to j is gone.
    assert_eq!(read(&mut reader), ("56789ABCDEFGHIJxyz".to_owned(), 1));
}

#[test]
fn other_files_of_the_folder_are_no_logs_and_a_folder_that_goes_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["output.log", "output.x.log", "console.log", "output.1.log.tmp"] {
        fs::write(folder.path().join(name), "no").unwrap();
    }
    assert!(LogReader::open(folder.path()).unwrap().is_none());
    let mut log = Log::begin(folder.path()).unwrap();
    log.write_all(b"last words").unwrap();
    let mut reader = LogReader::open(folder.path()).unwrap().unwrap();
    folder.close().unwrap();
    assert_eq!(read(&mut reader), ("last words".to_owned(), 0));
}
