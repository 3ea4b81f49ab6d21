//! The stores of images and kernels under several programs at once, some of them killed: what succeeded is there.
//!
//! Each thread owns some names and starts real programs, which it kills now and then; others prune all the while.
//! `ILLICO_STRESS_SECONDS` says how long each test runs (10 without it, 120 in `make test`).
//! The registry is a folder of files behind Python's HTTP server, which is all that pulling takes. Machines are not started,
//! but each image is resolved and its file looked at, as a start does, while others prune.

#![allow(clippy::disallowed_methods, reason = "tests start threads as they like")]

mod illico;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use illico::illico;
use illico_image::tar::testkit::Archive;
use illico_image::{Digest, ImageSource, Store, unwatched};

fn duration() -> Duration {
    let seconds = std::env::var("ILLICO_STRESS_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(10))
}

/// Pseudo-random numbers (xorshift64), the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What was done, for the line at the end.
#[derive(Debug, Default)]
struct Counts {
    made: AtomicU64,
    killed: AtomicU64,
    removed: AtomicU64,
    pruned: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn finished(folder: &Path, words: &[&str]) -> Output {
    illico(folder).env("XDG_DATA_HOME", folder).args(words).output().unwrap()
}

fn succeeded(folder: &Path, words: &[&str]) -> String {
    let output = finished(folder, words);
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Kills the program after some milliseconds. Whether it had ended well before that.
fn killed_after(folder: &Path, words: &[&str], milliseconds: u64) -> bool {
    let mut command = illico(folder);
    command.env("XDG_DATA_HOME", folder).args(words).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(milliseconds));
    child.kill().unwrap();
    child.wait().unwrap().success()
}

fn prune_until(folder: &Path, end: Instant, counts: &Counts) {
    while Instant::now() < end {
        succeeded(folder, &["prune", "--quiet"]);
        count(&counts.pruned);
    }
}

/// A registry on this host, until this is dropped.
struct Registry {
    server: Child,
    port: u16,
}

impl Registry {
    /// Serves a folder, in which `put` puts images.
    fn serve(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let mut python = Command::new("python3");
        python.args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"]).current_dir(folder);
        let mut server = python.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("python3");
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        // "Serving HTTP on 127.0.0.1 port 40000 (http://127.0.0.1:40000/) ..."
        let port = line.split(' ').nth(5).and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{line:?}"));
        Self { server, port }
    }

    /// Puts an image of one layer into the folder.
    fn put(folder: &Path, repository: &str, layer: &[u8]) {
        let place = folder.join("v2").join(repository);
        fs::create_dir_all(place.join("blobs")).unwrap();
        fs::create_dir_all(place.join("manifests")).unwrap();
        let blob = |bytes: &[u8]| {
            let digest = Digest::of(bytes);
            fs::write(place.join(format!("blobs/{digest}")), bytes).unwrap();
            format!(r#""digest":"{digest}","size":{}"#, bytes.len())
        };
        let diff = Digest::of(layer);
        let config =
            format!(r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{diff}"]}}}}"#);
        let (config, layer) = (blob(config.as_bytes()), blob(layer));
        let manifest = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.image.config.v1+json",{config}}},
            "layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar",{layer}}}]}}"#
        );
        fs::write(place.join("manifests/latest"), manifest).unwrap();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// One name that is imported from two files in turn.
fn own_an_import(folder: &Path, number: u64, end: Instant, counts: &Counts) {
    let own = format!("own{number}.tar");
    fs::write(folder.join(&own), Archive::new().file("file", &vec![number as u8 + 1; 300_000]).end()).unwrap();
    let name = format!("web{number}");
    let makers = [["import", "--quiet", &own, &name], ["import", "--quiet", "common.tar", &name]];
    own_an_image(folder, &name, number, &makers.map(|words| words.to_vec()), end, counts);
}

/// One name that is pulled.
fn own_a_pull(folder: &Path, port: u16, number: u64, end: Instant, counts: &Counts) {
    let name = format!("127.0.0.1:{port}/room/web{number}");
    own_an_image(folder, &name, number, &[vec!["pull", "--quiet", &name]], end, counts);
}

/// One name that moves between images, is removed, and whose maker is killed now and then.
fn own_an_image(folder: &Path, name: &str, number: u64, makers: &[Vec<&str>], end: Instant, counts: &Counts) {
    let mut numbers = Numbers(0x9e37_79b9 + number);
    let store = Store::open(&folder.join("illico/images")).unwrap();
    let mut is_named = false;
    while Instant::now() < end {
        let make = &makers[numbers.below(makers.len() as u64) as usize];
        match numbers.below(4) {
            0 | 1 => {
                succeeded(folder, make);
                count(&counts.made);
                is_named = true;
            }
            2 => {
                is_named |= killed_after(folder, make, numbers.below(40));
                count(&counts.killed);
                // Killed in time or not: from here on either is right.
                is_named |= store.find(&name.parse().unwrap()).unwrap().is_some();
            }
            _ if is_named => {
                succeeded(folder, &["rmi", name]);
                count(&counts.removed);
                is_named = false;
            }
            _ => {}
        }
        let reference: illico_image::Reference = name.parse().unwrap();
        let found = store.find(&reference).unwrap();
        assert_eq!(found.is_some(), is_named, "{name}");
        if is_named {
            let image = store.resolve(&ImageSource::Registry(reference), &mut unwatched);
            let image = image.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(fs::metadata(&image.root.path).unwrap().len() > 0, "{name}");
        }
    }
}

#[test]
fn an_image_that_was_made_is_there_whatever_runs_beside() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("common.tar"), Archive::new().file("file", &[9; 300_000]).end()).unwrap();
    let served = folder.join("registry");
    let registry = Registry::serve(&served);
    for number in 4..6 {
        let layer = Archive::new().file("file", &vec![number as u8 + 1; 300_000]).end();
        Registry::put(&served, &format!("room/web{number}"), &layer);
    }
    let (end, counts) = (Instant::now() + duration(), Counts::default());
    std::thread::scope(|scope| {
        let (counts, port) = (&counts, registry.port);
        for number in 0..4 {
            scope.spawn(move || own_an_import(folder, number, end, counts));
        }
        for number in 4..6 {
            scope.spawn(move || own_a_pull(folder, port, number, end, counts));
        }
        scope.spawn(move || prune_until(folder, end, counts));
    });
    println!("images: {counts:?}");
    let store = Store::open(&folder.join("illico/images")).unwrap();
    let damage = store.damage();
    assert!(damage.is_empty(), "{damage:?}");
    for image in store.list().unwrap() {
        store.remove(&image.id.hex()).unwrap();
    }
    succeeded(folder, &["prune", "--quiet"]);
    let left: Vec<_> =
        fs::read_dir(folder.join("illico/images")).unwrap().flatten().map(|one| one.file_name()).collect();
    assert!(left.iter().all(|name| name == "lock" || name == "names.json"), "{left:?}");
}

/// The least that passes for a bzImage of 6.12, and four MiB more.
fn bzimage() -> Vec<u8> {
    let mut bytes = vec![0; 0x300];
    bytes[0x202..0x206].copy_from_slice(b"HdrS");
    bytes[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
    bytes.extend(b"6.12.1 (someone@somewhere) #1 SMP\0");
    bytes.resize(4 << 20, 7);
    bytes
}

/// One kernel that is added and removed, by programs that are killed now and then.
fn own_a_kernel(folder: &Path, number: u64, end: Instant, counts: &Counts) {
    let mut numbers = Numbers(0x517c_c1b7 + number);
    let name = format!("lab{number}");
    let is_there = || succeeded(folder, &["kernel", "ls", "--quiet"]).lines().any(|line| line == name);
    let mut is_added = false;
    while Instant::now() < end {
        let add = ["kernel", "add", &name, "vmlinuz"];
        let rm = ["kernel", "rm", &name];
        match numbers.below(4) {
            0 if !is_added => {
                succeeded(folder, &add);
                count(&counts.made);
                is_added = true;
            }
            1 if is_added => {
                succeeded(folder, &rm);
                count(&counts.removed);
                is_added = false;
            }
            _ => {
                let words = if is_added { &rm[..] } else { &add };
                let succeeded = killed_after(folder, words, numbers.below(30));
                count(&counts.killed);
                let now = is_there();
                assert!(!succeeded || now != is_added, "{words:?}");
                is_added = now;
            }
        }
        assert_eq!(is_there(), is_added, "{name}");
    }
}

#[test]
fn a_kernel_that_was_added_is_there_whatever_runs_beside() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("vmlinuz"), bzimage()).unwrap();
    let (end, counts) = (Instant::now() + duration(), Counts::default());
    std::thread::scope(|scope| {
        for number in 0..4 {
            let counts = &counts;
            scope.spawn(move || own_a_kernel(folder, number, end, counts));
        }
        scope.spawn(|| prune_until(folder, end, &counts));
    });
    println!("kernels: {counts:?}");
    succeeded(folder, &["prune", "--quiet"]);
    let kernels = folder.join("illico/kernels");
    let left: Vec<_> = fs::read_dir(kernels).unwrap().flatten().map(|one| one.file_name()).collect();
    assert!(left.iter().all(|name| name == ".lock" || !name.as_encoded_bytes().starts_with(b".")), "{left:?}");
}
