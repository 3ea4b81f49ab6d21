//! OCI layouts (OCI image specification, "Image Layout"): a folder, or an archive of one, with blobs by their digest.

use std::fs::File;
use std::io::{Read, Take};
use std::path::{Path, PathBuf};

use super::archive::Archive;
use super::oci_image::{Blobs, OciImage};
use crate::digest::Digest;
use crate::error::Error;
use crate::oci::{DOCUMENT_MAX, Descriptor, Document, DocumentError, Manifest, for_this_machine};
use crate::verified::Verified;

/// Annotation of an index: the name of the image, often only its tag.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Indexes may lead to indexes, but not for ever.
const DEPTH_MAX: usize = 4;

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
    fn open(&self, image: &str, blob: &Descriptor) -> Result<Box<dyn Read + '_>, Error> {
        let file = self.file(image, &path_of(blob.digest))?;
        Ok(Box::new(Verified::new(file, blob.size, blob.digest)))
    }
}

/// The image of this name in the layout, or its only one.
pub(crate) fn open(files: Files, path: &Path, wanted: Option<&str>) -> Result<OciImage<Files>, Error> {
    let name = path.display().to_string();
    let mut index = Vec::new();
    let read = bounded(files.file(&name, "index.json")?).read_to_end(&mut index);
    read.map_err(Error::file("read", path.join("index.json")))?;
    let Document::Index(manifests) = Document::parse(&index).map_err(Error::document(&name))? else {
        return Err(Error::Missing { image: name, what: "list of manifests in its index.json".to_owned() });
    };
    let chosen = choose(&manifests, wanted, &name)?;
    let manifest = descend(&files, &name, chosen)?;
    manifest.check().map_err(Error::document(&name))?;
    let configuration = read_blob(&files, &name, &manifest.config)?;
    Ok(OciImage { name, manifest, configuration, blobs: files })
}

fn choose<'a>(manifests: &'a [Descriptor], wanted: Option<&str>, image: &str) -> Result<&'a Descriptor, Error> {
    fn name(one: &Descriptor) -> Option<&str> {
        one.annotations.get(REF_NAME).map(String::as_str)
    }
    let missing = |what: String| Error::Missing { image: image.to_owned(), what };
    if let Some(wanted) = wanted {
        let is_it = |one: &&Descriptor| {
            let tag = name(one).and_then(|name| name.rsplit(':').next());
            name(one) == Some(wanted) || tag == Some(wanted) || wanted.parse() == Ok(one.digest)
        };
        return manifests.iter().find(is_it).ok_or_else(|| missing(format!("image '{wanted}'")));
    }
    match manifests {
        [] => Err(missing("manifest".to_owned())),
        [only] => Ok(only),
        // One image for several machines, listed without an index of its own; or several images.
        several if several.iter().all(|one| name(one) == several.first().and_then(name)) => {
            for_this_machine(several).map_err(Error::document(image))
        }
        several => {
            let names = several.iter().map(|one| name(one).map_or_else(|| one.digest.to_string(), str::to_owned));
            Err(Error::Several { image: image.to_owned(), names: names.collect() })
        }
    }
}

fn descend(files: &Files, image: &str, first: &Descriptor) -> Result<Manifest, Error> {
    let mut descriptor = first.clone();
    for _ in 0..DEPTH_MAX {
        let bytes = read_blob(files, image, &descriptor)?;
        match Document::parse(&bytes).map_err(Error::document(image))? {
            Document::Manifest(manifest) => return Ok(manifest),
            Document::Index(manifests) => {
                descriptor = for_this_machine(&manifests).map_err(Error::document(image))?.clone();
            }
        }
    }
    Err(Error::Document { image: image.to_owned(), source: DocumentError::Neither })
}

fn read_blob(files: &Files, image: &str, blob: &Descriptor) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = bounded(files.open(image, blob)?).read_to_end(&mut bytes);
    read.map_err(Error::file("read", path_of(blob.digest)))?;
    Ok(bytes)
}

fn path_of(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn bounded<R: Read>(reader: R) -> Take<R> {
    reader.take(DOCUMENT_MAX)
}
