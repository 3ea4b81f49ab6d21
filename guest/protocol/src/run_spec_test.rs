#![allow(clippy::unwrap_used)]

use super::*;

fn full() -> RunSpec {
    let mut spec = RunSpec::new("brave-otter", Root::erofs_dax(), Exec::new(["cat", "/etc/os-release"]));
    spec.modules = vec!["overlay.ko".to_owned()];
    spec.upper = Upper::Device { path: "/dev/vda".to_owned(), filesystem: "ext4".to_owned() };
    spec.mounts = vec![Mount::folder("v0", "/work", true)];
    spec.network = Some(Network {
        interface: "eth0".to_owned(),
        addresses: vec![Address { ip: "10.0.2.15".parse().unwrap(), prefix: 24 }],
        gateways: vec!["10.0.2.2".parse().unwrap()],
        dns: vec!["fd00::3".parse().unwrap()],
        search: vec!["example.org".to_owned()],
        mtu: Some(65520),
    });
    spec
}

#[test]
fn what_is_written_is_read() {
    let spec = full();
    assert_eq!(RunSpec::from_json(&spec.to_json().unwrap()).unwrap(), spec);
}

#[test]
fn another_version_is_named_before_its_fields_are_read() {
    let error = RunSpec::from_json(br#"{"version": 7, "something": "new"}"#).unwrap_err();
    assert_eq!(error.to_string(), "it is for version 7 of the agent, this one is 2");
}

#[test]
fn a_field_that_nobody_knows_is_a_mistake() {
    let mut json: serde_json::Value = serde_json::from_slice(&full().to_json().unwrap()).unwrap();
    json.as_object_mut().unwrap().insert("rooot".to_owned(), "x".into());
    let json = serde_json::to_vec(&json).unwrap();
    assert!(matches!(RunSpec::from_json(&json), Err(RunSpecError::Json(_))));
}
