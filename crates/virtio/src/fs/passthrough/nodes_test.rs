//! How much nodes may take, whatever a guest does.

use std::fs;

use super::*;
use crate::fs::descriptors::Pool;
use crate::fs::spec::FsSpec;

fn nodes(folder: &std::path::Path) -> Nodes {
    Nodes::new(Arc::new(Share::open(&FsSpec::new(folder, "share"), Pool::new(100_000)).unwrap())).unwrap()
}

/// Makes a file, tells the guest of it, and removes it again.
fn tell_of_new(nodes: &mut Nodes, folder: &std::path::Path) -> u64 {
    fs::write(folder.join("file"), "").unwrap();
    let root = nodes.folder(ROOT).unwrap();
    let place = nodes.place(&root, c"file").unwrap();
    let (number, _) = nodes.tell(place, ROOT, c"file").unwrap();
    fs::remove_file(folder.join("file")).unwrap();
    number
}

#[test]
fn nodes_that_are_never_forgotten_are_evicted() {
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = nodes(folder.path());
    let (max_nodes, max_places) = (64, 16);
    (nodes.max_nodes, nodes.max_places) = (max_nodes, max_places);
    let first = tell_of_new(&mut nodes, folder.path());
    let mut most = (0, 0, 0, 0);
    for _ in 0..5000 {
        tell_of_new(&mut nodes, folder.path());
        let (count, held) = (nodes.by_number.len(), nodes.held);
        let (with, without) = (nodes.with_place.len(), nodes.without_place.len());
        most = (most.0.max(count), most.1.max(held), most.2.max(with), most.3.max(without));
    }
    assert!(most.0 <= max_nodes && most.1 <= max_places, "{most:?}");
    assert!(most.2 <= 2 * max_places + 64 && most.3 <= 2 * max_nodes + 64, "{most:?}");
    assert_eq!(nodes.by_key.len(), nodes.by_number.len());
    assert_eq!(nodes.hold(first).unwrap_err(), Errno::STALE);
    assert!(nodes.hold(ROOT).is_ok());
}
