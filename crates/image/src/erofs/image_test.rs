#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;

use super::super::testkit::{self, Found};
use super::*;
use crate::tree::{Attributes, Device, InodeId, Kind, Timestamp};

const LIMIT: u64 = 1 << 30;

fn attributes(mode: u16) -> Attributes {
    Attributes { mode, ..Attributes::default() }
}

/// A tree and its image, with shorthands.
struct Made {
    tree: Tree,
    image: Image,
    file: File,
}

impl Made {
    fn new() -> Self {
        let file = tempfile::tempfile().unwrap();
        Self { tree: Tree::new(), image: Image::create(file.try_clone().unwrap(), LIMIT), file }
    }

    fn file(&mut self, directory: InodeId, name: &str, content: &[u8]) -> InodeId {
        let data = self.image.allocate(content.len() as u64).unwrap();
        self.image.write(data, 0, content.len() as u64, &mut &content[..]).unwrap();
        self.put(directory, name, Kind::File(data))
    }

    fn put(&mut self, directory: InodeId, name: &str, kind: Kind) -> InodeId {
        self.tree.put(directory, name.as_bytes(), 0, attributes(0o644), kind).unwrap()
    }

    fn directory(&mut self, directory: InodeId, name: &str) -> InodeId {
        self.put(directory, name, Kind::empty_directory())
    }

    /// The whole image.
    fn bytes(self) -> Vec<u8> {
        let (_, len) = self.image.finish(&self.tree, [1; 16]).unwrap();
        let mut bytes = vec![0; len as usize];
        self.file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(self.file.metadata().unwrap().len(), len);
        bytes
    }

    fn found(self) -> BTreeMap<Vec<u8>, Found> {
        testkit::read(&self.bytes())
    }
}

#[test]
fn an_empty_tree_is_a_root() {
    let found = Made::new().found();
    assert_eq!(found.len(), 1);
    assert_eq!((found[&b""[..]].mode, found[&b""[..]].nlink), (0o040_755, 2));
}

#[test]
fn every_kind_of_inode_is_there_with_its_attributes() {
    let mut made = Made::new();
    let usr = made.directory(Tree::ROOT, "usr");
    let program = made.file(usr, "program", b"hello");
    made.put(usr, "link", Kind::Symlink(b"../etc/target".as_slice().into()));
    made.put(usr, "null", Kind::CharDevice(Device { major: 1, minor: 3 }));
    made.put(usr, "disk", Kind::BlockDevice(Device { major: 0x123, minor: 0x4_5678 }));
    made.put(usr, "pipe", Kind::Fifo);
    made.put(usr, "empty", Kind::File(Data::default()));
    made.tree.set_attributes(
        program,
        Attributes {
            mode: 0o6755,
            uid: 100_000,
            gid: u32::MAX - 1,
            mtime: Timestamp { seconds: -1, nanoseconds: 999_999_999 },
            xattrs: BTreeMap::from([
                (b"security.capability".to_vec(), vec![1, 0, 0, 2, 0xff]),
                (b"user.note".to_vec(), b"odd".to_vec()),
                (b"system.posix_acl_access".to_vec(), vec![2, 0, 0, 0]),
                (b"com.apple.quarantine".to_vec(), b"no such prefix in Linux".to_vec()),
            ]),
        },
    );
    made.tree.link(Tree::ROOT, b"again", 0, program).unwrap();
    let found = made.found();
    let program = &found[&b"usr/program"[..]];
    assert_eq!(program.content, b"hello");
    assert_eq!((program.mode, program.uid, program.gid, program.nlink), (0o106_755, 100_000, u32::MAX - 1, 2));
    assert_eq!(program.mtime, (-1, 999_999_999));
    assert_eq!(program.xattrs.len(), 3);
    assert_eq!(program.xattrs[&b"security.capability"[..]], [1, 0, 0, 2, 0xff]);
    assert_eq!(program, &found[&b"again"[..]]);
    assert_eq!(found[&b"usr/link"[..]].content, b"../etc/target");
    assert_eq!((found[&b"usr/null"[..]].mode, found[&b"usr/null"[..]].rdev), (0o020_644, 0x103));
    assert_eq!((found[&b"usr/disk"[..]].mode, found[&b"usr/disk"[..]].rdev), (0o060_644, 0x4561_2378));
    assert_eq!(found[&b"usr/pipe"[..]].mode, 0o010_644);
    assert_eq!(found[&b"usr/empty"[..]].content, b"");
    assert_eq!(found[&b""[..]].nlink, 3);
}

#[test]
fn data_begins_at_pages_and_large_data_at_huge_pages() {
    let mut made = Made::new();
    made.file(Tree::ROOT, "a", b"small");
    made.file(Tree::ROOT, "b", &vec![7; HUGE as usize]);
    made.file(Tree::ROOT, "c", b"small again");
    let bytes = made.bytes();
    assert_eq!(bytes.len() as u64 % HUGE, 0);
    let found = testkit::read(&bytes);
    let offsets = ["a", "b", "c"].map(|name| found[name.as_bytes()].offset);
    assert_eq!(offsets, [BLOCK, HUGE, 2 * BLOCK]);
}

#[test]
fn zeros_take_no_room_on_the_host() {
    let mut made = Made::new();
    let mut content = vec![0; 3 << 20];
    content[1 << 20] = 1;
    made.file(Tree::ROOT, "sparse", &content);
    let file = made.file.try_clone().unwrap();
    assert!(made.found()[&b"sparse"[..]].content == content);
    assert!(file.metadata().unwrap().blocks() * 512 < 64 << 10);
}

#[test]
fn blocks_that_come_back_are_zero_again() {
    let mut made = Made::new();
    made.file(Tree::ROOT, "old", &[0xff; 4096]);
    made.tree.remove(Tree::ROOT, b"old");
    for data in made.tree.take_freed() {
        made.image.free(data);
    }
    made.file(Tree::ROOT, "new", b"short");
    let bytes = made.bytes();
    let offset = testkit::read(&bytes)[&b"new"[..]].offset;
    assert_eq!(offset, BLOCK);
    assert!(bytes[BLOCK as usize + 5..2 * BLOCK as usize].iter().all(|&byte| byte == 0));
}

#[test]
fn a_directory_of_many_names_has_blocks_of_its_own() {
    let mut made = Made::new();
    let many = made.directory(Tree::ROOT, "many");
    for number in 0..2000 {
        made.put(many, &format!("{number:0100}"), Kind::Fifo);
    }
    for odd in
        ["!before the dots", "-", ".", "..", "...", ".hidden"].into_iter().filter(|name| !matches!(*name, "." | ".."))
    {
        made.put(many, odd, Kind::Fifo);
    }
    assert_eq!(made.found().len(), 2 + 2000 + 4);
}

#[test]
fn a_long_link_and_many_attributes_have_room() {
    let mut made = Made::new();
    let long = "x".repeat(4095);
    let link = made.put(Tree::ROOT, "link", Kind::Symlink(long.as_bytes().into()));
    let xattrs: BTreeMap<_, _> =
        (0..30).map(|number| (format!("user.{number}").into_bytes(), vec![number; 5000])).collect();
    made.tree.set_attributes(link, Attributes { mode: 0o777, xattrs: xattrs.clone(), ..Attributes::default() });
    let found = made.found();
    assert_eq!(found[&b"link"[..]].content, long.as_bytes());
    assert_eq!(found[&b"link"[..]].xattrs, xattrs);
}

#[test]
fn an_image_has_a_limit() {
    let mut image = Image::create(tempfile::tempfile().unwrap(), 10 * BLOCK);
    assert!(image.allocate(8 * BLOCK).is_ok());
    let error = image.allocate(2 * BLOCK).unwrap_err().to_string();
    assert_eq!(error, "unpacked, the image is larger than 40960 bytes (--max allows more)");
    assert!(matches!(image.allocate(u64::MAX), Err(WriteError::TooLarge { .. })));
}

#[test]
fn missing_data_is_no_file() {
    let mut image = Image::create(tempfile::tempfile().unwrap(), LIMIT);
    let data = image.allocate(10).unwrap();
    let error = image.write(data, 0, 10, &mut &b"short"[..]).unwrap_err();
    assert_eq!(error.to_string(), "5 bytes of its data are missing");
}

/// A step in the making of a random tree.
#[derive(Debug, Clone)]
enum Step {
    Directory(usize, String),
    File(usize, String, Vec<u8>),
    Symlink(usize, String, String),
    Device(usize, String, u32, u32),
    Link(usize, String, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = "[a-zA-Z!#~. -]{1,12}".prop_filter("dots", |name| !matches!(&**name, "." | ".."));
    let long = "[a-z]{200,255}";
    let name = prop_oneof![4 => name, 1 => long];
    let content = prop_oneof![
        3 => proptest::collection::vec(any::<u8>(), 0..50),
        2 => proptest::collection::vec(any::<u8>(), 4090..4100),
        1 => (0_usize..4 << 20).prop_map(|len| vec![0x5a; len]),
    ];
    let step = prop_oneof![
        2 => (any::<usize>(), name.clone()).prop_map(|(at, name)| Step::Directory(at, name)),
        3 => (any::<usize>(), name.clone(), content).prop_map(|(at, name, content)| Step::File(at, name, content)),
        1 => (any::<usize>(), name.clone(), "[a-z/]{1,80}").prop_map(|(at, name, to)| Step::Symlink(at, name, to)),
        1 => (any::<usize>(), name.clone(), 0_u32..4096, 0_u32..1 << 20).prop_map(|(at, name, a, b)| Step::Device(at, name, a, b)),
        1 => (any::<usize>(), name, any::<usize>()).prop_map(|(at, name, to)| Step::Link(at, name, to)),
    ];
    proptest::collection::vec(step, 0..60)
}

fn grown(steps: &[Step]) -> Made {
    let mut made = Made::new();
    let mut directories = vec![Tree::ROOT];
    let mut files = Vec::new();
    let at = |directories: &[InodeId], index: usize| directories[index % directories.len()];
    for step in steps {
        match step {
            Step::Directory(index, name) => {
                let parent = at(&directories, *index);
                if made.tree.entry(parent, name.as_bytes()).is_none() {
                    directories.push(made.directory(parent, name));
                }
            }
            Step::File(index, name, content) => {
                let parent = at(&directories, *index);
                if made.tree.entry(parent, name.as_bytes()).is_none() {
                    files.push(made.file(parent, name, content));
                }
            }
            Step::Symlink(index, name, to) => {
                let parent = at(&directories, *index);
                if made.tree.entry(parent, name.as_bytes()).is_none() {
                    made.put(parent, name, Kind::Symlink(to.as_bytes().into()));
                }
            }
            Step::Device(index, name, major, minor) => {
                let parent = at(&directories, *index);
                if made.tree.entry(parent, name.as_bytes()).is_none() {
                    made.put(parent, name, Kind::CharDevice(Device { major: *major, minor: *minor }));
                }
            }
            Step::Link(index, name, to) => {
                let parent = at(&directories, *index);
                if !files.is_empty() && made.tree.entry(parent, name.as_bytes()).is_none() {
                    made.tree.link(parent, name.as_bytes(), 0, at(&files, *to)).unwrap();
                }
            }
        }
    }
    made
}

/// fsck.erofs agrees with the image, and what it extracts is what was put in.
fn judged(bytes: &[u8]) {
    let root = rustix::process::geteuid().is_root();
    let folder = tempfile::tempdir().unwrap();
    let (image, out) = (folder.path().join("image"), folder.path().join("out"));
    std::fs::write(&image, bytes).unwrap();
    let mut fsck = Command::new("fsck.erofs");
    // Only root can make devices.
    if root {
        fsck.arg(format!("--extract={}", out.display())).arg("--overwrite").arg("--preserve");
    }
    let done = fsck.arg(&image).output().unwrap_or_else(|error| panic!("fsck.erofs of Debian's erofs-utils: {error}"));
    let said = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&said));
    if root {
        compare(&testkit::read(bytes), &out);
    }
}

fn compare(found: &BTreeMap<Vec<u8>, Found>, out: &Path) {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let mut count = 0;
    let mut todo = vec![out.to_owned()];
    while let Some(path) = todo.pop() {
        let name = path.strip_prefix(out).unwrap().as_os_str().as_bytes();
        let one = found.get(name).unwrap_or_else(|| panic!("{path:?} is not in the image"));
        let is = path.symlink_metadata().unwrap();
        let what = format!("{path:?}");
        assert_eq!(is.mode() as u16, one.mode, "{what}");
        assert_eq!((is.uid(), is.gid()), (one.uid, one.gid), "{what}");
        if is.is_dir() {
            todo.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if is.is_symlink() {
            assert_eq!(std::fs::read_link(&path).unwrap().as_os_str(), OsStr::from_bytes(&one.content), "{what}");
        } else if is.is_file() {
            assert_eq!(is.mtime(), one.mtime.0, "{what}");
            assert!(std::fs::read(&path).unwrap() == one.content, "{what}");
        } else {
            assert!(is.file_type().is_char_device(), "{what}");
            assert_eq!(is.rdev(), u64::from(one.rdev), "{what}");
        }
        count += 1;
    }
    assert_eq!(count, found.len(), "entries");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn erofs_utils_read_back_any_tree(steps in steps()) {
        let made = grown(&steps);
        let mut wanted: Vec<(Vec<u8>, u32)> = vec![(Vec::new(), 1)];
        let mut todo = vec![(Vec::new(), Tree::ROOT)];
        while let Some((path, directory)) = todo.pop() {
            for (name, entry) in made.tree.entries(directory) {
                let slash = if path.is_empty() { &b""[..] } else { b"/" };
                let path = [&path, slash, name].concat();
                wanted.push((path.clone(), made.tree.get(entry.inode).unwrap().names));
                todo.push((path, entry.inode));
            }
        }
        let bytes = made.bytes();
        let found = testkit::read(&bytes);
        prop_assert_eq!(found.len(), wanted.len());
        for (path, names) in wanted {
            prop_assert!(found[&path].mode & 0o170_000 == 0o040_000 || found[&path].nlink == names);
        }
        judged(&bytes);
        prop_assert!(grown(&steps).bytes() == bytes, "the same tree gives the same bytes");
    }
}
