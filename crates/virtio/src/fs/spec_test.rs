use super::*;

#[test]
fn an_owner_is_a_user_and_perhaps_a_group() {
    assert_eq!("1000".parse(), Ok(Owner { uid: 1000, gid: 1000 }));
    assert_eq!("1000:50".parse(), Ok(Owner { uid: 1000, gid: 50 }));
    for bad in ["", "root", "1:", ":1", "1:2:3", "-1", "4294967295", "4294967296"] {
        assert!(bad.parse::<Owner>().is_err(), "{bad:?}");
    }
}

#[test]
fn a_share_is_the_same_after_it_was_written_down() {
    let spec =
        FsSpec { readonly: true, owner: Owner { uid: 5, gid: 6 }, cache: Some(Cache::Auto), ..FsSpec::new("/a", "b") };
    let text = serde_json::to_string(&spec).unwrap();
    assert_eq!(text, r#"{"path":"/a","tag":"b","readonly":true,"owner":"5:6","cache":"auto","xattr":false}"#);
    assert_eq!(serde_json::from_str::<FsSpec>(&text).unwrap(), spec);
    assert_eq!(serde_json::from_str::<FsSpec>(r#"{"path":"/a","tag":"b"}"#).unwrap(), FsSpec::new("/a", "b"));
}

#[test]
fn a_tag_fits_in_its_field() {
    let with = |tag: &str| FsSpec::new("/", tag).check().map_err(|error| error.to_string());
    assert!(with(&"t".repeat(36)).is_ok());
    for bad in ["", "a\nb", "a\0b", &"t".repeat(37)] {
        assert!(with(bad).is_err_and(|error| error.contains("a tag is 1 to 36 bytes")), "{bad:?}");
    }
}
