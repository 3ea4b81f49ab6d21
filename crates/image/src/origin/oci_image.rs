//! An image as OCI keeps it: a manifest, a configuration, and layers that are blobs with a digest. Where the blobs lie is
//! a layout's or a registry's business.

use std::io::Read;

use super::Origin;
use crate::error::Error;
use crate::oci::{Descriptor, Manifest};

/// Content by its digest.
pub(crate) trait Blobs {
    /// A blob. Reading it to its end fails if it is not what its digest says.
    fn open(&self, image: &str, blob: &Descriptor) -> Result<Box<dyn Read + '_>, Error>;
}

/// One image, and where its layers are.
pub(crate) struct OciImage<B> {
    pub(crate) name: String,
    pub(crate) manifest: Manifest,
    pub(crate) configuration: Vec<u8>,
    pub(crate) blobs: B,
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

    fn open(&self, layer: usize) -> Result<Box<dyn Read + '_>, Error> {
        let missing = || Error::Missing { image: self.name.clone(), what: format!("layer {layer}") };
        self.blobs.open(&self.name, self.manifest.layers.get(layer).ok_or_else(missing)?)
    }
}
