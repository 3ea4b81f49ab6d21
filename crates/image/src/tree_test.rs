#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::*;

fn put(tree: &mut Tree, directory: InodeId, name: &str, layer: u32, kind: Kind) -> InodeId {
    tree.put(directory, name.as_bytes(), layer, Attributes::default(), kind).unwrap()
}

fn directory(tree: &mut Tree, parent: InodeId, name: &str, layer: u32) -> InodeId {
    put(tree, parent, name, layer, Kind::empty_directory())
}

fn names(tree: &Tree, directory: InodeId) -> Vec<String> {
    tree.entries(directory).map(|(name, _)| String::from_utf8(name.to_vec()).unwrap()).collect()
}

#[test]
fn a_directory_stays_when_it_comes_again_and_nothing_else_does() {
    let mut tree = Tree::new();
    let a = directory(&mut tree, Tree::ROOT, "a", 0);
    put(&mut tree, a, "file", 0, Kind::Fifo);
    assert_eq!(directory(&mut tree, Tree::ROOT, "a", 1), a);
    assert_eq!(names(&tree, a), ["file"]);
    let b = put(&mut tree, Tree::ROOT, "a", 1, Kind::Fifo);
    assert!(tree.get(a).is_none() && !tree.is_directory(b));
    assert_eq!(tree.len(), 2);
}

#[test]
fn the_last_name_takes_the_inode_with_it() {
    let mut tree = Tree::new();
    let data = Data::default();
    let file = put(&mut tree, Tree::ROOT, "one", 0, Kind::File(data));
    tree.link(Tree::ROOT, b"two", 0, file).unwrap();
    tree.remove(Tree::ROOT, b"one");
    assert!(tree.get(file).is_some() && tree.take_freed().is_empty());
    tree.remove(Tree::ROOT, b"two");
    assert!(tree.get(file).is_none());
    assert_eq!(tree.take_freed(), [data]);
}

#[test]
fn links_to_directories_themselves_and_nothing_are_refused() {
    let mut tree = Tree::new();
    let file = put(&mut tree, Tree::ROOT, "file", 0, Kind::Fifo);
    assert_eq!(tree.link(Tree::ROOT, b"x", 0, Tree::ROOT), Err(TreeError::LinkToDirectory));
    assert_eq!(tree.link(Tree::ROOT, b"file", 0, file), Err(TreeError::LinkToItself));
    assert_eq!(tree.link(file, b"x", 0, file), Err(TreeError::NotADirectory));
    assert_eq!(tree.link(Tree::ROOT, b"x", 0, InodeId(77)), Err(TreeError::NoTarget));
}

#[test]
fn an_opaque_directory_hides_what_is_below_and_keeps_its_own() {
    let mut tree = Tree::new();
    let a = directory(&mut tree, Tree::ROOT, "a", 0);
    put(&mut tree, a, "old", 0, Kind::Fifo);
    let deep = directory(&mut tree, a, "deep", 0);
    put(&mut tree, deep, "old", 0, Kind::Fifo);
    put(&mut tree, deep, "new", 1, Kind::Fifo);
    let gone = directory(&mut tree, a, "gone", 0);
    put(&mut tree, gone, "old", 0, Kind::Fifo);
    directory(&mut tree, a, "mine", 1);
    tree.hide_below(a, 1);
    assert_eq!(names(&tree, a), ["deep", "mine"]);
    assert_eq!(names(&tree, deep), ["new"]);
}
