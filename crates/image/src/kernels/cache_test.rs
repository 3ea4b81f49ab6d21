use std::os::unix::fs::{PermissionsExt, symlink};
use std::thread;

use super::*;
use crate::kernels::bzimage::Packing;
use crate::kernels::testkit::{KERNEL, bzimage, file, packed};
use crate::kernels::untimed;

/// An image, and where its payload is.
fn image(packing: Packing) -> (File, Payload) {
    let bytes = bzimage(&packed(KERNEL, packing));
    let image = file(&bytes);
    let payload = Payload::find(&image).unwrap();
    (image, payload)
}

fn unpacked(cache: &Cache, (image, payload): &(File, Payload)) -> Vec<u8> {
    let file = cache.unpacked(image, payload, &untimed).unwrap();
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    let trailer = bytes.len().saturating_sub(TRAILER as usize);
    if bytes[trailer..].starts_with(&MAGIC) {
        bytes.truncate(trailer);
    }
    bytes
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_second_run_finds_what_the_first_has_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("illico/kernels");
    let (cache, image) = (Cache::at(&folder), image(Packing::Zstd));
    assert_eq!(unpacked(&cache, &image), KERNEL);
    let [name] = names(&folder).try_into().unwrap();
    let inode = || fs::metadata(folder.join(&name)).unwrap().ino();
    let first = inode();
    assert_eq!(unpacked(&cache, &image), KERNEL);
    assert_eq!((inode(), names(&folder).len()), (first, 1));
}

#[test]
fn the_name_is_the_sum_of_the_packed_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    for packing in [Packing::Zstd, Packing::Gzip] {
        unpacked(&cache, &image(packing));
    }
    let mut expected: Vec<String> = [Packing::Zstd, Packing::Gzip]
        .map(|packing| {
            let sum = Sha256::digest(packed(KERNEL, packing));
            sum.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + ".vmlinux"
        })
        .into();
    expected.sort();
    let mut found = names(folder.path());
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_file_that_was_cut_or_rewritten_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, image) = (Cache::at(folder.path()), image(Packing::Gzip));
    let whole = unpacked(&cache, &image);
    let path = folder.path().join(&names(folder.path())[0]);
    let stored = fs::read(&path).unwrap();
    let cut = &stored[..stored.len() - 1];
    let appended = [stored.as_slice(), b"x"].concat();
    for broken in [b"".as_slice(), b"short", cut, &appended] {
        fs::write(&path, broken).unwrap();
        assert_eq!(unpacked(&cache, &image), whole);
        assert_eq!(fs::read(&path).unwrap(), stored);
    }
}

#[test]
fn a_link_in_place_of_the_file_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, image) = (Cache::at(folder.path()), image(Packing::Gzip));
    let whole = unpacked(&cache, &image);
    let path = folder.path().join(&names(folder.path())[0]);
    let elsewhere = tempfile::tempdir().unwrap();
    let other = elsewhere.path().join("other");
    fs::rename(&path, &other).unwrap();
    symlink(&other, &path).unwrap();
    assert_eq!(unpacked(&cache, &image), whole);
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
}

#[test]
fn a_folder_that_others_can_write_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(unpacked(&Cache::at(folder.path()), &image(Packing::Xz)), KERNEL);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn without_a_folder_the_kernel_is_unpacked_to_memory() {
    let image = image(Packing::Lz4);
    assert_eq!(unpacked(&Cache::none(), &image), KERNEL);
    assert_eq!(unpacked(&Cache::at(Path::new("/dev/null/illico")), &image), KERNEL);
    assert_eq!(unpacked(&Cache::at(Path::new("/proc/illico")), &image), KERNEL);
}

#[test]
fn runs_at_once_all_get_the_whole_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, image) = (Cache::at(folder.path()), image(Packing::Zstd));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(unpacked(&cache, &image), KERNEL));
        }
    });
    assert_eq!(names(folder.path()).len(), 1);
}

#[test]
fn a_broken_payload_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (image, mut payload) = image(Packing::Gzip);
    payload.len /= 2;
    assert!(matches!(Cache::at(folder.path()).unpacked(&image, &payload, &untimed), Err(BzImageError::Unpack(_))));
    assert_eq!(names(folder.path()), [""; 0]);
}
