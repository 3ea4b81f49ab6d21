//! What can go wrong between a name and an image, each as one line.

use std::io;
use std::path::PathBuf;

use crate::digest::Digest;
use crate::erofs::WriteError;
use crate::layer::EntryError;
use crate::oci::DocumentError;
use crate::registry::error::RegistryError;
use crate::tar::TarError;

/// Why an image cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("'{image}'")]
    Registry { image: String, source: RegistryError },
    #[error("cannot {what} '{}'", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("'{image}'")]
    Document { image: String, source: DocumentError },
    #[error("'{image}', layer {number} of {count}")]
    Layer { image: String, number: usize, count: usize, source: EntryError },
    #[error("'{image}', layer {number} of {count}: cannot read")]
    Blob { image: String, number: usize, count: usize, source: io::Error },
    #[error(
        "'{image}', layer {number} of {count}: what it unpacks to has the digest {found}, and its configuration says {wanted}"
    )]
    DiffId { image: String, number: usize, count: usize, found: Digest, wanted: Digest },
    #[error("'{image}'")]
    Entry { image: String, source: EntryError },
    #[error("'{image}'")]
    Write { image: String, source: WriteError },
    #[error("'{image}'")]
    Tar { image: String, source: TarError },
    #[error("'{}' is not an image: neither an OCI layout or archive, a tar or a folder, nor an ext4, erofs or squashfs file", .0.display())]
    NotAnImage(PathBuf),
    #[error("'{image}' has no {what}")]
    Missing { image: String, what: String },
    #[error("'{image}' has several images ({}): say which, as in '{image}:{}'", .names.join(", "), .names.first().map_or("NAME", |name| name))]
    Several { image: String, names: Vec<String> },
    #[error("there is no image '{0}' in the store (illico images lists them)")]
    Unknown(String),
    #[error("'{0}' is the beginning of several images' digests")]
    Ambiguous(String),
    #[error("neither XDG_DATA_HOME nor HOME says where images are to be kept")]
    NoHome,
    #[error("the image of the name '{name}' is damaged or gone: import or pull it again, or `illico rmi {name}`")]
    Broken { name: String },
    #[error("the image {id} has lost its file '{}': import or pull it again, or remove it", path.display())]
    NoRoot { id: Digest, path: PathBuf },
    #[error("names of images were damaged ('{}'): pull or import what is wanted, then remove that file", path.display())]
    Names { path: PathBuf },
    #[error("the store's record '{}' is damaged: remove it", path.display())]
    Record { path: PathBuf, source: serde_json::Error },
}

impl Error {
    /// For `map_err`: what was attempted with which file.
    pub(crate) fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }

    /// Whether a file was not there.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    pub(crate) fn document(image: &str) -> impl FnOnce(DocumentError) -> Self {
        let image = image.to_owned();
        move |source| Self::Document { image, source }
    }
}
