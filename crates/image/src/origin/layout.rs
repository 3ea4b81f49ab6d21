//! OCI layouts (OCI image specification, "Image Layout"): a folder, or an archive of one, with blobs by their digest.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::archive::Archive;
use super::oci_image::{Blobs, OciImage};
use crate::digest::Digest;
use crate::error::Error;
use crate::oci::{DOCUMENT_MAX, Descriptor, Document, for_this_machine};
use crate::verified::{Verified, read_at_most};

/// Annotation of an index: the name of the image, often only its tag.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Where the files of a layout are.
pub(crate) enum Files {
    Folder(PathBuf),
    Archive(Archive),
}

impl Files {
    fn file(&self, image: &str, name: &str) -> Result<Box<dyn Read + '_>, Error> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                Ok(Box::new(File::open(&path).map_err(Error::file("open", &path))?))
            }
            Self::Archive(archive) => match archive.open(name.as_bytes()) {
                Some(file) => Ok(Box::new(file)),
                None => Err(Error::Missing { image: image.to_owned(), what: name.to_owned() }),
            },
        }
    }
}

impl Blobs for Files {
    fn document(&self, image: &str, blob: &Descriptor) -> Result<Vec<u8>, Error> {
        read_blob(self, image, blob)
    }

    fn configuration(&self, image: &str, blob: &Descriptor) -> Result<Vec<u8>, Error> {
        read_blob(self, image, blob)
    }

    fn open(&self, image: &str, blob: &Descriptor) -> Result<Verified<Box<dyn Read + '_>>, Error> {
        Ok(Verified::new(self.file(image, &path_of(blob.digest))?, blob.size, blob.digest))
    }
}

/// Whether this is the content of a layout's file `oci-layout`.
pub(crate) fn is_marker(content: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Marker {
        #[serde(rename = "imageLayoutVersion")]
        _version: String,
    }
    serde_json::from_slice::<Marker>(content).is_ok()
}

/// The image of this name in the layout, or its only one.
pub(crate) fn open(files: Files, path: &Path, wanted: Option<&str>) -> Result<OciImage<Files>, Error> {
    let name = path.display().to_string();
    let index = read_at_most(files.file(&name, "index.json")?, DOCUMENT_MAX);
    let index = index.map_err(Error::file("read", path.join("index.json")))?;
    let Document::Index(manifests) = Document::parse(&index).map_err(Error::document(&name))? else {
        return Err(Error::Missing { image: name, what: "list of manifests in its index.json".to_owned() });
    };
    let chosen = choose(&manifests, wanted, &name)?;
    OciImage::choose(name, files, &chosen)
}

/// The entries of `index.json` that may be the wanted image, best first.
fn choose<'a>(manifests: &'a [Descriptor], wanted: Option<&str>, image: &str) -> Result<Vec<&'a Descriptor>, Error> {
    fn name(one: &Descriptor) -> Option<&str> {
        one.annotations.get(REF_NAME).map(String::as_str)
    }
    let missing = |what: String| Error::Missing { image: image.to_owned(), what };
    let candidates: Vec<&Descriptor> = match wanted {
        Some(wanted) => {
            let is_it = |one: &&Descriptor| {
                let tag = name(one).and_then(|name| name.rsplit(':').next());
                name(one) == Some(wanted) || tag == Some(wanted) || wanted.parse() == Ok(one.digest)
            };
            manifests.iter().filter(is_it).collect()
        }
        // Attestations and signatures beside the only image do not make it one of several.
        None if manifests.iter().any(|one| !one.is_attachment()) => {
            manifests.iter().filter(|one| !one.is_attachment()).collect()
        }
        None => manifests.iter().collect(),
    };
    match candidates[..] {
        [] => Err(missing(wanted.map_or_else(|| "manifest".to_owned(), |wanted| format!("image '{wanted}'")))),
        [only] => Ok(vec![only]),
        // One image for several machines, listed without an index of its own; or several images.
        [first, ..] if candidates.iter().all(|one| name(one) == name(first)) => {
            for_this_machine(candidates).map_err(Error::document(image))
        }
        _ if wanted.is_some() => Ok(candidates.into_iter().take(1).collect()),
        _ => {
            let names = candidates.iter().map(|one| name(one).map_or_else(|| one.digest.to_string(), str::to_owned));
            Err(Error::Several { image: image.to_owned(), names: names.collect() })
        }
    }
}

fn read_blob(files: &Files, image: &str, blob: &Descriptor) -> Result<Vec<u8>, Error> {
    files.open(image, blob)?.bytes(DOCUMENT_MAX).map_err(Error::file("read", path_of(blob.digest)))
}

fn path_of(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
