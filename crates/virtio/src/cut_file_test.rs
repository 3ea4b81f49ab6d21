use std::io::{Seek, SeekFrom, Write};

use super::*;

#[test]
fn a_cut_is_noticed_and_a_write_is_none() {
    let mut file = tempfile::tempfile().unwrap();
    file.set_len(8192).unwrap();
    let watch = CutFile::watch(&file).unwrap();
    assert!(!watch.is_shorter(&file, 8192));
    file.seek(SeekFrom::Start(100)).unwrap();
    file.write_all(b"content").unwrap();
    assert!(has_news(&watch) && !watch.is_shorter(&file, 8192) && !has_news(&watch));
    file.set_len(4096).unwrap();
    assert!(has_news(&watch) && watch.is_shorter(&file, 8192));
}

/// Whether the kernel has told something.
fn has_news(watch: &CutFile) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::new(&watch.inotify, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
}
