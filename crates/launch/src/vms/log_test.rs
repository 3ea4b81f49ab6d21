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
        log.keep(format!("line {line}\n").as_bytes());
        let kept = kept(folder.path());
        assert!(kept.len() <= 2 && kept.iter().all(|(_, bytes)| *bytes <= 10), "{kept:?}");
    }
    let (text, missed) = read(&mut LogReader::open(folder.path()).unwrap().unwrap());
    assert!(text.ends_with("line 999\n") && text.len() > 10 && missed == 0, "{text:?}");
}

#[test]
fn one_write_may_be_longer_than_all_that_is_kept() {
    let (folder, mut log) = scene();
    log.keep(b"0123456789abcdefghijABCDEFGHIJxyz");
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
        log.keep(line.as_bytes());
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
    log.keep(b"01234");
    let mut reader = LogReader::open(folder.path()).unwrap().unwrap();
    assert_eq!(read(&mut reader), ("01234".to_owned(), 0));
    log.keep(b"56789abcdefghijABCDEFGHIJxyz");
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
    log.keep(b"last words");
    let mut reader = LogReader::open(folder.path()).unwrap().unwrap();
    folder.close().unwrap();
    assert_eq!(read(&mut reader), ("last words".to_owned(), 0));
}

#[test]
fn a_full_disk_costs_output_and_the_log_says_how_much() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::begin(folder.path()).unwrap();
    log.keep(b"before\n");
    // The disk is full for a while.
    let full = File::options().write(true).open("/dev/full").unwrap();
    let file = std::mem::replace(&mut log.file, full);
    (0..10).for_each(|_| log.keep(b"lost words"));
    log.file = file;
    log.keep(b"after\n");
    let (text, _) = read(&mut LogReader::open(folder.path()).unwrap().unwrap());
    assert_eq!(text, "before\n\n[illico: 100 bytes are missing here: No space left on device (os error 28)]\nafter\n");
}

#[test]
fn a_folder_that_takes_no_next_file_costs_output_only() {
    let (folder, mut log) = scene();
    log.keep(b"0123456789");
    let elsewhere = folder.path().with_extension("away");
    fs::rename(folder.path(), &elsewhere).unwrap();
    log.keep(b"lost");
    assert_eq!(log.missing, 4);
    fs::rename(&elsewhere, folder.path()).unwrap();
    log.keep(b"kept");
    assert_eq!(log.missing, 0);
}
