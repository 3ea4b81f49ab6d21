//! Tars with images in them: where each file lies, and what `docker save` and `podman save` write (manifest.json, with the
//! configuration and the layers as files of their own).

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;

use super::{Origin, layout};
use crate::error::Error;
use crate::file_part::FilePart;
use crate::oci::{DOCUMENT_MAX, DocumentError};
use crate::tar::{BLOCK, Reader, TarError, Type};
use crate::verified::{Verified, read_at_most};

/// More entries than any saved image has: from here on a tar is a root file system.
const ENTRIES_MAX: usize = 20_000;
/// Layers that are the same are links to one of them, and those lead to no further ones.
const LINKS_MAX: usize = 4;

/// A file in the archive, or another name of one.
#[derive(Debug, Clone)]
enum Member {
    File { offset: u64, len: u64 },
    Link(Vec<u8>),
}

/// An archive whose files can be opened by name.
#[derive(Debug)]
pub(crate) struct Archive {
    file: File,
    members: HashMap<Vec<u8>, Member>,
}

impl Archive {
    /// Looks where the files of a tar are. It may turn out to be a root file system.
    pub(crate) fn index(file: File) -> Result<Self, TarError> {
        let mut members = HashMap::new();
        let mut at = 0_u64;
        while members.len() < ENTRIES_MAX {
            // From each entry anew, so that nothing of the data is read.
            let mut reader = Reader::new(FilePart { file: &file, at, left: u64::MAX });
            let Some(entry) = reader.next_entry()? else { break };
            let offset = at.saturating_add(entry.offset);
            let len = entry.segments.iter().fold(0_u64, |sum, segment| sum.saturating_add(segment.len));
            at = offset.saturating_add(len).next_multiple_of(BLOCK);
            let name = cleaned(&entry.path);
            match entry.kind {
                Type::File => drop(members.insert(name, Member::File { offset, len })),
                Type::HardLink => drop(members.insert(name, Member::Link(cleaned(&entry.link)))),
                Type::Symlink => {
                    let target = beside(&name, &entry.link);
                    drop(members.insert(name, Member::Link(target)));
                }
                _ => {}
            }
        }
        Ok(Self { file, members })
    }

    /// Whether it is an OCI layout: a root file system may have files of these names too.
    pub(crate) fn is_layout(&self) -> bool {
        let start = self.open(b"oci-layout").and_then(|part| document(part).ok()).unwrap_or_default();
        layout::is_marker(&start) && self.find(b"index.json").is_some()
    }

    /// Whether it is what `docker save` writes: its `manifest.json` lists images. That of a web application does not.
    pub(crate) fn is_docker(&self) -> bool {
        let manifest = self.open(b"manifest.json").and_then(|part| document(part).ok()).unwrap_or_default();
        serde_json::from_slice::<Vec<Saved>>(&manifest).is_ok_and(|saved| !saved.is_empty())
    }

    /// A file of it.
    pub(crate) fn open(&self, name: &[u8]) -> Option<FilePart<'_>> {
        self.find(name).map(|(at, left)| FilePart { file: &self.file, at, left })
    }

    /// The archive itself.
    pub(crate) fn into_file(self) -> File {
        self.file
    }

    fn find(&self, name: &[u8]) -> Option<(u64, u64)> {
        let mut name = name;
        for _ in 0..LINKS_MAX {
            match self.members.get(name)? {
                Member::File { offset, len } => return Some((*offset, *len)),
                Member::Link(target) => name = target,
            }
        }
        None
    }
}

/// A small file.
fn document(part: FilePart<'_>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    part.take(DOCUMENT_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Without `./` in front, as manifests name files.
fn cleaned(path: &[u8]) -> Vec<u8> {
    let path = path.strip_prefix(b"./").unwrap_or(path);
    path.strip_prefix(b"/").unwrap_or(path).to_vec()
}

/// Where a symbolic link leads from its folder: `../x/layer.tar`.
fn beside(name: &[u8], target: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> = name.split(|&byte| byte == b'/').collect();
    names.pop();
    for part in target.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(names.pop()),
            part => names.push(part),
        }
    }
    names.join(&b'/')
}

/// An image in manifest.json.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    /// Null for an image without layers, but never missing.
    #[serde(deserialize_with = "Option::deserialize")]
    layers: Option<Vec<String>>,
}

/// One image of what `docker save` wrote.
#[derive(Debug)]
pub(crate) struct DockerArchive {
    archive: Archive,
    name: String,
    configuration: Vec<u8>,
    layers: Vec<String>,
}

impl DockerArchive {
    /// The image of this name, or the only one.
    pub(crate) fn open(archive: Archive, path: &Path, wanted: Option<&str>) -> Result<Self, Error> {
        let name = path.display().to_string();
        let missing = |what: &str| Error::Missing { image: name.clone(), what: what.to_owned() };
        let read = |file: &str| {
            let part = archive.open(file.as_bytes()).ok_or_else(|| missing(file))?;
            read_at_most(part, DOCUMENT_MAX).map_err(Error::file("read", path))
        };
        let mut saved: Vec<Saved> = serde_json::from_slice(&read("manifest.json")?)
            .map_err(|source| DocumentError::Json { what: "manifest.json", source })
            .map_err(Error::document(&name))?;
        let tags = |one: &Saved| one.repo_tags.clone().unwrap_or_default();
        let matches = |one: &Saved, wanted: &str| {
            tags(one).iter().any(|tag| tag == wanted || tag.rsplit_once(':').is_some_and(|(_, tag)| tag == wanted))
        };
        let at = match wanted {
            Some(wanted) => saved.iter().position(|one| matches(one, wanted)),
            None if saved.len() > 1 => {
                let names = saved.iter().flat_map(tags).collect();
                return Err(Error::Several { image: name.clone(), names });
            }
            None => (!saved.is_empty()).then_some(0),
        };
        let one = at.map(|at| saved.swap_remove(at)).ok_or_else(|| missing(wanted.unwrap_or("image")))?;
        let configuration = read(&one.config)?;
        Ok(Self { configuration, layers: one.layers.unwrap_or_default(), name: name.clone(), archive })
    }
}

impl Origin for DockerArchive {
    fn name(&self) -> &str {
        &self.name
    }

    fn configuration(&self) -> &[u8] {
        &self.configuration
    }

    fn layers(&self) -> Vec<Option<u64>> {
        self.layers.iter().map(|name| self.archive.find(name.as_bytes()).map(|(_, len)| len)).collect()
    }

    fn open(&self, layer: usize) -> Result<Verified<Box<dyn Read + '_>>, Error> {
        let name = self.layers.get(layer).cloned().unwrap_or_default();
        match self.archive.open(name.as_bytes()) {
            // Its digest is not that of the packed layer but that of the tar in it, which the configuration has.
            Some(part) => Ok(Verified::unnamed(part).boxed()),
            None => Err(Error::Missing { image: self.name.clone(), what: name }),
        }
    }
}
