//! Images of registries (OCI distribution specification 1.1, "Pull"): a manifest or an index of manifests, the configuration,
//! and the layers, each checked against its digest. Nothing is pushed.
//!
//! One connection, one thread: layers are unpacked as they arrive, and nothing of them is kept.

pub mod auth;
mod blob;
mod client;
mod credentials;
mod proxy;

use std::io::Read;

use crate::digest::Digest;
use crate::error::Error;
use crate::oci::{DOCUMENT_MAX, Descriptor, Document};
use crate::origin::oci_image::{Blobs, OciImage};
use crate::reference::Reference;
use crate::verified::{Verified, WrongContent};
use blob::Blob;
use client::Client;
pub use credentials::HelperError;

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
    #[error("the registry '{host}' wants a login, and the helper 'docker-credential-{helper}' has none")]
    Helper { host: String, helper: String, source: HelperError },
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
    let document = Document::parse(&bytes).map_err(Error::document(&image))?;
    OciImage::from_document(image, client, document)
}

impl Blobs for Client {
    fn document(&self, image: &str, blob: &Descriptor) -> Result<Vec<u8>, Error> {
        let read = self.manifest(&blob.digest.to_string(), Some(blob.digest));
        read.map_err(|source| Error::Registry { image: image.to_owned(), source })
    }

    fn configuration(&self, image: &str, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        let read = blob(self, descriptor).bytes(DOCUMENT_MAX);
        read.map_err(|error| Error::Registry { image: image.to_owned(), source: self.unreadable(error) })
    }

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
