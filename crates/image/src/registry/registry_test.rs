#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::progress::unwatched;
use crate::store::Store;
use crate::tar::testkit::Archive;
use crate::testkit::{Parts, plain};
use crate::{Digest, Error, Image, Reference};

/// How a registry behaves.
#[derive(Clone, Default)]
struct Manners {
    /// Asks for a token first.
    token: bool,
    /// Blanks behind the token.
    blanks: usize,
    /// Blobs break off after so many bytes of each connection.
    break_after: Option<usize>,
    /// Knows where to go on.
    ranges: bool,
    /// Blobs are answered by another path.
    redirect: bool,
    /// Answers a request or two with this status before it works.
    first_fail: Option<u16>,
}

/// A registry with one image, and what it was asked.
struct Registry {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    fn with(parts: &Parts, manners: Manners, change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut files = BTreeMap::new();
        let mut manifest = Vec::new();
        for (name, bytes) in parts.layout("latest") {
            if let Some(hex) = name.strip_prefix("blobs/sha256/") {
                files.insert(format!("/v2/room/image/blobs/sha256:{hex}"), bytes.clone());
                files.insert(format!("/v2/room/image/manifests/sha256:{hex}"), bytes.clone());
                // The manifest is the last blob of a layout.
                manifest = bytes;
            }
        }
        files.insert("/v2/room/image/manifests/latest".to_owned(), manifest);
        change(&mut files);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let files = Arc::new(files);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (files, log, manners) = (Arc::clone(&files), Arc::clone(&log), manners.clone());
                thread::spawn(move || serve(&stream.unwrap(), port, &files, &log, &manners));
            }
        });
        Self { port, asked }
    }

    fn name(&self) -> Reference {
        format!("127.0.0.1:{}/room/image", self.port).parse().unwrap()
    }

    fn asked(&self, part: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|line| line.contains(part)).count()
    }
}

fn serve(
    stream: &TcpStream,
    port: u16,
    files: &BTreeMap<String, Vec<u8>>,
    log: &Mutex<Vec<String>>,
    manners: &Manners,
) {
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(first)) = lines.next() {
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let head: Vec<String> = lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let header = |name: &str| {
            head.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix(name).map(|rest| rest.trim().to_owned()))
        };
        let count = {
            let mut log = log.lock().unwrap();
            log.push(format!("{path} {}", header("range:").unwrap_or_default()));
            log.len()
        };
        let mut out = stream;
        let mut answer = |status: u16, headers: &str, body: &[u8], len: usize| {
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {len}\r\n{headers}\r\n");
            out.write_all(&[head.as_bytes(), body].concat()).is_ok()
        };
        if let Some(status) = manners.first_fail.filter(|_| count <= 2) {
            answer(status, "", b"", 0);
            continue;
        }
        if path.starts_with("/token?") {
            let right = path.contains("scope=repository%3Aroom%2Fimage%3Apull")
                || path.contains("scope=repository:room/image:pull");
            let body = format!("{{\"token\":\"secret\"}}{}", " ".repeat(manners.blanks));
            answer(if right { 200 } else { 400 }, "", body.as_bytes(), body.len());
            continue;
        }
        let redirected = path.strip_prefix("/elsewhere");
        let authorized = header("authorization:").is_some_and(|value| value == "bearer secret");
        if redirected.is_some() && authorized {
            answer(400, "", b"", 0);
            continue;
        }
        if manners.token && redirected.is_none() && !authorized {
            let asks = format!("www-authenticate: Bearer realm=\"http://127.0.0.1:{port}/token\",service=\"here\"\r\n");
            answer(401, &asks, b"", 0);
            continue;
        }
        let Some(bytes) = files.get(redirected.unwrap_or(&path)) else {
            answer(404, "", b"", 0);
            continue;
        };
        let blob = path.contains("/blobs/");
        if blob && manners.redirect && redirected.is_none() {
            // To another host: logins stay behind.
            answer(307, &format!("location: http://localhost:{port}/elsewhere{path}\r\n"), b"", 0);
            continue;
        }
        let from = header("range:").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let from: usize = from.filter(|_| manners.ranges).unwrap_or_default();
        let rest = &bytes[from..];
        let sent = manners.break_after.filter(|_| blob).map_or(rest.len(), |most| most.min(rest.len()));
        let status = if from > 0 { 206 } else { 200 };
        if !answer(status, "", &rest[..sent], rest.len()) || sent < rest.len() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}

fn parts() -> Parts {
    let noise: Vec<u8> = (0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    Parts::new(&[Archive::new().file("a", b"lower").file("b", &noise).end(), Archive::new().file("a", b"upper").end()])
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("images")).unwrap();
    (folder, store)
}

fn pull(registry: &Registry) -> Result<Image, Error> {
    let (_folder, store) = store();
    let image = store.pull(&registry.name(), &mut unwatched)?;
    let found = crate::erofs::testkit::read(&std::fs::read(&image.root.path).unwrap());
    assert_eq!(found[&b"a"[..]].content, b"upper");
    Ok(image)
}

/// The message, after which nothing is in the store.
fn refused(registry: &Registry) -> String {
    let (_folder, store) = store();
    let error = store.pull(&registry.name(), &mut unwatched).unwrap_err();
    assert_eq!(std::fs::read_dir(store.folder()).unwrap().count(), 0, "nothing is left");
    let mut text = String::new();
    let mut reason: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = reason {
        text = format!("{text}: {error}");
        reason = error.source();
    }
    text
}

fn plainly(parts: &Parts, manners: Manners) -> Registry {
    Registry::with(parts, manners, |_| {})
}

#[test]
fn an_image_comes_as_it_was_put_there() {
    let parts = parts();
    assert_eq!(pull(&plainly(&parts, Manners::default())).unwrap().id, Some(parts.id()));
}

#[test]
fn a_token_is_fetched_once_and_stays_behind_at_a_redirect() {
    let registry = plainly(&parts(), Manners { token: true, redirect: true, ..Manners::default() });
    pull(&registry).unwrap();
    assert_eq!(registry.asked("/token?"), 1);
    assert_eq!(registry.asked("/elsewhere"), 3);
}

#[test]
fn a_token_of_more_than_a_document_is_refused_and_not_cut() {
    let registry = plainly(&parts(), Manners { token: true, blanks: 5 << 20, ..Manners::default() });
    assert!(refused(&registry).ends_with("it has more than 4194304 bytes"), "{}", refused(&registry));
    pull(&plainly(&parts(), Manners { token: true, blanks: 3 << 20, ..Manners::default() })).unwrap();
}

#[test]
fn a_connection_that_breaks_off_is_followed_by_another() {
    let mut parts = parts();
    parts.layers.iter_mut().for_each(|(_, pack)| *pack = plain);
    for ranges in [true, false] {
        let registry = plainly(&parts, Manners { break_after: Some(100_000), ranges, ..Manners::default() });
        match (ranges, pull(&registry)) {
            (true, image) => assert_eq!(image.unwrap().id, Some(parts.id())),
            // From the start each time, it never gets further.
            (false, image) => assert!(image.is_err()),
        }
        assert!(registry.asked("bytes=100000-") > 0);
    }
}

#[test]
fn what_fails_for_a_moment_is_asked_again() {
    assert!(pull(&plainly(&parts(), Manners { first_fail: Some(503), ..Manners::default() })).is_ok());
}

#[test]
fn what_is_not_there_is_told_so() {
    let registry = Registry::with(&parts(), Manners::default(), BTreeMap::clear);
    assert!(refused(&registry).ends_with(&format!("the registry '127.0.0.1:{}' has no such image", registry.port)));
    assert_eq!(registry.asked(""), 1, "a 404 is an answer");
    let registry = plainly(&parts(), Manners { first_fail: Some(403), ..Manners::default() });
    assert!(refused(&registry).contains("docker login"));
}

#[test]
fn a_registry_that_is_down_is_told_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let registry = Registry { port: listener.local_addr().unwrap().port(), asked: Arc::default() };
    drop(listener);
    let told = refused(&registry);
    assert!(told.contains(&format!("cannot reach the registry '127.0.0.1:{}'", registry.port)), "{told}");
    assert!(told.contains("Connection refused"), "{told}");
}

#[test]
fn content_with_another_digest_is_refused() {
    let mut parts = parts();
    parts.layers.iter_mut().for_each(|(_, pack)| *pack = plain);
    let layer = Digest::of(&parts.layers[0].0);
    let damage = |name: String| move |files: &mut BTreeMap<String, Vec<u8>>| files.get_mut(&name).unwrap()[700] ^= 1;
    let registry = Registry::with(&parts, Manners::default(), damage(format!("/v2/room/image/blobs/{layer}")));
    let told = refused(&registry);
    assert!(told.contains("layer 1 of 2") && told.contains("its digest is sha256:"), "{told}");
    let damage = |files: &mut BTreeMap<String, Vec<u8>>| {
        let latest = "/v2/room/image/manifests/latest";
        let digest = Digest::of(&files[latest]);
        files.insert(format!("/v2/room/image/manifests/{digest}"), b"{}".to_vec());
    };
    let registry = Registry::with(&parts, Manners::default(), damage);
    let manifest = parts.layout("latest").into_iter().rev().nth(2).unwrap().1;
    let name = format!("{}@{}", registry.name().to_string().trim_end_matches(":latest"), Digest::of(&manifest));
    let (_folder, store) = store();
    let error = store.pull(&name.parse().unwrap(), &mut unwatched).unwrap_err();
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert!(reason.contains("is not what it was asked for"), "{reason}");
}

#[test]
fn two_that_want_the_same_image_fetch_it_once() {
    let registry = plainly(&parts(), Manners::default());
    let (_folder, store) = store();
    let both = [store.clone(), store].map(|store| {
        let name = registry.name();
        thread::spawn(move || store.pull(&name, &mut unwatched).unwrap().id)
    });
    let ids = both.map(|one| one.join().unwrap());
    assert_eq!(ids, [Some(parts().id()); 2]);
    // Two manifests and configurations, and each of the two layers once.
    assert_eq!(registry.asked("/blobs/"), 2 + 2);
}
