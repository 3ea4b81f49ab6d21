//! Where the pieces of an OCI image are: a configuration, and layers that are read one after the other.

pub(crate) mod archive;
pub(crate) mod folder;
pub(crate) mod layout;
pub(crate) mod oci_image;

use std::io::Read;

use crate::error::Error;
use crate::oci::Configuration;
use crate::verified::Verified;

/// An image whose layers can be opened.
pub(crate) trait Origin {
    /// What messages call it.
    fn name(&self) -> &str;

    /// The bytes of the configuration: their digest is the image's.
    fn configuration(&self) -> &[u8];

    /// Each layer's size as it is packed, if that is known.
    fn layers(&self) -> Vec<Option<u64>>;

    /// A layer as it is packed.
    fn open(&self, layer: usize) -> Result<Verified<Box<dyn Read + '_>>, Error>;

    /// The configuration, which fits this machine and the layers.
    fn parsed(&self) -> Result<Configuration, Error> {
        Configuration::parse(self.configuration(), self.layers().len()).map_err(Error::document(self.name()))
    }
}
