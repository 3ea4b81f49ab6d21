//! The JSON of images: indexes, manifests and configurations (OCI image specification 1.1, and Docker's schema 2, which
//! differs in its media types only). Unknown fields are ignored, as the specification asks; `null` is a missing field, as
//! Go's encoders write it.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod platform;

use std::collections::BTreeMap;

use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};

use crate::digest::Digest;
pub use platform::{Platform, for_this_machine};

/// The largest manifest, index or configuration. Registries accept manifests of 4 MiB.
pub const DOCUMENT_MAX: u64 = 4 << 20;
/// Types of configurations that are an image's. Old registries gave the last four to whatever they had taken
/// (distribution/distribution issue 1621), and Docker takes them too.
const IMAGES: [&str; 7] = [
    "",
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    "application/octet-stream",
    "application/json",
    "text/html",
    "text/plain",
];
/// How many layers an image may have: thrice what any builder makes.
const LAYERS_MAX: usize = 384;

/// What a manifest or index points to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(default, deserialize_with = "or_default")]
    pub media_type: String,
    #[serde(deserialize_with = "digest")]
    pub digest: Digest,
    pub size: u64,
    #[serde(default)]
    pub platform: Option<Platform>,
    #[serde(default, deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, String>,
    /// What an artifact is; empty for images.
    #[serde(default, deserialize_with = "or_default")]
    pub artifact_type: String,
}

/// A manifest of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
    /// What an artifact is; empty for images.
    pub artifact_type: String,
}

/// A manifest, or an index of manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum Document {
    Manifest(Manifest),
    Index(Vec<Descriptor>),
}

/// What a configuration says.
#[derive(Debug, Clone, Deserialize)]
pub struct Configuration {
    #[serde(flatten)]
    pub platform: Platform,
    #[serde(default)]
    pub config: Option<Execution>,
    #[serde(default, deserialize_with = "or_default")]
    pub rootfs: RootFs,
}

/// How the program of an image is to be started.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Execution {
    pub user: Option<String>,
    pub exposed_ports: Option<BTreeMap<String, IgnoredAny>>,
    pub env: Option<Vec<String>>,
    #[serde(deserialize_with = "words")]
    pub entrypoint: Option<Vec<String>>,
    #[serde(deserialize_with = "words")]
    pub cmd: Option<Vec<String>>,
    pub working_dir: Option<String>,
    pub stop_signal: Option<String>,
}

/// The layers by what is in them, whatever they are compressed with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct RootFs {
    /// Missing for an image without layers: Docker leaves empty lists out.
    #[serde(default, deserialize_with = "digests")]
    pub diff_ids: Vec<Digest>,
}

/// Why a document does not describe an image that can be run.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    #[error("its {what} is not JSON of the expected form")]
    Json { what: &'static str, source: serde_json::Error },
    #[error("its manifest has neither layers nor manifests")]
    Neither,
    #[error("its manifest is of Docker's schema 1, which registries have given up: push it again with a newer program")]
    Schema1,
    #[error("it is for {0}, and this machine is linux/amd64")]
    OtherArchitecture(String),
    #[error("it is for {needed}, and this CPU is x86-64-v{level}")]
    Level { needed: String, level: u8 },
    #[error("its configuration speaks of {diff_ids} layers and its manifest of {layers}")]
    Layers { diff_ids: usize, layers: usize },
    #[error("it has {0} layers; {LAYERS_MAX} are allowed")]
    TooManyLayers(usize),
    #[error("it cannot be run: its configuration has the type '{0}'")]
    NoImage(String),
    #[error("it cannot be run: it is an artifact of type '{0}'")]
    Artifact(String),
    #[error("its indexes lead to indexes more than {0} times")]
    Depth(usize),
    #[error("none of the first {0} entries of its indexes is an image for this machine")]
    Entries(usize),
}

impl DocumentError {
    /// Whether another entry of the same index may be an image for this machine.
    pub(crate) fn is_about_one_entry(&self) -> bool {
        matches!(
            self,
            Self::OtherArchitecture(_) | Self::Level { .. } | Self::NoImage(_) | Self::Artifact(_) | Self::Depth(_)
        )
    }
}

impl Document {
    /// Reads a manifest or an index.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let all: Fields =
            serde_json::from_slice(bytes).map_err(|source| DocumentError::Json { what: "manifest", source })?;
        match all {
            Fields { manifests: Some(manifests), .. } => entries(manifests).map(Self::Index),
            Fields { config: Some(config), layers, artifact_type, .. } => {
                let layers = layers.unwrap_or_default();
                if layers.len() > LAYERS_MAX {
                    return Err(DocumentError::TooManyLayers(layers.len()));
                }
                Ok(Self::Manifest(Manifest { config, layers, artifact_type }))
            }
            Fields { fs_layers: Some(_), .. } => Err(DocumentError::Schema1),
            _ => Err(DocumentError::Neither),
        }
    }
}

impl Configuration {
    /// Reads a configuration, which must fit this machine and the manifest's layers.
    pub fn parse(bytes: &[u8], layers: usize) -> Result<Self, DocumentError> {
        let all: Self =
            serde_json::from_slice(bytes).map_err(|source| DocumentError::Json { what: "configuration", source })?;
        // A missing architecture or system is this machine's: some builders leave them out.
        all.platform.check(platform::level())?;
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
        let kind = self.config.media_type.split(';').next().unwrap_or_default().trim();
        if !IMAGES.contains(&kind) {
            return Err(DocumentError::NoImage(self.config.media_type.clone()));
        }
        if !self.artifact_type.is_empty() {
            return Err(DocumentError::Artifact(self.artifact_type.clone()));
        }
        Ok(())
    }
}

/// The entries of an index. One that cannot be read (a digest of another algorithm, say) costs only itself.
fn entries(values: Vec<serde_json::Value>) -> Result<Vec<Descriptor>, DocumentError> {
    let mut entries = Vec::new();
    let mut wrong = None;
    for value in values {
        match serde_json::from_value(value) {
            Ok(entry) => entries.push(entry),
            Err(source) => wrong = Some(DocumentError::Json { what: "manifest", source }),
        }
    }
    match wrong {
        Some(wrong) if entries.is_empty() => Err(wrong),
        _ => Ok(entries),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<serde_json::Value>>,
    fs_layers: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "or_default")]
    artifact_type: String,
}

/// `null` is a missing field.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// A command: a list of words or, as Docker once wrote it, one word.
fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Words {
        Many(Vec<String>),
        One(String),
    }
    Ok(Option::deserialize(from)?.map(|words| match words {
        Words::Many(words) => words,
        Words::One(word) => vec![word],
    }))
}

fn digest<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

fn digests<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Digest>, D::Error> {
    let texts: Vec<String> = or_default(from)?;
    texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
}

#[cfg(test)]
#[path = "oci_test.rs"]
mod tests;
