#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

#[test]
fn text_stays_text_in_json() {
    assert_eq!(serde_json::to_string(&Word::from("grüß dich")).unwrap(), "\"grüß dich\"");
}

#[test]
fn what_is_not_utf8_is_not_lost() {
    let word = Word::new(b"\xff\xfe".as_slice()).unwrap();
    let json = serde_json::to_string(&word).unwrap();
    assert_eq!(json, "[255,254]");
    assert_eq!(serde_json::from_str::<Word>(&json).unwrap(), word);
}

#[test]
fn no_word_holds_a_nul() {
    assert_eq!(Word::new("a\0b"), None);
    assert_eq!(Word::from("a\0b"), Word::from("a"));
    assert!(serde_json::from_str::<Word>("\"a\\u0000b\"").is_err());
    assert!(serde_json::from_str::<Word>("[97,0]").is_err());
    assert!(serde_json::from_str::<Word>("[256]").is_err());
}

proptest! {
    #[test]
    fn any_bytes_come_back(bytes: Vec<u8>) {
        let word = Word::from(OsString::from_vec(bytes));
        let json = serde_json::to_string(&word).unwrap();
        prop_assert_eq!(serde_json::from_str::<Word>(&json).unwrap(), word);
    }
}
