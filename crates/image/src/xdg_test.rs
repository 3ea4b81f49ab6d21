use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::*;

fn folder(base: Base, variables: &[(&str, &str)]) -> Option<PathBuf> {
    base.folder_from(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
}

#[test]
fn the_variable_precedes_the_home_folder() {
    let all = [("XDG_DATA_HOME", "/d"), ("XDG_STATE_HOME", "/s"), ("XDG_CACHE_HOME", "/c"), ("HOME", "/h")];
    assert_eq!(folder(Base::Data, &all).unwrap(), Path::new("/d"));
    assert_eq!(folder(Base::State, &all).unwrap(), Path::new("/s"));
    assert_eq!(folder(Base::Cache, &all).unwrap(), Path::new("/c"));
    assert_eq!(folder(Base::Config, &all).unwrap(), Path::new("/h/.config"));
}

#[test]
fn relative_and_empty_variables_are_ignored() {
    let wrong = [("XDG_DATA_HOME", "relative"), ("XDG_STATE_HOME", ""), ("HOME", "/h")];
    assert_eq!(folder(Base::Data, &wrong).unwrap(), Path::new("/h/.local/share"));
    assert_eq!(folder(Base::State, &wrong).unwrap(), Path::new("/h/.local/state"));
    assert_eq!(folder(Base::Cache, &[("HOME", "")]), None);
}

#[test]
fn the_runtime_folder_has_no_default_in_home() {
    assert_eq!(folder(Base::Runtime, &[("HOME", "/h")]), None);
    assert_eq!(folder(Base::Runtime, &[("XDG_RUNTIME_DIR", "/run/user/7")]).unwrap(), Path::new("/run/user/7"));
}

#[test]
fn a_folder_need_not_be_utf8() {
    let home = OsString::from_vec(b"/h\xff".to_vec());
    let found = Base::Data.folder_from(|name| (name == "HOME").then(|| home.clone())).unwrap();
    assert_eq!(found, Path::new(&home).join(".local/share"));
}
