//! Images of registries (OCI distribution specification 1.1, "Pull"): a manifest or an index of manifests, the configuration,
//! and the layers, each checked against its digest. Nothing is pushed.
//!
//! One connection, one thread: layers are unpacked as they arrive, and nothing of them is kept.

pub mod auth;
mod blob;
mod client;
mod credentials;
pub(crate) mod error;
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
pub use error::RegistryError;

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

    fn open(&self, _image: &str, descriptor: &Descriptor) -> Result<Verified<Box<dyn Read + '_>>, Error> {
        Ok(blob(self, descriptor).boxed())
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
