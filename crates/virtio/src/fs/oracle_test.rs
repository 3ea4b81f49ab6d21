//! An oracle: the same random operations through the device on one folder, and through `std::fs` on another. What comes
//! of each, and both folders at the end, are the same.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use zerocopy::IntoBytes;

use super::FsSpec;
use super::fake_guest::{Guest, text};
use super::protocol::*;

/// A path of one to three of a few names, so that operations meet.
fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec(0..3_usize, 1..=3)
        .prop_map(|names| names.into_iter().map(|name| ["a", "b", "c"][name]).collect::<Vec<_>>().join("/"))
}

#[derive(Debug, Clone)]
enum Step {
    Create { path: String, exclusive: bool, mode: u32 },
    Write { path: String, offset: u64, data: Vec<u8> },
    Truncate { path: String, size: u64 },
    Read { path: String },
    Mkdir { path: String, mode: u32 },
    Unlink { path: String },
    Rmdir { path: String },
    Rename { from: String, to: String, flags: u32 },
    Link { from: String, to: String },
    Symlink { path: String },
    Chmod { path: String, mode: u32 },
    List { path: String },
}

fn step() -> impl Strategy<Value = Step> {
    let mode = prop_oneof![Just(0o755_u32), Just(0o644), Just(0o777), Just(0o1700)];
    let flags = prop_oneof![Just(0_u32), Just(1), Just(2), Just(3), Just(8)];
    prop_oneof![
        4 => (path(), any::<bool>(), mode.clone())
            .prop_map(|(path, exclusive, mode)| Step::Create { path, exclusive, mode }),
        3 => (path(), 0..20_000_u64, proptest::collection::vec(any::<u8>(), 1..300))
            .prop_map(|(path, offset, data)| Step::Write { path, offset, data }),
        1 => (path(), 0..20_000_u64).prop_map(|(path, size)| Step::Truncate { path, size }),
        2 => path().prop_map(|path| Step::Read { path }),
        4 => (path(), mode.clone()).prop_map(|(path, mode)| Step::Mkdir { path, mode }),
        2 => path().prop_map(|path| Step::Unlink { path }),
        1 => path().prop_map(|path| Step::Rmdir { path }),
        3 => (path(), path(), flags).prop_map(|(from, to, flags)| Step::Rename { from, to, flags }),
        2 => (path(), path()).prop_map(|(from, to)| Step::Link { from, to }),
        1 => path().prop_map(|path| Step::Symlink { path }),
        1 => (path(), mode).prop_map(|(path, mode)| Step::Chmod { path, mode }),
        2 => path().prop_map(|path| Step::List { path }),
    ]
}

/// What a step comes to: bytes or names, or the error's number.
type Outcome = Result<Vec<u8>, i32>;

fn names(mut names: Vec<String>) -> Vec<u8> {
    names.sort();
    names.join("/").into_bytes()
}

/// A step on the host.
fn on_host(root: &Path, step: &Step) -> Outcome {
    let at = |path: &String| root.join(path);
    let done = |result: io::Result<()>| result.map(|()| Vec::new());
    let outcome = match step {
        Step::Create { path, exclusive, mode } => {
            let mut options = File::options();
            options.read(true).write(true).mode(*mode).custom_flags(libc::O_NOFOLLOW);
            options.create(!exclusive).create_new(*exclusive);
            let new = fs::symlink_metadata(at(path)).is_err();
            let mode = fs::Permissions::from_mode(*mode);
            done(options.open(at(path)).and_then(|file| if new { file.set_permissions(mode) } else { Ok(()) }))
        }
        Step::Write { path, offset, data } => {
            let file = File::options().write(true).custom_flags(libc::O_NOFOLLOW).open(at(path));
            done(file.and_then(|file| file.write_all_at(data, *offset)))
        }
        Step::Truncate { path, size } => {
            let file = File::options().write(true).custom_flags(libc::O_NOFOLLOW).open(at(path));
            done(file.and_then(|file| file.set_len(*size)))
        }
        Step::Read { path } => fs::symlink_metadata(at(path)).and_then(|_| {
            let mut file = File::options().read(true).custom_flags(libc::O_NOFOLLOW).open(at(path))?;
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut file, &mut bytes)?;
            Ok(bytes)
        }),
        Step::Mkdir { path, mode } => done(
            fs::DirBuilder::new()
                .mode(*mode)
                .create(at(path))
                .and_then(|()| fs::set_permissions(at(path), fs::Permissions::from_mode(*mode))),
        ),
        Step::Unlink { path } => done(fs::remove_file(at(path))),
        Step::Rmdir { path } => done(fs::remove_dir(at(path))),
        Step::Rename { from, to, flags } => {
            done(renameat_with(CWD, at(from), CWD, at(to), RenameFlags::from_bits_retain(*flags)).map_err(Into::into))
        }
        Step::Link { from, to } => done(fs::hard_link(at(from), at(to))),
        Step::Symlink { path } => done(symlink("nowhere", at(path))),
        Step::Chmod { path, mode } => done(
            fs::symlink_metadata(at(path))
                .and_then(|_| fs::set_permissions(at(path), fs::Permissions::from_mode(*mode))),
        ),
        Step::List { path } => fs::read_dir(at(path))
            .map(|entries| names(entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())),
    };
    outcome.map_err(|error| error.raw_os_error().unwrap())
}

/// The node of the folder that a path is in, and the last name.
fn parent(guest: &mut Guest, path: &str) -> Result<(u64, String), Errno> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    Ok((guest.walk(folder)?, name.to_owned()))
}

/// A step as the guest's kernel would ask for it: it looks first, and asks for what can be.
fn in_guest(guest: &mut Guest, step: &Step) -> Result<Vec<u8>, Errno> {
    let open = |guest: &mut Guest, path: &str, flags| {
        let node = guest.walk(path)?;
        let fh = guest.open(node, flags)?;
        Ok((node, fh))
    };
    match step {
        Step::Create { path, exclusive, mode } => {
            let (folder, name) = parent(guest, path)?;
            let flags = libc::O_RDWR | if *exclusive { libc::O_EXCL } else { 0 };
            let (made, fh) = guest.create(folder, &name, flags, *mode)?;
            guest.release(opcode::RELEASE, made.nodeid, fh)?;
        }
        Step::Write { path, offset, data } => {
            let (node, fh) = open(guest, path, libc::O_WRONLY)?;
            assert_eq!(guest.write(node, fh, *offset, data)?, data.len() as u32);
            guest.release(opcode::RELEASE, node, fh)?;
        }
        Step::Truncate { path, size } => {
            let node = guest.walk(path)?;
            guest.set(node, fattr::SIZE, |asked| asked.size = *size)?;
        }
        Step::Read { path } => {
            let node = guest.walk(path)?;
            return guest.content(node);
        }
        Step::Mkdir { path, mode } => {
            let (folder, name) = parent(guest, path)?;
            let asked = MkdirIn { mode: *mode, umask: 0 };
            guest.ask::<EntryOut>(opcode::MKDIR, folder, &[asked.as_bytes(), &text(&name)])?;
        }
        Step::Unlink { path } => {
            let (folder, name) = parent(guest, path)?;
            guest.call(opcode::UNLINK, folder, &[&text(&name)], 0)?;
        }
        Step::Rmdir { path } => {
            let (folder, name) = parent(guest, path)?;
            guest.call(opcode::RMDIR, folder, &[&text(&name)], 0)?;
        }
        Step::Rename { from, to, flags } => {
            let ((from, name), (to, to_name)) = (parent(guest, from)?, parent(guest, to)?);
            let asked = Rename2In { newdir: to, flags: *flags, padding: 0 };
            guest.call(opcode::RENAME2, from, &[asked.as_bytes(), &text(&name), &text(&to_name)], 0)?;
        }
        Step::Link { from, to } => {
            let node = guest.walk(from)?;
            let (folder, name) = parent(guest, to)?;
            guest.ask::<EntryOut>(opcode::LINK, folder, &[&node.to_ne_bytes(), &text(&name)])?;
        }
        Step::Symlink { path } => {
            let (folder, name) = parent(guest, path)?;
            guest.ask::<EntryOut>(opcode::SYMLINK, folder, &[&text(&name), &text("nowhere")])?;
        }
        Step::Chmod { path, mode } => {
            let node = guest.walk(path)?;
            guest.set(node, fattr::MODE, |asked| asked.mode = *mode)?;
        }
        Step::List { path } => {
            let node = guest.walk(path)?;
            let listed = guest.list(node, opcode::READDIRPLUS, 700)?;
            let listed = listed.into_iter().map(|entry| entry.name).filter(|name| name != "." && name != "..");
            return Ok(names(listed.collect()));
        }
    }
    Ok(Vec::new())
}

/// Everything below a folder: mode, links and content of each.
fn tree(root: &Path) -> BTreeMap<PathBuf, (u32, u64, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
            let (path, meta) = (entry.path(), entry.metadata().unwrap());
            let content = match meta.file_type() {
                kind if kind.is_file() => fs::read(&path).unwrap(),
                kind if kind.is_symlink() => fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes(),
                _ => Vec::new(),
            };
            if meta.is_dir() {
                folders.push(path.clone());
            }
            all.insert(path.strip_prefix(root).unwrap().to_owned(), (meta.mode(), meta.nlink(), content));
        }
    }
    all
}

/// A way through a symbolic link ends in the guest before the device hears of it, on the host at the link's text.
fn goes_through_a_link(root: &Path, step: &Step) -> bool {
    let paths: &[&String] = match step {
        Step::Rename { from, to, .. } | Step::Link { from, to } => &[from, to],
        Step::Create { path, .. }
        | Step::Write { path, .. }
        | Step::Truncate { path, .. }
        | Step::Read { path }
        | Step::Mkdir { path, .. }
        | Step::Unlink { path }
        | Step::Rmdir { path }
        | Step::Symlink { path }
        | Step::Chmod { path, .. }
        | Step::List { path } => &[path],
    };
    let last_counts = !matches!(step, Step::Rename { .. } | Step::Link { .. } | Step::Unlink { .. });
    paths.iter().any(|path| {
        let path = Path::new(path);
        path.ancestors()
            .filter(|ancestor| last_counts || *ancestor != path)
            .any(|ancestor| root.join(ancestor).is_symlink())
    })
}

fn same(step: &Step, host: &Outcome, guest: &Outcome) -> bool {
    match (host, guest) {
        (Ok(host), Ok(guest)) => host == guest,
        // Of two paths the guest walks both before the flags are looked at.
        (Err(host), Err(guest)) => host == guest || matches!(step, Step::Rename { .. } | Step::Link { .. }),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_folder_through_the_device_is_a_folder(
        steps in proptest::collection::vec(step(), 1..60),
        descriptors in prop_oneof![Just(8_usize), Just(1000)],
    ) {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        // With few, places are given up all the time.
        let mut guest = Guest::with_descriptors(&FsSpec::new(one.path(), "share"), descriptors);
        for step in &steps {
            if goes_through_a_link(other.path(), step) {
                continue;
            }
            let host = on_host(other.path(), step);
            let through = in_guest(&mut guest, step).map_err(Errno::raw_os_error);
            prop_assert!(same(step, &host, &through), "{step:?}: host {host:?}, guest {through:?}");
        }
        prop_assert_eq!(tree(one.path()), tree(other.path()));
    }
}
