//! Names of images, in the grammar of the OCI distribution specification ("Pulling manifests": `<name>`, `<reference>`) with
//! what people leave out filled in as `docker run` does: `debian` is `docker.io/library/debian:latest`.
//!
//! Whether the named image exists is not known here.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;

const DEFAULT_REGISTRY: &str = "docker.io";
/// Docker Hub answers the distribution API under another name than its own.
const DOCKER_HUB_API: &str = "registry-1.docker.io";
const DEFAULT_TAG: &str = "latest";
/// `<name>` and the registry together, as many clients limit it.
const NAME_MAX: usize = 255;
const TAG_MAX: usize = 128;

/// A full name: registry, repository, and which of its images.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A name that is not one of an image, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' names no image: {why}")]
pub struct NoReference {
    text: String,
    why: &'static str,
}

impl Reference {
    /// The registry: a host and perhaps a port.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository in it, such as `library/debian`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The digest of its manifest or index, if the name has one.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// What the distribution API is asked for: the digest if there is one, else the tag.
    pub fn manifest(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => DEFAULT_TAG.to_owned(),
        }
    }

    /// Where the distribution API of the registry answers.
    pub fn api_host(&self) -> &str {
        if self.registry == DEFAULT_REGISTRY { DOCKER_HUB_API } else { &self.registry }
    }

    /// Whether the registry is on this host, where HTTP without TLS is as good.
    pub fn is_local(&self) -> bool {
        let host = match self.registry.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => self.registry.split(':').next().unwrap_or_default(),
        };
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// As short as a person would write it.
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        let short = full.strip_prefix("docker.io/").unwrap_or(&full);
        let shorter = short.strip_prefix("library/").unwrap_or(short);
        // `docker.io/quay.io/x` would be another image without its registry.
        let same = |text: &&str| text.parse().as_ref() == Ok(self);
        [shorter, short].into_iter().find(same).unwrap_or(&full).to_owned()
    }
}

impl FromStr for Reference {
    type Err = NoReference;

    fn from_str(text: &str) -> Result<Self, NoReference> {
        parse(text).map_err(|why| NoReference { text: text.to_owned(), why })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

fn parse(text: &str) -> Result<Reference, &'static str> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| "what follows '@' is not a sha256 digest")?)),
        None => (text, None),
    };
    // A colon before the last slash is that of a port.
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (rest, None),
    };
    let tag = match (tag, digest) {
        (Some(tag), _) if is_tag(tag) => Some(tag.to_owned()),
        (Some(_), _) => return Err("what follows ':' is not a tag (letters, digits, '_', '.', '-'; at most 128)"),
        (None, None) => Some(DEFAULT_TAG.to_owned()),
        (None, Some(_)) => None,
    };
    let (registry, repository) = match name.split_once('/') {
        Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (first, path.to_owned()),
        Some(_) => (DEFAULT_REGISTRY, name.to_owned()),
        None => (DEFAULT_REGISTRY, format!("library/{name}")),
    };
    // Docker Hub under its older name is the same registry.
    let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
    let repository = if registry == DEFAULT_REGISTRY && !repository.contains('/') {
        format!("library/{repository}")
    } else {
        repository
    };
    if name.is_empty() {
        return Err("it is empty");
    }
    if registry.len().saturating_add(repository.len()) > NAME_MAX {
        return Err("it is longer than 255 characters");
    }
    if !is_registry(registry) {
        return Err("the registry is not a host name");
    }
    if !repository.split('/').all(is_component) {
        return Err("repositories have lower-case letters and digits, with '.', '_', '__' or '-' between them");
    }
    Ok(Reference { registry: registry.to_owned(), repository, tag, digest })
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
fn is_tag(tag: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    tag.len() <= TAG_MAX
        && tag.bytes().all(inside)
        && tag.bytes().next().is_some_and(|byte| !matches!(byte, b'.' | b'-'))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(component: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut separators = component.split(|byte: char| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let allowed = |text: &str| matches!(text, "" | "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    component.bytes().next().is_some_and(word) && component.bytes().last().is_some_and(word) && separators.all(allowed)
}

/// A host name, an IPv4 address, or an IPv6 address in brackets; and perhaps a port.
fn is_registry(registry: &str) -> bool {
    let (host, port) = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            (None, port.strip_prefix(':').or(if port.is_empty() { None } else { Some("") }))
        }
        None => match registry.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(registry), None),
        },
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.is_none_or(|host| host.split('.').all(label))
        && port.is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

#[cfg(test)]
#[path = "reference_test.rs"]
mod tests;
