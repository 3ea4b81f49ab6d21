//! The JSON of images: indexes, manifests and configurations (OCI image specification 1.1, and Docker's schema 2, which
//! differs in its media types only). Unknown fields are ignored, as the specification asks.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::collections::BTreeMap;

use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};

use crate::digest::Digest;

/// The largest manifest, index or configuration. Registries accept manifests of 4 MiB.
pub const DOCUMENT_MAX: u64 = 4 << 20;
/// How many layers an image may have: thrice what any builder makes.
const LAYERS_MAX: usize = 384;

/// What a manifest or index points to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    #[serde(deserialize_with = "digest")]
    pub digest: Digest,
    pub size: u64,
    #[serde(default)]
    pub platform: Option<Platform>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// What a manifest is for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Platform {
    pub architecture: String,
    pub os: String,
}

/// A manifest of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
}

/// A manifest, or an index of manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    Manifest(Manifest),
    Index(Vec<Descriptor>),
}

/// What a configuration says.
#[derive(Debug, Clone, Deserialize)]
pub struct Configuration {
    pub architecture: String,
    pub os: String,
    #[serde(default)]
    pub config: Option<Execution>,
    pub rootfs: RootFs,
}

/// How the program of an image is to be started.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Execution {
    pub user: Option<String>,
    pub exposed_ports: Option<BTreeMap<String, IgnoredAny>>,
    pub env: Option<Vec<String>>,
    pub entrypoint: Option<Vec<String>>,
    pub cmd: Option<Vec<String>>,
    pub working_dir: Option<String>,
    pub stop_signal: Option<String>,
}

/// The layers by what is in them, whatever they are compressed with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RootFs {
    #[serde(deserialize_with = "digests")]
    pub diff_ids: Vec<Digest>,
}

/// What is no description of an image.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    #[error("its {what} is no JSON that was expected")]
    Json { what: &'static str, source: serde_json::Error },
    #[error("its manifest has neither layers nor manifests")]
    Neither,
    #[error("its manifest is of Docker's schema 1, which registries have given up: push it again with a newer program")]
    Schema1,
    #[error("it is for {0}, and this machine is linux/amd64")]
    OtherArchitecture(String),
    #[error("its configuration speaks of {diff_ids} layers and its manifest of {layers}")]
    Layers { diff_ids: usize, layers: usize },
    #[error("it has {0} layers; {LAYERS_MAX} are allowed")]
    TooManyLayers(usize),
    #[error("it is no image to run: its configuration is of type '{0}'")]
    NoImage(String),
}

impl Document {
    /// Reads a manifest or an index.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let all: Fields =
            serde_json::from_slice(bytes).map_err(|source| DocumentError::Json { what: "manifest", source })?;
        match all {
            Fields { manifests: Some(manifests), .. } => Ok(Self::Index(manifests)),
            Fields { config: Some(config), layers: Some(layers), .. } => {
                if layers.len() > LAYERS_MAX {
                    return Err(DocumentError::TooManyLayers(layers.len()));
                }
                Ok(Self::Manifest(Manifest { config, layers }))
            }
            Fields { fs_layers: Some(_), .. } => Err(DocumentError::Schema1),
            _ => Err(DocumentError::Neither),
        }
    }
}

/// Of an index, the manifest for this machine. Those that do not say what they are for are taken if there is no other.
pub fn for_this_machine(manifests: &[Descriptor]) -> Result<&Descriptor, DocumentError> {
    let is_ours = |platform: &Platform| platform.os == "linux" && platform.architecture == "amd64";
    let ours = manifests.iter().find(|one| one.platform.as_ref().is_some_and(is_ours));
    let silent = || manifests.iter().find(|one| one.platform.is_none());
    ours.or_else(silent).ok_or_else(|| {
        let others = manifests.iter().filter_map(|one| one.platform.as_ref());
        // Attestations of builders are listed as images of an unknown platform.
        let mut others: Vec<String> =
            others.filter(|one| one.os != "unknown").map(|one| format!("{}/{}", one.os, one.architecture)).collect();
        others.dedup();
        DocumentError::OtherArchitecture(if others.is_empty() { "no machine".to_owned() } else { others.join(", ") })
    })
}

impl Configuration {
    /// Reads a configuration, which must fit this machine and the manifest's layers.
    pub fn parse(bytes: &[u8], layers: usize) -> Result<Self, DocumentError> {
        let all: Self =
            serde_json::from_slice(bytes).map_err(|source| DocumentError::Json { what: "configuration", source })?;
        if all.os != "linux" || all.architecture != "amd64" {
            return Err(DocumentError::OtherArchitecture(format!("{}/{}", all.os, all.architecture)));
        }
        let diff_ids = all.rootfs.diff_ids.len();
        if diff_ids != layers {
            return Err(DocumentError::Layers { diff_ids, layers });
        }
        Ok(all)
    }
}

impl Manifest {
    /// Whether this is an image at all: registries keep other things as well.
    pub fn check(&self) -> Result<(), DocumentError> {
        let kind = &self.config.media_type;
        let image = ["", "application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
        if image.contains(&&**kind) { Ok(()) } else { Err(DocumentError::NoImage(kind.clone())) }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    fs_layers: Option<IgnoredAny>,
}

fn digest<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

fn digests<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Digest>, D::Error> {
    Vec::<String>::deserialize(from)?.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
}

#[cfg(test)]
#[path = "oci_test.rs"]
mod tests;
