#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use serde_json::json;

use super::super::Document;
use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The sizes of the entries that a CPU of this level may run. Entries are numbered by their size, from 0.
fn chosen(level: u8, entries: &[serde_json::Value]) -> Result<Vec<u64>, String> {
    let entries = entries.iter().enumerate().map(|(number, entry)| {
        let mut entry = entry.clone();
        entry["digest"] = json!(DIGEST);
        entry["size"] = json!(number);
        entry
    });
    let index = json!({ "manifests": entries.collect::<Vec<_>>() }).to_string();
    let Document::Index(entries) = Document::parse(index.as_bytes()).unwrap() else { panic!() };
    let found = for_level(&entries, level).map_err(|error| error.to_string());
    found.map(|found| found.iter().map(|one| one.size).collect())
}

fn variant(variant: &str) -> serde_json::Value {
    json!({ "platform": { "os": "linux", "architecture": "amd64", "variant": variant } })
}

#[test]
fn the_best_variant_that_the_cpu_runs_comes_first() {
    let all = ["v2", "v4", "", "v1", "v3", "v9"].map(variant);
    assert_eq!(chosen(1, &all), Ok(vec![2, 3]));
    assert_eq!(chosen(2, &all), Ok(vec![0, 2, 3]));
    assert_eq!(chosen(3, &all), Ok(vec![4, 0, 2, 3]));
    assert_eq!(chosen(4, &all), Ok(vec![1, 4, 0, 2, 3]));
}

#[test]
fn a_variant_beyond_the_cpu_is_refused_by_name() {
    let told = chosen(3, &[variant("v4"), json!({ "platform": { "os": "linux", "architecture": "arm64" } })]);
    assert_eq!(told, Err("it is for linux/amd64/v4, and this CPU is x86-64-v3".into()));
    assert!(chosen(4, &[variant("haswell")]).is_err());
    assert_eq!(chosen(2, &[variant("V2"), variant("x86-64-v2")]), Ok(vec![0, 1]));
}

#[test]
fn this_cpu_has_a_level() {
    assert!((1..=4).contains(&level()));
}

#[test]
fn entries_without_a_platform_come_last() {
    let silent = json!({});
    let empty = json!({ "platform": { "os": "", "architecture": "" } });
    let null = json!({ "platform": null, "annotations": null, "mediaType": null });
    let ours = json!({ "platform": { "os": "linux", "architecture": "x86_64" } });
    assert_eq!(chosen(1, &[silent, empty, null, ours]), Ok(vec![3, 0, 1, 2]));
}

#[test]
fn attestations_and_artifacts_are_passed_over() {
    let unknown = json!({ "platform": { "os": "unknown", "architecture": "unknown" } });
    let attestation = json!({ "annotations": { "vnd.docker.reference.type": "attestation-manifest" } });
    let artifact = json!({ "artifactType": "application/vnd.dev.cosign.simplesigning.v1+json" });
    assert_eq!(chosen(1, &[unknown.clone(), attestation.clone(), artifact.clone(), json!({})]), Ok(vec![3]));
    let told = chosen(1, &[unknown, attestation, artifact]);
    assert_eq!(told, Err("it is for no machine, and this machine is linux/amd64".into()));
}
