//! A hostile driver of a shared folder: FUSE requests that are nearly right. Each is answered within its room, what lies
//! beside the folder stays as it is, and so does all of it when it is readonly.

#![no_main]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use arbitrary::Arbitrary;
use illico_fuzz::Broken;
use illico_virtio::event_loop::Polling;
use illico_virtio::fs::{Fs, FsSpec};
use illico_virtio::testkit::{Bench, Part};
use libfuzzer_sys::fuzz_target;
use rustix::process::{Resource, Rlimit, setrlimit};

#[derive(Arbitrary, Debug)]
struct Plan {
    readonly: bool,
    xattr: bool,
    /// Descriptors that the share may have, beside the few without which none opens.
    descriptors: Option<u8>,
    requests: Vec<Asked>,
}

#[derive(Arbitrary, Debug)]
struct Asked {
    opcode: u8,
    node: Number,
    body: Vec<Piece>,
    room: Room,
    broken: Option<Broken>,
    hiprio: bool,
}

/// Nodes and handles are small numbers, given in turn.
#[derive(Arbitrary, Debug)]
enum Number {
    Given(u8),
    Any(u64),
}

#[derive(Arbitrary, Debug)]
enum Piece {
    Number(Number),
    Small(u16),
    Name(u8),
    Bytes(Vec<u8>),
    Zeros(u8),
}

#[derive(Arbitrary, Debug)]
enum Room {
    Page,
    Bytes(u16),
}

const NAMES: [&[u8]; 12] = [
    b"file\0",
    b"folder\0",
    b"inner\0",
    b"link\0",
    b"up\0",
    b"fifo\0",
    b"new\0",
    b"..\0",
    b".\0",
    b"a/b\0",
    b"../secret\0",
    b"user.x\0",
];

impl Number {
    fn value(&self) -> u64 {
        match self {
            Self::Given(number) => u64::from(number % 16),
            Self::Any(number) => *number,
        }
    }
}

impl Asked {
    fn bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for piece in self.body.iter().take(12) {
            match piece {
                Piece::Number(number) => body.extend(number.value().to_le_bytes()),
                Piece::Small(number) => body.extend(u32::from(*number).to_le_bytes()),
                Piece::Name(name) => body.extend(NAMES[usize::from(*name) % NAMES.len()]),
                Piece::Bytes(bytes) => body.extend(bytes.iter().take(512)),
                Piece::Zeros(count) => body.extend(vec![0; usize::from(*count % 96)]),
            }
        }
        let mut bytes = (40 + body.len() as u32).to_le_bytes().to_vec();
        bytes.extend(u32::from(self.opcode % 54).to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(self.node.value().to_le_bytes());
        bytes.extend([0; 16]);
        bytes.extend(body);
        if let Some(broken) = &self.broken {
            broken.apply(&mut bytes);
        }
        bytes.push(0);
        bytes
    }
}

/// A folder `share` and a secret beside it, as new.
fn lay_out(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    let share = folder.join("share");
    fs::create_dir_all(share.join("folder")).unwrap();
    fs::write(folder.join("secret"), "secret").unwrap();
    fs::write(share.join("file"), "content").unwrap();
    fs::write(share.join("folder/inner"), "inner").unwrap();
    symlink("../secret", share.join("link")).unwrap();
    symlink("..", share.join("up")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, share.join("fifo"), 0o666.into()).unwrap();
}

/// Names, and contents of files, below a folder.
fn contents(folder: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            }
            all.push((entry.path(), kind.is_file().then(|| fs::read(entry.path()).unwrap())));
        }
    }
    all.sort();
    all
}

thread_local! {
    static FOLDER: PathBuf = {
        // What a guest may make of a file costs room on this host.
        setrlimit(Resource::Fsize, Rlimit { current: Some(1 << 20), maximum: None }).unwrap();
        std::env::temp_dir().join(format!("illico-fuzz-fs-{}", std::process::id()))
    };
}

fn serve(plan: &Plan, folder: &Path) {
    lay_out(folder);
    let before = contents(folder);
    let spec = FsSpec { readonly: plan.readonly, xattr: plan.xattr, ..FsSpec::new(folder.join("share"), "share") };
    let descriptors = plan.descriptors.map_or(1024, |few| 2 + usize::from(few % 8));
    let mut bench = Bench::start(&mut Fs::with_descriptors(&spec, "fs0".into(), descriptors).unwrap(), 0);
    for asked in plan.requests.iter().take(24) {
        let queue = usize::from(!asked.hiprio);
        let room = match asked.room {
            Room::Page => 4096,
            Room::Bytes(count) => usize::from(count % 8192),
        };
        let bytes = asked.bytes();
        let parts = [Part::Readable(&bytes), Part::Writable(room)];
        bench.drivers[queue].add(if room == 0 { &parts[..1] } else { &parts }).unwrap();
        let mut turn = bench.workers[0].ready(queue);
        while matches!(turn, Ok(Polling::Again)) {
            turn = bench.workers[0].poll();
        }
        turn.expect("what is asked is no reason to give up");
        let used = bench.drivers[queue].take_used().expect("each request comes back");
        assert!(used.written as usize <= room);
    }
    drop(bench);
    // What a guest took rights from is given them back before it is looked at.
    for folder in [folder.join("share"), folder.join("share/folder")] {
        let _ = rustix::fs::chmod(folder, 0o755.into());
    }
    let after = contents(folder);
    let outside = |all: &[(PathBuf, Option<Vec<u8>>)]| -> Vec<_> {
        all.iter().filter(|(path, _)| !path.starts_with(folder.join("share/"))).cloned().collect()
    };
    assert_eq!(outside(&before), outside(&after), "something beside the folder was changed");
    assert!(!plan.readonly || before == after, "a readonly folder was changed");
}

fuzz_target!(|plan: Plan| FOLDER.with(|folder| serve(&plan, folder)));
