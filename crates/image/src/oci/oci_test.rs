#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use proptest::prelude::*;
use serde_json::json;

use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn parse(json: &serde_json::Value) -> Result<Document, String> {
    Document::parse(json.to_string().as_bytes()).map_err(|error| error.to_string())
}

fn descriptor() -> serde_json::Value {
    json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": DIGEST, "size": 5, "data": "ignored" })
}

fn for_platform(os: &str, architecture: &str) -> serde_json::Value {
    let mut one = descriptor();
    one["platform"] = json!({ "os": os, "architecture": architecture });
    one
}

fn chosen(manifests: &serde_json::Value) -> Result<u64, String> {
    let Document::Index(manifests) = parse(&json!({ "schemaVersion": 2, "manifests": manifests }))? else { panic!() };
    for_this_machine(&manifests).map(|all| all[0].size).map_err(|error| error.to_string())
}

#[test]
fn manifests_and_indexes_are_told_apart_by_what_they_have() {
    let manifest = parse(&json!({ "schemaVersion": 2, "config": descriptor(), "layers": [descriptor()] }));
    assert!(
        matches!(manifest, Ok(Document::Manifest(manifest)) if manifest.layers.len() == 1 && manifest.check().is_ok())
    );
    assert!(matches!(parse(&json!({ "manifests": [] })), Ok(Document::Index(_))));
    assert!(parse(&json!({ "schemaVersion": 1, "fsLayers": [] })).unwrap_err().contains("schema 1"));
    assert!(parse(&json!({})).unwrap_err().contains("neither layers nor manifests"));
}

#[test]
fn the_manifest_for_this_machine_is_chosen() {
    let mut ours = for_platform("linux", "amd64");
    ours["size"] = json!(7);
    assert_eq!(chosen(&json!([for_platform("linux", "arm64"), ours, for_platform("unknown", "unknown")])), Ok(7));
    assert_eq!(chosen(&json!([for_platform("linux", "arm64"), descriptor()])), Ok(5));
    let told = chosen(&json!([
        for_platform("linux", "arm64"),
        for_platform("windows", "amd64"),
        for_platform("unknown", "unknown")
    ]));
    assert_eq!(told, Err("it is for linux/arm64, windows/amd64, and this machine is linux/amd64".into()));
    assert_eq!(chosen(&json!([])), Err("it is for no machine, and this machine is linux/amd64".into()));
}

#[test]
fn digests_are_read_strictly() {
    for digest in ["", "sha256:", "md5:00", "sha256:../../etc/passwd"] {
        let wrong = json!({ "digest": digest, "size": 1 });
        assert!(parse(&json!({ "config": wrong, "layers": [] })).is_err(), "{digest}");
    }
    assert!(parse(&json!({ "config": { "digest": DIGEST, "size": -1 }, "layers": [] })).is_err());
}

#[test]
fn layers_have_a_limit() {
    let layers = vec![descriptor(); 400];
    assert!(parse(&json!({ "config": descriptor(), "layers": layers })).unwrap_err().contains("384 are allowed"));
}

#[test]
fn what_is_no_image_is_told_so() {
    let mut config = descriptor();
    config["mediaType"] = json!("application/vnd.cncf.helm.config.v1+json");
    let Ok(Document::Manifest(manifest)) = parse(&json!({ "config": config, "layers": [] })) else { panic!() };
    assert!(manifest.check().unwrap_err().to_string().contains("cannot be run"));
}

#[test]
fn a_configuration_must_fit_the_machine_and_the_layers() {
    let told = |json: &serde_json::Value, layers| {
        Configuration::parse(json.to_string().as_bytes(), layers).map_err(|error| error.to_string())
    };
    let rootfs = json!({ "type": "layers", "diff_ids": [DIGEST] });
    let arm = json!({ "architecture": "arm64", "os": "linux", "rootfs": rootfs });
    assert_eq!(told(&arm, 1).unwrap_err(), "it is for linux/arm64, and this machine is linux/amd64");
    let ours = json!({ "architecture": "amd64", "os": "linux", "rootfs": rootfs, "config": { "Cmd": null } });
    assert!(told(&ours, 1).unwrap().config.unwrap().cmd.is_none());
    assert_eq!(told(&ours, 2).unwrap_err(), "its configuration speaks of 1 layers and its manifest of 2");
    // Docker leaves empty lists out.
    assert!(told(&json!({ "architecture": "amd64", "os": "linux" }), 0).is_ok());
    assert!(told(&json!({ "rootfs": { "type": "layers", "diff_ids": null } }), 0).is_ok());
    assert!(told(&json!({ "rootfs": { "type": "layers" } }), 1).is_err());
}

#[test]
fn missing_platforms_are_those_of_this_machine() {
    let parse = |architecture: serde_json::Value, os: serde_json::Value| {
        let json = json!({ "architecture": architecture, "os": os });
        Configuration::parse(json.to_string().as_bytes(), 0).map(drop).map_err(|error| error.to_string())
    };
    for architecture in [json!(null), json!(""), json!("amd64"), json!("x86_64"), json!("X86_64")] {
        for os in [json!(null), json!(""), json!("linux"), json!("Linux")] {
            assert_eq!(parse(architecture.clone(), os), Ok(()));
        }
    }
    assert!(Configuration::parse(b"{}", 0).is_ok());
    assert!(parse(json!(""), json!("windows")).unwrap_err().starts_with("it is for windows/amd64"));
    assert!(parse(json!("arm"), json!(null)).unwrap_err().starts_with("it is for linux/arm"));
}

#[test]
fn configurations_of_odd_media_types_are_images() {
    let check = |kind: &str, artifact: serde_json::Value| {
        let mut config = descriptor();
        config["mediaType"] = json!(kind);
        let manifest = json!({ "config": config, "layers": null, "artifactType": artifact });
        let Document::Manifest(manifest) = parse(&manifest).unwrap() else { panic!() };
        manifest.check().map_err(|error| error.to_string())
    };
    for kind in ["application/octet-stream", "application/json", "text/html", "text/html; charset=utf-8", ""] {
        assert_eq!(check(kind, json!(null)), Ok(()), "{kind}");
    }
    for kind in ["application/vnd.oci.empty.v1+json", "application/vnd.docker.plugin.v1+json", "image/png"] {
        assert!(check(kind, json!(null)).unwrap_err().contains(kind));
    }
    assert!(check("application/json", json!("application/x.sbom")).unwrap_err().contains("artifact"));
}

#[test]
fn commands_may_be_one_word() {
    let config = json!({ "config": { "Entrypoint": "/init", "Cmd": ["a", "b"], "Env": null } });
    let config = Configuration::parse(config.to_string().as_bytes(), 0).unwrap().config.unwrap();
    assert_eq!((config.entrypoint, config.cmd), (Some(vec!["/init".into()]), Some(vec!["a".into(), "b".into()])));
}

#[test]
fn an_entry_that_cannot_be_read_costs_only_itself() {
    let other = json!({ "digest": format!("sha512:{}", "0".repeat(128)), "size": 1 });
    assert_eq!(chosen(&json!([other, descriptor()])), Ok(5));
    assert!(chosen(&json!([other])).is_err());
}

proptest! {
    #[test]
    fn any_bytes_end_with_a_value(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Document::parse(&bytes);
        let _ = Configuration::parse(&bytes, 0);
    }
}
