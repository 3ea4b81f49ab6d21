//! Which entries of an index are for this machine (OCI image index specification, "platform"), best first.
//!
//! The machine is linux/amd64. Variants are the levels of the x86-64 psABI, `v1` to `v4`: an image for a level above that of
//! this CPU would end with SIGILL, so it is never chosen.

use serde::Deserialize;

use super::{Descriptor, DocumentError, or_default};

/// Annotation of BuildKit: the entry describes another one (`attestation-manifest`).
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// The platform of a manifest. Empty fields make no statement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// `amd64` in Go's words, `x86_64` in those of some builders.
    #[serde(default, deserialize_with = "or_default")]
    pub architecture: String,
    /// `linux`.
    #[serde(default, deserialize_with = "or_default")]
    pub os: String,
    /// `v1` to `v4`; empty is `v1`.
    #[serde(default, deserialize_with = "or_default")]
    pub variant: String,
}

/// Why a platform is not for this machine.
enum Unfit {
    Other,
    /// It is, but for its CPU.
    Level,
}

impl Platform {
    /// Whether it makes no statement at all.
    fn is_silent(&self) -> bool {
        self.architecture.is_empty() && self.os.is_empty()
    }

    /// The level of x86-64 that it needs, if this machine with a CPU of `level` has that.
    fn fit(&self, level: u8) -> Result<u8, Unfit> {
        let os = self.os.to_ascii_lowercase();
        let architecture = self.architecture.to_ascii_lowercase();
        if !matches!(&*os, "" | "linux") || !matches!(&*architecture, "" | "amd64" | "x86_64" | "x86-64") {
            return Err(Unfit::Other);
        }
        let variant = self.variant.to_ascii_lowercase();
        let needed = match variant.strip_prefix("x86-64-").unwrap_or(&variant) {
            "" | "v1" => 1,
            "v2" => 2,
            "v3" => 3,
            "v4" => 4,
            _ => return Err(Unfit::Level),
        };
        if needed <= level { Ok(needed) } else { Err(Unfit::Level) }
    }

    /// Refuses what this machine with a CPU of `level` cannot run.
    pub(super) fn check(&self, level: u8) -> Result<(), DocumentError> {
        match self.fit(level) {
            Ok(_) => Ok(()),
            Err(Unfit::Other) => Err(DocumentError::OtherArchitecture(self.to_string())),
            Err(Unfit::Level) => Err(DocumentError::Level { needed: self.to_string(), level }),
        }
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", or_this(&self.os, "linux"), or_this(&self.architecture, "amd64"))?;
        // An ARM variant is of no interest here: the architecture is the reason.
        let is_ours = matches!(&*self.architecture, "" | "amd64" | "x86_64" | "x86-64");
        if is_ours && !self.variant.is_empty() { write!(f, "/{}", self.variant) } else { Ok(()) }
    }
}

fn or_this<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}

/// The entries of an index that may be an image for this machine, best first: never empty.
pub fn for_this_machine<'a>(
    manifests: impl IntoIterator<Item = &'a Descriptor>,
) -> Result<Vec<&'a Descriptor>, DocumentError> {
    for_level(manifests, level())
}

/// The same for a CPU of a given level: the highest level comes first, then entries without a platform, in their order.
fn for_level<'a>(
    manifests: impl IntoIterator<Item = &'a Descriptor>,
    level: u8,
) -> Result<Vec<&'a Descriptor>, DocumentError> {
    let images: Vec<&Descriptor> = manifests.into_iter().filter(|one| !one.is_attachment()).collect();
    let ranked = images.iter().filter_map(|&one| match one.platform() {
        None => Some((0, one)),
        Some(platform) => platform.fit(level).ok().map(|needed| (needed, one)),
    });
    let mut ranked: Vec<(u8, &Descriptor)> = ranked.collect();
    // Stable: entries of one level stay in their order.
    ranked.sort_by_key(|&(needed, _)| std::cmp::Reverse(needed));
    if !ranked.is_empty() {
        return Ok(ranked.into_iter().map(|(_, one)| one).collect());
    }
    let needs_more = |one: &&Descriptor| one.platform().is_some_and(|it| matches!(it.fit(level), Err(Unfit::Level)));
    if let Some(platform) = images.iter().copied().find(needs_more).and_then(Descriptor::platform) {
        return Err(DocumentError::Level { needed: platform.to_string(), level });
    }
    let mut others: Vec<String> = images.iter().filter_map(|one| one.platform()).map(ToString::to_string).collect();
    others.dedup();
    Err(DocumentError::OtherArchitecture(if others.is_empty() { "no machine".to_owned() } else { others.join(", ") }))
}

impl Descriptor {
    /// The platform, if it states one.
    fn platform(&self) -> Option<&Platform> {
        self.platform.as_ref().filter(|platform| !platform.is_silent())
    }

    /// Whether it belongs to an image without being one: an attestation, a signature, a bill of materials.
    pub(crate) fn is_attachment(&self) -> bool {
        self.annotations.contains_key(REFERENCE_TYPE)
            || !self.artifact_type.is_empty()
            // Attestations of builders are listed as images of an unknown platform.
            || self.platform.as_ref().is_some_and(|it| it.os == "unknown" || it.architecture == "unknown")
    }
}

/// The level of the x86-64 psABI that this CPU has, by CPUID.
#[cfg(target_arch = "x86_64")]
pub(super) fn level() -> u8 {
    use std::arch::is_x86_feature_detected as has;
    let v2 = has!("cmpxchg16b") && has!("popcnt") && has!("sse3") && has!("ssse3") && has!("sse4.1") && has!("sse4.2");
    let v3 = v2
        && has!("avx")
        && has!("avx2")
        && has!("bmi1")
        && has!("bmi2")
        && has!("f16c")
        && has!("fma")
        && has!("lzcnt")
        && has!("movbe");
    let v4 = v3 && has!("avx512f") && has!("avx512bw") && has!("avx512cd") && has!("avx512dq") && has!("avx512vl");
    [v2, v3, v4].into_iter().fold(1_u8, |level, has| level.saturating_add(u8::from(has)))
}

/// The baseline, where the crate is only built for its tools.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn level() -> u8 {
    1
}

#[cfg(test)]
#[path = "platform_test.rs"]
mod tests;
