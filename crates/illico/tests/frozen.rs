//! A disk that never answers: the machine on it is ended all the same, by a second SIGTERM and by a SIGTERM that its guest
//! does not answer.
//!
//! The disk is a file of a FUSE file system that this test serves (linux/fuse.h, protocol 7.31), and whose reads and writes
//! it never answers, unless the kernel says that whoever asked is being killed: a thread that waits for a disk can be killed
//! on most file systems, and where it cannot, the last test shows what is left. Mounting takes root; without it the tests say
//! so and pass.

#![allow(clippy::disallowed_methods, reason = "tests start threads as they like")]

mod illico;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use illico::illico;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::process::{Pid, Signal, kill_process};

const LOOKUP: u32 = 1;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const WRITE: u32 = 16;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const EINTR: i32 = -4;
const ENOSYS: i32 = -38;
const ROOT: u64 = 1;
const SIZE: u64 = 1 << 20;

/// A folder with one file, `disk`, of 1 MiB.
struct Frozen {
    folder: PathBuf,
    /// Tells of each read and write that will not be answered.
    asked: Receiver<u32>,
}

impl Frozen {
    /// `None` for users who may not mount.
    fn mount(folder: &Path, killable: bool) -> Option<Self> {
        let device = match File::options().read(true).write(true).open("/dev/fuse") {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return None,
            device => device.unwrap(),
        };
        fs::create_dir(folder).unwrap();
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0,allow_other\0", device.as_raw_fd());
        let options = std::ffi::CStr::from_bytes_with_nul(options.as_bytes()).unwrap();
        match mount("frozen", folder, "fuse", MountFlags::NOSUID | MountFlags::NODEV, options) {
            Err(rustix::io::Errno::PERM) => return None,
            mounted => mounted.unwrap(),
        }
        let (tell, asked) = channel();
        thread::spawn(move || {
            let mut request = vec![0; 1 << 20];
            // It ends with the mount.
            while let Ok(length) = (&device).read(&mut request) {
                let word = |at: usize| u32::from_le_bytes(request[at..at + 4].try_into().unwrap());
                let (operation, mut unique) = (word(4), request[8..16].to_vec());
                assert_eq!(word(0) as usize, length);
                let node = u64::from_le_bytes(request[16..24].try_into().unwrap());
                let (error, body) = match operation {
                    READ | WRITE => {
                        let _ = tell.send(operation);
                        continue;
                    }
                    INIT => (0, [words(&[7, 31, 65536, 0, 0, 65536, 1]), vec![0; 36]].concat()),
                    LOOKUP => (0, [longs(&[ROOT + 1, 0, 1000, 1000]), words(&[0, 0]), attributes(ROOT + 1)].concat()),
                    GETATTR => (0, [longs(&[1000]), words(&[0, 0]), attributes(node)].concat()),
                    // FOPEN_DIRECT_IO: no page cache in between.
                    OPEN => (0, [longs(&[0]), words(&[1, 0])].concat()),
                    RELEASE | FLUSH => (0, Vec::new()),
                    INTERRUPT if killable => {
                        unique = request[40..48].to_vec();
                        (EINTR, Vec::new())
                    }
                    INTERRUPT => continue,
                    _ => (ENOSYS, Vec::new()),
                };
                let head = words(&[16 + body.len() as u32, error as u32]);
                // Whoever asked may be gone.
                let _ = (&device).write(&[head, unique, body].concat());
            }
        });
        Some(Self { folder: folder.to_owned(), asked })
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = unmount(&self.folder, UnmountFlags::DETACH | UnmountFlags::FORCE);
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn longs(longs: &[u64]) -> Vec<u8> {
    longs.iter().flat_map(|long| long.to_le_bytes()).collect()
}

/// `struct fuse_attr`
fn attributes(node: u64) -> Vec<u8> {
    let mode = if node == ROOT { 0o040_755 } else { 0o100_644 };
    [longs(&[node, SIZE, SIZE / 512, 0, 0, 0]), words(&[0, 0, 0, mode, 1, 0, 0, 0, 4096, 0])].concat()
}

/// A machine whose guest waits for the disk, which never answers. `None` for users who may not mount.
fn machine(folder: &Path, experiment: &str, engine: &str, options: &[&str]) -> Option<(Frozen, Child)> {
    machine_on(folder, true, experiment, engine, options)
}

fn machine_on(
    folder: &Path,
    killable: bool,
    experiment: &str,
    engine: &str,
    options: &[&str],
) -> Option<(Frozen, Child)> {
    let Some(frozen) = Frozen::mount(&folder.join("mount"), killable) else {
        eprintln!("not tested: mounting takes root");
        return None;
    };
    let mut command: Command = illico(folder);
    let disk = format!("path=mount/disk,engine={engine}");
    command.args(["boot", "--kernel", ":probe:", "--memory", "64M", "--cmdline", experiment, "--disk", &disk]);
    let child = command.args(options).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let asked = frozen.asked.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(asked, READ);
    Some((frozen, child))
}

fn signal(child: &Child) {
    kill_process(Pid::from_child(child), Signal::TERM).unwrap();
}

/// Its status, what its guest said and what it said itself, if it ends within a time that only a machine that hangs takes.
fn ended(mut child: Child) -> (Option<i32>, String, String) {
    let until = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > until {
            child.kill().unwrap();
            panic!("the machine does not end");
        }
        thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_second_sigterm_ends_a_machine_whose_disk_never_answers() {
    for engine in ["sync", "io_uring"] {
        let folder = tempfile::tempdir().unwrap();
        let Some((frozen, child)) = machine(folder.path(), "probe=blk", engine, &[]) else { return };
        signal(&child);
        thread::sleep(Duration::from_millis(100));
        signal(&child);
        let (status, _, said) = ended(child);
        assert_eq!(status, Some(143), "{engine}: {said}");
        assert!(said.contains("illico: stopped\n"), "{engine}: {said}");
        drop(frozen);
    }
}

#[test]
fn a_reset_that_never_ends_keeps_no_machine() {
    for engine in ["sync", "io_uring"] {
        let folder = tempfile::tempdir().unwrap();
        let Some((_frozen, child)) = machine(folder.path(), "probe=blk-reset", engine, &[]) else { return };
        // The vCPU is in the device's reset by now, or about to be.
        thread::sleep(Duration::from_millis(200));
        signal(&child);
        thread::sleep(Duration::from_millis(100));
        signal(&child);
        let (status, guest, said) = ended(child);
        assert_eq!(status, Some(143), "{engine}: {said}");
        assert!(said.contains("vCPU 0") && said.contains("did not stop"), "{engine}: {said}");
        // Said after the read was under way: a disk that is busy, for ever in this case, does not hold up the console.
        assert!(guest.ends_with("blk-reset begins\n"), "{engine}: {guest}");
    }
}

#[test]
fn a_sigterm_that_the_guest_does_not_answer_ends_it_after_the_stop_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let Some((_frozen, child)) = machine(folder.path(), "probe=blk", "sync", &["--stop-timeout", "1"]) else { return };
    signal(&child);
    let (status, _, said) = ended(child);
    assert_eq!(status, Some(143), "{said}");
    assert!(said.contains("did not power off within 1 s of the signal"), "{said}");
}

#[test]
fn a_thread_that_the_kernel_cannot_kill_keeps_the_process_but_not_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let Some((frozen, mut child)) = machine_on(folder.path(), false, "probe=blk", "sync", &[]) else { return };
    signal(&child);
    thread::sleep(Duration::from_millis(100));
    signal(&child);
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(said.next().as_deref(), Some("illico: stopped"));
    assert!(said.next().is_some_and(|line| line.contains("did not stop")));
    assert_eq!(child.try_wait().unwrap(), None, "a zombie with one thread in uninterruptible sleep");
    // The disk is given up, and the thread with it.
    drop(frozen);
    assert_eq!(ended(child).0, Some(143));
}
