use illico_protocol::{Address, Exec, Root};

use super::*;

fn spec() -> RunSpec {
    RunSpec::new("brave-otter", Root::share(), Exec::new(["true"]))
}

fn content(spec: &RunSpec, name: &str) -> String {
    files(spec).into_iter().find(|file| file.0 == name).unwrap().1
}

#[test]
fn without_a_network_the_name_is_on_loopback() {
    assert_eq!(content(&spec(), "hostname"), "brave-otter\n");
    assert!(content(&spec(), "hosts").ends_with("127.0.1.1\tbrave-otter\n"));
    assert_eq!(content(&spec(), "resolv.conf"), "");
}

#[test]
fn with_a_network_the_name_is_at_each_address() {
    let network = Network {
        interface: "eth0".to_owned(),
        addresses: vec![Address { ip: "10.0.2.15".parse().unwrap(), prefix: 24 }],
        gateways: vec![],
        dns: vec!["10.0.2.3".parse().unwrap(), "fd00::3".parse().unwrap()],
        search: vec!["a.example".to_owned(), "b.example".to_owned()],
        mtu: None,
    };
    let spec = RunSpec { network: Some(network), ..spec() };
    assert!(content(&spec, "hosts").ends_with("10.0.2.15\tbrave-otter\n"));
    assert_eq!(content(&spec, "resolv.conf"), "search a.example b.example\nnameserver 10.0.2.3\nnameserver fd00::3\n");
}

#[test]
fn etc_is_the_folder_that_links_lead_to_made_if_missing() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    std::os::unix::fs::symlink("static/etc", at("etc")).unwrap();
    fs::create_dir(at("store")).unwrap();
    std::os::unix::fs::symlink("store", at("static")).unwrap();
    let place = folder_at(&at("etc")).unwrap();
    fs::write(place.join("hosts"), "x").unwrap();
    assert_eq!(fs::read_to_string(at("store/etc/hosts")).unwrap(), "x");
    assert_eq!(folder_at(&at("etc")).unwrap(), place);
    std::os::unix::fs::symlink("loop", at("loop")).unwrap();
    assert!(folder_at(&at("loop")).is_err());
}
