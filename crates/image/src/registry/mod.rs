//! Images of registries (OCI distribution specification 1.1, "Pull"): a manifest or an index of manifests, the configuration,
//! and the layers, each checked against its digest. Nothing is pushed.
//!
//! One connection, one thread: layers are unpacked as they arrive, and nothing of them is kept.

mod auth;
mod blob;
mod client;
mod credentials;

use std::io::Read;

use crate::digest::Digest;
use crate::error::Error;
use crate::oci::{DOCUMENT_MAX, Descriptor, Document, for_this_machine};
use crate::origin::oci_image::{Blobs, OciImage};
use crate::reference::Reference;
use crate::verified::{Verified, WrongContent};
use blob::Blob;
use client::Client;

/// Why a registry does not give what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("cannot reach the registry '{host}'")]
    Unreachable { host: String, source: std::io::Error },
    #[error("the registry '{host}' has no such image")]
    NotFound { host: String },
    #[error(
        "the registry '{host}' wants to know who asks, or has no such image (status {status}): `docker login {host}` or `podman login {host}` first"
    )]
    Refused { host: String, status: u16 },
    #[error("the registry '{host}' asks for a login in a way that is not known: '{asked}'")]
    Challenge { host: String, asked: String },
    #[error("the registry '{host}' answers with status {status}")]
    Status { host: String, status: u16 },
    #[error("what the registry '{host}' answers cannot be read")]
    Answer { host: String, source: std::io::Error },
    #[error("what the registry '{host}' gives for a login is no token")]
    Token { host: String, source: serde_json::Error },
    #[error("what the registry '{host}' gives is not what it was asked for")]
    Wrong { host: String, source: WrongContent },
    #[error("the file '{path}' has no certificates of authorities (Debian's package ca-certificates does)")]
    NoAuthorities { path: String },
}

/// The image of a registry, but for its layers, which are asked for as they are read.
pub(crate) fn open(name: &Reference, plain_http: bool) -> Result<OciImage<Client>, Error> {
    let image = name.familiar();
    let failed = |source| Error::Registry { image: image.clone(), source };
    let client = Client::new(name, plain_http).map_err(failed)?;
    let bytes = client.manifest(&name.manifest(), name.digest()).map_err(failed)?;
    let manifest = match Document::parse(&bytes).map_err(Error::document(&image))? {
        Document::Manifest(manifest) => manifest,
        Document::Index(manifests) => {
            let chosen = for_this_machine(&manifests).map_err(Error::document(&image))?;
            let bytes = client.manifest(&chosen.digest.to_string(), Some(chosen.digest)).map_err(failed)?;
            match Document::parse(&bytes).map_err(Error::document(&image))? {
                Document::Manifest(manifest) => manifest,
                // The specification allows it, and no builder makes it.
                Document::Index(_) => return Err(Error::document(&image)(crate::oci::DocumentError::Neither)),
            }
        }
    };
    manifest.check().map_err(Error::document(&image))?;
    let mut configuration = Vec::new();
    let read = blob(&client, &manifest.config).take(DOCUMENT_MAX).read_to_end(&mut configuration);
    read.map_err(|error| failed(client.unreadable(error)))?;
    Ok(OciImage { name: image, manifest, configuration, blobs: client })
}

impl Blobs for Client {
    fn open(&self, _image: &str, descriptor: &Descriptor) -> Result<Box<dyn Read + '_>, Error> {
        Ok(Box::new(blob(self, descriptor)))
    }
}

fn blob<'a>(client: &'a Client, blob: &Descriptor) -> Verified<Blob<'a>> {
    Verified::new(Blob::new(client, blob.digest, blob.size), blob.size, blob.digest)
}

/// Content that came with its digest.
fn checked(bytes: &[u8], wanted: Digest) -> Result<(), WrongContent> {
    match Digest::of(bytes) {
        found if found == wanted => Ok(()),
        found => Err(WrongContent::Digest { found, wanted }),
    }
}

#[cfg(test)]
#[path = "registry_test.rs"]
mod tests;
