//! What an image must have to be taken.
use super::{Image, Segment, parse};

fn header(kind: u32, offset: u64, address: u64, length: u64, size: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(kind.to_le_bytes());
    bytes.extend(5_u32.to_le_bytes());
    for value in [offset, address, address, length, size, 4096] {
        bytes.extend(value.to_le_bytes());
    }
    bytes
}

fn image(note: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[32] = 64;
    bytes[54] = 56;
    bytes[56] = 2;
    let notes = 64 + 2 * 56 + 4;
    bytes.extend(header(1, 64 + 2 * 56, 0x20_0000, 4, 8192));
    bytes.extend(header(4, notes, 0, note.len() as u64, 0));
    bytes.extend(b"code");
    bytes.extend(note);
    bytes
}

fn note(name: &[u8], kind: u32, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [name.len() as u32, value.len() as u32, kind] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(name);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[test]
fn segments_and_the_entry_behind_another_note_are_found() {
    let mut notes = note(b"GNU\0", 3, b"build id");
    notes.extend(note(b"Xen\0", 18, &0x20_0400_u64.to_le_bytes()));
    let file = image(&notes);
    let segments = vec![Segment { address: 0x20_0000, bytes: b"code", size: 8192 }];
    assert_eq!(parse(&file), Some(Image { entry: 0x20_0400, segments }));
}

#[test]
fn another_owners_note_18_is_no_entry() {
    assert_eq!(parse(&image(&note(b"GNU\0", 18, &[0; 8]))), None);
}

#[test]
fn no_prefix_of_an_image_is_taken_or_panics() {
    let file = image(&note(b"Xen\0", 18, &[0; 4]));
    assert!(parse(&file).is_some());
    for length in 0..file.len() {
        assert_eq!(parse(&file[..length]), None, "the first {length} bytes");
    }
}
