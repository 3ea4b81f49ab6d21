#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn one_value_is_both_limits_and_minus_one_is_none() {
    let parse = |text: &str| text.parse::<Limit>().unwrap();
    let nofile = |soft, hard| Limit { resource: Resource::Nofile, soft, hard };
    assert_eq!(parse("nofile=64"), nofile(Some(64), Some(64)));
    assert_eq!(parse("nofile=64:128"), nofile(Some(64), Some(128)));
    assert_eq!(parse("nofile=64:-1"), nofile(Some(64), None));
    assert_eq!(parse("core=unlimited"), Limit { resource: Resource::Core, soft: None, hard: None });
}

#[test]
fn mistakes_are_named() {
    let wrong = |text: &str| text.parse::<Limit>().unwrap_err().to_string();
    assert_eq!(wrong("nofile"), "\"nofile\" is not of the form NAME=SOFT[:HARD], such as nofile=1024:4096");
    assert!(wrong("files=1").starts_with("there is no limit \"files\"; there are as, core, "));
    assert_eq!(wrong("nofile=many"), "\"many\" is neither a number nor -1 for no limit");
    assert_eq!(wrong("nofile=2:1"), "the soft limit 2 is above the hard limit 1");
    assert_eq!(wrong("nofile=-1:1"), "the soft limit -1 is above the hard limit 1");
}

#[test]
fn every_name_is_that_of_its_json() {
    for (name, resource) in NAMES {
        assert_eq!(serde_json::to_string(&resource).unwrap(), format!("\"{name}\""));
    }
}
