//! An image as OCI keeps it: a manifest, a configuration, and layers that are blobs with a digest. Where the blobs lie is
//! a layout's or a registry's business.
//!
//! An index is searched for the best image of this machine. Its entries may be indexes again, and an entry without a platform
//! is known only by its configuration; so entries are tried one after the other, within bounds.

use std::io::Read;

use super::Origin;
use crate::error::Error;
use crate::oci::{Configuration, Descriptor, Document, DocumentError, Manifest, for_this_machine};
use crate::verified::Verified;

/// How deep indexes may lead to indexes.
const MAX_DEPTH: usize = 4;
/// How many entries of indexes are read for one image.
const MAX_ENTRIES: usize = 64;

/// Content by its digest.
pub(crate) trait Blobs {
    /// A manifest or an index.
    fn document(&self, image: &str, blob: &Descriptor) -> Result<Vec<u8>, Error>;

    /// A configuration.
    fn configuration(&self, image: &str, blob: &Descriptor) -> Result<Vec<u8>, Error>;

    /// A layer.
    fn open(&self, image: &str, blob: &Descriptor) -> Result<Verified<Box<dyn Read + '_>>, Error>;
}

/// One image, and where its layers are.
pub(crate) struct OciImage<B> {
    name: String,
    manifest: Manifest,
    configuration: Vec<u8>,
    blobs: B,
}

impl<B: Blobs> OciImage<B> {
    /// The first of these entries of an index that leads to an image for this machine.
    pub(crate) fn choose(name: String, blobs: B, entries: &[&Descriptor]) -> Result<Self, Error> {
        let mut search = Search { blobs: &blobs, image: &name, left: MAX_ENTRIES };
        let (manifest, configuration) = search.entries(entries, 0)?;
        Ok(Self { name, manifest, configuration, blobs })
    }

    /// The image for this machine that this manifest or index leads to.
    pub(crate) fn from_document(name: String, blobs: B, document: Document) -> Result<Self, Error> {
        let mut search = Search { blobs: &blobs, image: &name, left: MAX_ENTRIES };
        let (manifest, configuration) = search.document(document, 0)?;
        Ok(Self { name, manifest, configuration, blobs })
    }
}

/// A search for an image.
struct Search<'a, B> {
    blobs: &'a B,
    image: &'a str,
    /// How many entries may still be read.
    left: usize,
}

impl<B: Blobs> Search<'_, B> {
    fn entries(&mut self, entries: &[&Descriptor], depth: usize) -> Result<(Manifest, Vec<u8>), Error> {
        let mut why = None;
        for entry in entries {
            let Some(left) = self.left.checked_sub(1) else { break };
            self.left = left;
            let bytes = self.blobs.document(self.image, entry)?;
            let document = Document::parse(&bytes).map_err(Error::document(self.image))?;
            match self.document(document, depth) {
                Err(Error::Document { source, .. }) if source.is_about_one_entry() => why = why.or(Some(source)),
                found => return found,
            }
        }
        Err(Error::document(self.image)(why.unwrap_or(DocumentError::Entries(MAX_ENTRIES))))
    }

    fn document(&mut self, document: Document, depth: usize) -> Result<(Manifest, Vec<u8>), Error> {
        let manifest = match document {
            Document::Manifest(manifest) => manifest,
            Document::Index(_) if depth >= MAX_DEPTH => {
                return Err(Error::document(self.image)(DocumentError::Depth(MAX_DEPTH)));
            }
            Document::Index(entries) => {
                let entries = for_this_machine(&entries).map_err(Error::document(self.image))?;
                return self.entries(&entries, depth.saturating_add(1));
            }
        };
        manifest.check().map_err(Error::document(self.image))?;
        let configuration = self.blobs.configuration(self.image, &manifest.config)?;
        Configuration::parse(&configuration, manifest.layers.len()).map_err(Error::document(self.image))?;
        Ok((manifest, configuration))
    }
}

impl<B: Blobs> Origin for OciImage<B> {
    fn name(&self) -> &str {
        &self.name
    }

    fn configuration(&self) -> &[u8] {
        &self.configuration
    }

    fn layers(&self) -> Vec<Option<u64>> {
        self.manifest.layers.iter().map(|layer| Some(layer.size)).collect()
    }

    fn open(&self, layer: usize) -> Result<Verified<Box<dyn Read + '_>>, Error> {
        let missing = || Error::Missing { image: self.name.clone(), what: format!("layer {layer}") };
        self.blobs.open(&self.name, self.manifest.layers.get(layer).ok_or_else(missing)?)
    }
}
