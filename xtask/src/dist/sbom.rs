//! The software bill of materials of the program: CycloneDX 1.5 in JSON, one component for each crate that is linked.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use super::VERSION;
use crate::error::output_of;
use crate::{Error, project};

/// What `cargo tree` says is linked, with licence and checksum.
pub(super) fn cyclonedx() -> Result<Vec<u8>, Error> {
    let cargo = |words: &[&str]| {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        output_of(Command::new(program).args(words).current_dir(project::root()))
    };
    let tree = cargo(&["tree", "--locked", "--package", "illico", "--edges", "normal", "--prefix", "none"])?;
    let linked: BTreeSet<(String, String)> =
        String::from_utf8_lossy(&tree).lines().filter_map(name_and_version).collect();
    let metadata = cargo(&["metadata", "--locked", "--format-version", "1"])?;
    let metadata: Value = serde_json::from_slice(&metadata).unwrap_or_default();
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let components: Vec<Value> = packages
        .iter()
        .filter(|package| {
            let text = |field: &str| package[field].as_str().unwrap_or_default().to_owned();
            linked.contains(&(text("name"), text("version")))
        })
        .map(component)
        .collect();
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": { "type": "application", "name": "illico", "version": VERSION } },
        "components": components,
    });
    let mut bytes = serde_json::to_vec_pretty(&document).unwrap_or_default();
    bytes.push(b'\n');
    Ok(bytes)
}

fn component(package: &Value) -> Value {
    let (name, version) = (&package["name"], &package["version"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    json!({
        "type": "library",
        "name": name,
        "version": version,
        "purl": format!("pkg:cargo/{}@{}", text(name), text(version)),
        "licenses": [{ "expression": text(&package["license"]).replace('/', " OR ") }],
    })
}

/// Of a line such as `libc v0.2.177` or `illico v0.1.0 (path)`.
fn name_and_version(line: &str) -> Option<(String, String)> {
    let mut words = line.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
}
