use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::process::Command;

use super::*;
use crate::testkit::in_child;

#[test]
fn a_confined_process_cannot_be_dumped_or_get_more_descriptors() {
    let ended = in_child("process::tests::a_confined_process_cannot_be_dumped_or_get_more_descriptors", || {
        let walls = confine().unwrap();
        assert!(walls.has(Wall::NotDumpable) && walls.has(Wall::Limits));
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
    });
    assert_eq!(ended.status, 0, "{}", ended.said);
}

#[test]
fn inherited_descriptors_are_closed_but_for_those_kept() {
    let test = "process::tests::inherited_descriptors_are_closed_but_for_those_kept";
    let ended = in_child(test, || {
        let open = || File::open("/dev/null").unwrap().into_raw_fd();
        let (kept, closed) = (open(), open());
        close_inherited(&[0, kept]).unwrap();
        let is_open = |fd: RawFd| std::path::Path::new(&format!("/proc/self/fd/{fd}")).exists();
        assert!(is_open(kept) && !is_open(closed) && is_open(2));
        // SAFETY: the descriptor is open and nothing else owns it.
        assert_eq!(unsafe { OwnedFd::from_raw_fd(kept) }.as_raw_fd(), kept);
        assert!(Command::new("/bin/true").status().unwrap().success());
    });
    assert_eq!(ended.status, 0, "{}", ended.said);
}
