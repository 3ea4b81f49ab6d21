use std::cell::RefCell;
use std::error::Error;
use std::os::unix::fs::{FileExt, MetadataExt};

use super::super::bzimage::Packing;
use super::super::testkit::{KERNEL, PACKINGS, bzimage, file, packed};
use super::*;

fn bytes(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// What went wrong, as a person reads it.
fn why(kernel: &[u8]) -> String {
    let error = elf(file(kernel), &Cache::none(), &untimed).unwrap_err();
    format!("{error}: {}", error.source().unwrap())
}

#[test]
fn an_elf_file_is_handed_on_as_it_is() {
    let kernel = file(&[KERNEL, &[0; 64]].concat());
    let inode = kernel.metadata().unwrap().ino();
    assert_eq!(elf(kernel, &Cache::none(), &untimed).unwrap().metadata().unwrap().ino(), inode);
}

#[test]
fn the_elf_file_in_a_bzimage_is_unpacked_whatever_packs_it() {
    for packing in PACKINGS {
        let unpacked = elf(file(&bzimage(&packed(KERNEL, packing))), &Cache::none(), &untimed).unwrap();
        assert_eq!(bytes(&unpacked), KERNEL, "{packing:?}");
    }
}

#[test]
fn another_file_and_a_cut_bzimage_are_refused_with_the_reason() {
    assert!(why(b"").starts_with("cannot boot this file: the file is empty"));
    let cut = &bzimage(&packed(KERNEL, Packing::Gzip))[..20 * 1024 + 720];
    assert!(why(cut).starts_with("cannot unpack this bzImage: truncated: its payload ends at byte"));
}

#[test]
fn what_takes_time_is_told_when_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let names = |kernel: &[u8]| {
        let names = RefCell::new(Vec::new());
        elf(file(kernel), &cache, &|name, begin, end| {
            assert!(begin <= end);
            names.borrow_mut().push(name);
        })
        .unwrap();
        names.into_inner()
    };
    let image = bzimage(&packed(KERNEL, Packing::Zstd));
    assert_eq!(names(&image), ["recognise the kernel", "hash the packed kernel", "unpack the kernel"]);
    assert_eq!(names(&image), ["recognise the kernel", "hash the packed kernel"]);
    assert_eq!(names(&[KERNEL, &[0; 64]].concat()), ["recognise the kernel"]);
}
