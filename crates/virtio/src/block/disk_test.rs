use std::io::Write;

use illico_memory::{GuestAddress, Ram};
use tempfile::{NamedTempFile, TempDir};

use super::*;
use crate::testkit::ram;

fn image(len: u64) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    file.as_file().set_len(len).unwrap();
    file
}

fn open(path: &Path, readonly: bool) -> Result<Disk, DiskError> {
    Disk::open(path, readonly, "disk0".into())
}

fn data(ram: &Ram, len: u32) -> Buffers {
    let mut data = Buffers::new(ram.clone());
    data.push(GuestAddress(0), len, illico_memory::Access::ReadWrite).unwrap();
    data
}

#[test]
fn what_is_no_disk_is_refused_with_a_way_out() {
    let folder = TempDir::new().unwrap();
    let (empty, odd) = (image(0), image(1000));
    for (path, expected) in [
        (folder.path(), "it is a directory; name a raw image file"),
        (Path::new("/dev/null"), "neither a file nor a block device"),
        (&folder.path().join("nowhere"), "truncate --size=1G FILE"),
        (empty.path(), "0 bytes is not a disk: it must be sectors of 512 bytes (grow it"),
        (odd.path(), "1000 bytes is not a disk: it must be sectors of 512 bytes (pad it"),
    ] {
        let text = crate::device::DeviceError::from(open(path, false).unwrap_err()).to_string();
        assert!(text.starts_with(&format!("path={}: ", path.display())), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn an_image_has_one_writer_or_any_number_of_readers() {
    let image = image(512);
    let writer = open(image.path(), false).unwrap();
    for readonly in [false, true] {
        assert!(matches!(open(image.path(), readonly), Err(DiskError::Lock { .. })));
    }
    drop(writer);
    let readers = [open(image.path(), true).unwrap(), open(image.path(), true).unwrap()];
    assert!(matches!(open(image.path(), false), Err(DiskError::Lock { .. })));
    drop(readers);
    open(image.path(), false).unwrap();
}

#[test]
fn a_short_transfer_goes_on_where_it_stopped() {
    let ram = ram(4096);
    let mut data = data(&ram, 1000);
    let mut calls = Vec::new();
    transfer(&mut data, 5000, |data, position| {
        calls.push((position, data.len()));
        match calls.len() {
            2 => Err(ErrorKind::Interrupted.into()),
            _ => Ok(400.min(data.len())),
        }
    })
    .unwrap();
    assert_eq!(calls, [(5000, 1000), (5400, 600), (5400, 600), (5800, 200)]);
}

#[test]
fn a_transfer_that_gets_nowhere_is_an_error() {
    let ram = ram(4096);
    let error = transfer(&mut data(&ram, 10), 0, |_, _| Ok(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn zeros_come_about_by_any_means() {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&[7; 256 << 10]).unwrap();
    let disk = open(file.path(), false).unwrap();
    disk.write_zeroes(Segment { position: 512, len: 512, unmap: false }).unwrap();
    disk.write_zeroes(Segment { position: 2048, len: 512, unmap: true }).unwrap();
    disk.write_zeroes(Segment { position: 4096, len: 0, unmap: true }).unwrap();
    disk.write_out_zeros(Segment { position: 8192, len: 100 << 10, unmap: false }).unwrap();
    let bytes = std::fs::read(file.path()).unwrap();
    let zeroed =
        |at: usize| (512..1024).contains(&at) || (2048..2560).contains(&at) || (8192..8192 + (100 << 10)).contains(&at);
    assert!(bytes.iter().enumerate().all(|(at, &byte)| byte == if zeroed(at) { 0 } else { 7 }));
}

#[test]
fn after_a_flush_that_failed_none_succeeds() {
    let image = image(512);
    let disk = open(image.path(), false).unwrap();
    disk.flush().unwrap();
    assert!(disk.flushed(Err(ErrorKind::StorageFull.into())).is_err());
    assert!(disk.flush().unwrap_err().to_string().contains("an earlier flush failed"));
    // It is the data of before that is lost; an image that is opened anew makes no promise about it.
    drop(disk);
    open(image.path(), false).unwrap().flush().unwrap();
}

#[test]
fn failures_are_counted() {
    let image = image(512);
    let disk = open(image.path(), false).unwrap();
    for _ in 0..5 {
        disk.report(|| "a test".into(), &ErrorKind::StorageFull.into());
    }
    assert_eq!(disk.failures(), 5);
}
