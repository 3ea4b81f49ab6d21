use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::progress::unwatched;
use crate::source::ImageSource;
use crate::tar::testkit::Archive;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("images")).unwrap();
    (folder, store)
}

/// An image with one file.
fn imported(store: &Store, content: &str) -> Digest {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), Archive::new().file("file", content.as_bytes()).end()).unwrap();
    let source = ImageSource::Tar { path: file.path().to_owned(), name: None };
    store.import(&source, &mut unwatched).unwrap().id.unwrap()
}

fn files(store: &Store) -> Vec<String> {
    let mut files = store.files().unwrap();
    files.retain(|name| name != "lock" && name != "names.json");
    files.sort();
    files
}

fn reference(text: &str) -> crate::Reference {
    text.parse().unwrap()
}

#[test]
fn an_image_is_a_file_system_and_a_record() {
    let (_folder, store) = store();
    let id = imported(&store, "a");
    assert_eq!(files(&store), [format!("{}.erofs", id.hex()), format!("{}.json", id.hex())]);
    let image = store.image(id).unwrap().unwrap();
    assert_eq!(image.root.path.metadata().unwrap().permissions().mode() & 0o777, 0o444);
    assert_eq!(image.root.path.metadata().unwrap().len() % (2 << 20), 0);
}

#[test]
fn names_lead_to_images_and_the_last_one_takes_its_image_along() {
    let (_folder, store) = store();
    let id = imported(&store, "a");
    store.tag(&reference("one"), id).unwrap();
    store.tag(&reference("quay.io/two:3"), id).unwrap();
    assert_eq!(store.find(&reference("one:latest")).unwrap(), Some(id));
    assert_eq!(store.list().unwrap()[0].names, ["one:latest", "quay.io/two:3"]);
    assert_eq!(store.remove("one").unwrap(), ["one"]);
    assert!(store.image(id).unwrap().is_some());
    assert_eq!(store.remove("quay.io/two:3").unwrap(), ["quay.io/two:3".to_owned(), id.to_string()]);
    assert!(files(&store).is_empty());
}

#[test]
fn the_beginning_of_a_digest_is_enough_and_takes_all_names() {
    let (_folder, store) = store();
    let id = imported(&store, "a");
    store.tag(&reference("one"), id).unwrap();
    assert_eq!(store.remove(&id.hex()[..12]).unwrap(), ["one:latest".to_owned(), id.to_string()]);
    assert_eq!(store.remove(&id.hex()[..12]).unwrap_err().to_string().split_once(' ').unwrap().0, "there");
    assert!(matches!(store.remove("").unwrap_err(), Error::Unknown(_)));
}

#[test]
fn a_name_that_moves_on_leaves_an_image_for_prune() {
    let (_folder, store) = store();
    let (a, b) = (imported(&store, "a"), imported(&store, "b"));
    store.tag(&reference("x"), a).unwrap();
    store.tag(&reference("x"), b).unwrap();
    assert_eq!(store.list().unwrap().len(), 2);
    let (count, bytes) = store.prune().unwrap();
    assert_eq!((count, bytes > 0), (1, true));
    assert_eq!(store.list().unwrap()[0].id, b);
    assert_eq!(files(&store).len(), 2);
}

#[test]
fn what_a_dead_process_left_is_no_image_and_goes() {
    let (_folder, store) = store();
    let id = Digest::of(b"half");
    fs::write(store.folder.join(format!("{}.part", id.hex())), b"half").unwrap();
    fs::write(store.folder.join("import-99-0.part"), b"half").unwrap();
    fs::write(store.root_path(id, RootKind::Erofs), b"without a record").unwrap();
    assert_eq!((store.image(id).unwrap(), store.list().unwrap()), (None, vec![]));
    let part = store.begin(Digest::of(b"alive"), &mut unwatched).unwrap();
    store.prune().unwrap();
    assert_eq!(files(&store), [format!("{}.part", Digest::of(b"alive").hex())]);
    drop(part);
    assert!(files(&store).is_empty());
}

#[test]
fn a_record_without_its_file_system_is_no_image() {
    let (_folder, store) = store();
    let id = imported(&store, "a");
    fs::remove_file(store.root_path(id, RootKind::Erofs)).unwrap();
    assert_eq!(store.image(id).unwrap(), None);
    assert_eq!(imported(&store, "a"), id);
    assert!(store.image(id).unwrap().is_some());
}

#[test]
fn a_damaged_record_is_skipped_reported_and_repaired() {
    let (_folder, store) = store();
    let id = imported(&store, "a");
    fs::write(store.record_path(id), "{").unwrap();
    assert!(store.damage()[0].to_string().ends_with("is damaged: remove it"));
    assert!(store.list().unwrap().is_empty());
    assert_eq!(imported(&store, "a"), id, "made anew");
    assert_eq!((store.list().unwrap().len(), store.damage().len()), (1, 0));
    fs::write(store.record_path(id), "{").unwrap();
    store.remove(&id.hex()).unwrap();
    assert!(files(&store).is_empty());
}

#[test]
fn who_makes_the_same_image_waits_and_then_finds_it() {
    let (_folder, store) = store();
    let id = Digest::of(b"one");
    let part = store.begin(id, &mut unwatched).unwrap();
    let second = store.clone();
    let (told, hears) = std::sync::mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let part = second.begin(id, &mut |progress| told.send(format!("{progress:?}")).unwrap()).unwrap();
        (second.image(id).unwrap().is_some(), part)
    });
    assert_eq!(hears.recv().unwrap(), "Wait");
    let record =
        Record { kind: RootKind::Erofs, size: 0, stored: 0, source: String::new(), config: ImageConfig::default() };
    store.keep(part, id, record).unwrap();
    let (found, part) = waiter.join().unwrap();
    assert!(found, "made by whoever was first");
    drop(part);
    assert_eq!(files(&store).len(), 2);
}

#[test]
fn a_removed_image_keeps_its_file_while_a_machine_starts() {
    let (_folder, store) = store();
    let id = imported(&store, "a");
    let starting = store.image(id).unwrap().unwrap();
    store.remove(&id.hex()).unwrap();
    assert_eq!(store.image(id).unwrap(), None, "nobody else finds it");
    assert!(starting.root.path.is_file(), "between resolve and open");
    store.prune().unwrap();
    assert!(starting.root.path.is_file(), "nor does prune take it");
    drop(starting);
    assert!(store.prune().unwrap().1 > 0);
    assert!(files(&store).is_empty());
}

#[test]
fn an_image_that_is_pruned_is_guarded_as_well() {
    let (_folder, store) = store();
    let starting = store.image(imported(&store, "a")).unwrap().unwrap();
    assert_eq!(store.prune().unwrap().0, 1);
    assert!(starting.root.path.is_file());
}

#[test]
fn an_empty_file_of_names_costs_no_image() {
    let (_folder, store) = store();
    let id = imported(&store, "a");
    assert!(store.tag(&reference("web"), id).unwrap());
    fs::write(store.folder.join("names.json"), "").unwrap();
    assert_eq!(store.prune().unwrap().0, 0);
    assert_eq!(store.list().unwrap().len(), 1);
    let resolved = store.resolve(&ImageSource::Registry(reference("web")), &mut unwatched);
    assert!(matches!(resolved, Err(Error::Names { .. })), "no registry is asked for what may be local");
    assert!(store.tag(&reference("other"), id).unwrap());
    assert!(matches!(store.damage()[..], [Error::Names { .. }]));
    fs::remove_file(store.damaged_names()).unwrap();
    assert_eq!(store.list().unwrap()[0].names, ["other:latest"]);
}

#[test]
fn a_broken_local_name_asks_no_registry() {
    let (_folder, store) = store();
    let id = imported(&store, "a");
    store.tag(&reference("web"), id).unwrap();
    fs::remove_file(store.root_path(id, RootKind::Erofs)).unwrap();
    let resolved = store.resolve(&ImageSource::Registry(reference("web")), &mut unwatched);
    assert!(matches!(resolved, Err(Error::Broken { .. })));
    assert!(store.list().unwrap().is_empty(), "not listed as 0 B");
    assert!(matches!(store.damage()[0], Error::NoRoot { .. }));
}

#[test]
fn an_image_that_is_gone_gets_no_name() {
    let (_folder, store) = store();
    let id = imported(&store, "a");
    store.prune().unwrap();
    assert!(!store.tag(&reference("web"), id).unwrap());
    assert_eq!(store.find(&reference("web")).unwrap(), None);
}

#[test]
fn a_store_that_cannot_be_made_is_empty() {
    let store = Store::open(Path::new("/proc/no/such/folder")).unwrap();
    assert!(store.list().unwrap().is_empty());
}

#[test]
fn what_was_imported_beside_prune_is_there() {
    let (folder, store) = store();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                store.prune().unwrap();
            }
        });
        for number in 0..60 {
            let path = folder.path().join(format!("{number}.tar"));
            fs::write(&path, Archive::new().file("file", format!("{number}").as_bytes()).end()).unwrap();
            let name = reference(&format!("image{number}"));
            let id = store.import_as(&ImageSource::Tar { path, name: None }, &name, &mut unwatched).unwrap().id;
            assert_eq!(store.find(&name).unwrap(), id);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(store.list().unwrap().iter().filter(|image| !image.names.is_empty()).count(), 60);
    assert!(store.damage().is_empty());
}
