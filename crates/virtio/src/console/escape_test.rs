use proptest::prelude::*;

use super::*;

/// What the guest gets of some reads, and whether the person left.
fn typed(reads: &[&[u8]]) -> (Vec<u8>, Typed) {
    let (mut escape, mut guest) = (Escape::default(), Vec::new());
    for read in reads {
        if escape.filter(read, |key| guest.push(key)) == Typed::Leave {
            return (guest, Typed::Leave);
        }
    }
    (guest, Typed::Stay)
}

#[test]
fn ctrl_a_x_leaves_and_nothing_behind_it_reaches_the_guest() {
    assert_eq!(typed(&[b"ls\x01xrm"]), (b"ls".to_vec(), Typed::Leave));
    assert_eq!(typed(&[b"ls\x01", b"x"]), (b"ls".to_vec(), Typed::Leave), "typed one after the other");
}

#[test]
fn ctrl_a_twice_is_one_ctrl_a_and_escapes_nothing() {
    assert_eq!(typed(&[b"\x01\x01x"]), (b"\x01x".to_vec(), Typed::Stay));
    assert_eq!(typed(&[b"\x01\x01\x01x"]), (b"\x01".to_vec(), Typed::Leave));
}

#[test]
fn ctrl_a_before_another_key_reaches_the_guest_with_it() {
    assert_eq!(typed(&[b"\x01k"]), (b"\x01k".to_vec(), Typed::Stay));
    assert_eq!(typed(&[b"x\x01Xx"]), (b"x\x01Xx".to_vec(), Typed::Stay));
}

/// The rule read another way: cut at each pair of Ctrl-A and its key.
fn expected(keys: &[u8]) -> (Vec<u8>, Typed) {
    match keys {
        [] | [ESCAPE] => (Vec::new(), Typed::Stay),
        [ESCAPE, LEAVE, ..] => (Vec::new(), Typed::Leave),
        [ESCAPE, ESCAPE, rest @ ..] => {
            let (tail, what) = expected(rest);
            ([vec![ESCAPE], tail].concat(), what)
        }
        [key, rest @ ..] => {
            let (tail, what) = expected(rest);
            ([vec![*key], tail].concat(), what)
        }
    }
}

proptest! {
    #[test]
    fn without_ctrl_a_the_filter_is_the_identity(keys in prop::collection::vec(2u8.., 0..200)) {
        let passed = typed(&[&keys]);
        prop_assert_eq!(passed, (keys, Typed::Stay));
    }

    #[test]
    fn it_does_not_matter_how_the_keys_are_cut_into_reads(
        keys in prop::collection::vec(prop::sample::select(vec![ESCAPE, LEAVE, b'a', 0]), 0..40),
        cut in 1usize..8,
    ) {
        let reads: Vec<&[u8]> = keys.chunks(cut).collect();
        prop_assert_eq!(typed(&reads), expected(&keys));
    }
}
