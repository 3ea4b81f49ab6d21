#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use zerocopy::IntoBytes;

use super::*;

fn name(text: &[u8]) -> Result<&[u8], Errno> {
    Name::new(CStr::from_bytes_with_nul(text).unwrap()).map(|name| name.text().to_bytes())
}

#[test]
fn a_name_is_one_component_of_a_path() {
    assert_eq!(name(b"a file\0"), Ok(&b"a file"[..]));
    assert_eq!(name(b"..a\0"), Ok(&b"..a"[..]));
    for bad in [&b"\0"[..], b".\0", b"..\0", b"/\0", b"a/b\0", b"../b\0", b"a/\0"] {
        assert_eq!(name(bad), Err(Errno::INVAL), "{bad:?}");
    }
    assert!(name(&[&[b'x'; 255][..], b"\0"].concat()).is_ok());
    assert_eq!(name(&[&[b'x'; 256][..], b"\0"].concat()), Err(Errno::NAMETOOLONG));
}

#[test]
fn names_end_at_their_zero_and_follow_one_another() {
    let newdir = RenameIn { newdir: 7 };
    let bytes = [newdir.as_bytes(), b"old\0new\0and more"].concat();
    let Ok(Request::Rename { name, to: 7, to_name, flags: 0 }) = parse(opcode::RENAME, &bytes) else { panic!() };
    assert_eq!((name.text(), to_name.text()), (c"old", c"new"));
    assert_eq!(parse(opcode::RENAME, &bytes[..12]), Err(Errno::INVAL), "no second name");
    assert_eq!(parse(opcode::LOOKUP, b"without an end"), Err(Errno::INVAL));
}

#[test]
fn a_request_cut_short_anywhere_is_refused_or_shorter() {
    let body = [&[1_u8; 88][..], b"name\0", b"text\0"].concat();
    for opcode in 0..64 {
        for length in 0..body.len() {
            // It may be fine or not; it must not reach beyond what is there.
            let _ = parse(opcode, &body[..length]);
        }
        assert_eq!(parse(opcode, &[]).is_err(), needs_more(opcode), "operation {opcode}");
    }
}

/// Whether an operation is made of more than its header, or is not served.
fn needs_more(opcode: u32) -> bool {
    let header_only = [opcode::DESTROY, opcode::GETATTR, opcode::READLINK, opcode::OPENDIR, opcode::STATFS];
    !header_only.contains(&opcode)
}

#[test]
fn a_list_to_forget_is_as_long_as_it_is_and_not_as_long_as_it_says() {
    let list = [ForgetOne { nodeid: 3, nlookup: 1 }; 3];
    let bytes = |count| [BatchForgetIn { count, dummy: 0 }.as_bytes(), list.as_bytes()].concat();
    for (count, expected) in [(0, 0), (2, 32), (3, 48), (4, 48), (u32::MAX, 48)] {
        let bytes = bytes(count);
        let Ok(Request::BatchForget(got)) = parse(opcode::BATCH_FORGET, &bytes) else { panic!() };
        assert_eq!(got.len(), expected);
    }
}

#[test]
fn a_value_longer_than_the_request_is_refused() {
    let bytes = |size| [SetxattrIn { size, flags: 0 }.as_bytes(), b"user.a\0value"].concat();
    let fits = bytes(5);
    assert_eq!(parse(opcode::SETXATTR, &fits), Ok(Request::Setxattr(c"user.a", b"value", 0)));
    for size in [6, u32::MAX] {
        assert_eq!(parse(opcode::SETXATTR, &bytes(size)), Err(Errno::INVAL));
    }
}

#[test]
fn linux_is_told_to_do_without_what_is_not_served() {
    // FLUSH, GETLK, SETLK, ACCESS, INTERRUPT, BMAP, IOCTL, POLL, SETUPMAPPING, SYNCFS, TMPFILE, and none.
    for opcode in [25, 31, 32, 34, 36, 37, 39, 40, 48, 50, 51, 4096, u32::MAX] {
        assert_eq!(parse(opcode, &[0; 128]), Err(Errno::NOSYS), "operation {opcode}");
    }
}
