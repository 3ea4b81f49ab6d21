//! From a source to an image: what is in the store is used, and what is not is put there.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

use crate::compress;
use crate::digest::Digest;
use crate::error::Error;
use crate::layer::Root;
use crate::origin::archive::{Archive, DockerArchive};
use crate::origin::layout::{self, Files};
use crate::origin::{Origin, folder};
use crate::progress::{Progress, Watch};
use crate::reference::Reference;
use crate::registry;
use crate::source::{ImageSource, RootKind};
use crate::store::{Image, Record, RootFile, Store};
use crate::verified::Unread;

impl Store {
    /// The image of a source. A name that the store knows is not asked of its registry again.
    pub fn resolve(&self, source: &ImageSource, watch: Watch<'_>) -> Result<Image, Error> {
        match source {
            ImageSource::Registry(name) => {
                if let Some(id) = self.find(name)? {
                    // A local name never becomes a registry's because its image is damaged.
                    let broken = || Error::Broken { name: name.familiar() };
                    return self.image(id)?.ok_or_else(broken);
                }
                if !self.names_are_known() {
                    return Err(Error::Names { path: self.damaged_names() });
                }
                self.pull(name, watch)
            }
            // As it is: nothing of it is copied.
            ImageSource::Raw { path, kind } => Ok(Image {
                id: None,
                root: RootFile { path: path.clone(), kind: *kind },
                config: crate::ImageConfig::default(),
                guard: None,
            }),
            other => self.import(other, watch),
        }
    }

    /// The image that a registry has under this name now.
    pub fn pull(&self, name: &Reference, watch: Watch<'_>) -> Result<Image, Error> {
        loop {
            let image = self.add(&registry::open(name, self.plain_http)?, watch)?;
            if self.has_tagged(name, &image)? {
                return Ok(image);
            }
        }
    }

    /// Puts what is at a path into the store under a name.
    pub fn import_as(&self, source: &ImageSource, name: &Reference, watch: Watch<'_>) -> Result<Image, Error> {
        loop {
            let image = self.import(source, watch)?;
            if self.has_tagged(name, &image)? {
                return Ok(image);
            }
        }
    }

    /// False: another process removed the image before it had its name, and it is to be made again.
    fn has_tagged(&self, name: &Reference, image: &Image) -> Result<bool, Error> {
        image.id.map_or(Ok(true), |id| self.tag(name, id))
    }

    /// Puts what is at a path into the store.
    pub fn import(&self, source: &ImageSource, watch: Watch<'_>) -> Result<Image, Error> {
        match source {
            ImageSource::Registry(name) => self.pull(name, watch),
            ImageSource::Layout { path, name } => {
                self.add(&layout::open(Files::Folder(path.clone()), path, name.as_deref())?, watch)
            }
            ImageSource::Tar { path, name } => self.add_tar(path, name.as_deref(), watch),
            ImageSource::Folder(path) => self.add_folder(path, watch),
            ImageSource::Raw { path, kind } => self.add_raw(path, *kind, watch),
        }
    }

    /// Unpacks an image, unless the store has it.
    pub(crate) fn add(&self, origin: &dyn Origin, watch: Watch<'_>) -> Result<Image, Error> {
        let configuration = origin.parsed()?;
        let id = Digest::of(origin.configuration());
        if let Some(image) = self.image(id)? {
            return Ok(image);
        }
        let part = self.begin(id, watch)?;
        // The process that was waited for may have made it.
        if let Some(image) = self.image(id)? {
            return Ok(image);
        }
        let mut root = Root::new(part.file()?, self.limits);
        let sizes = origin.layers();
        let count = sizes.len();
        for (index, (bytes, wanted)) in sizes.iter().zip(&configuration.rootfs.diff_ids).enumerate() {
            let number = index.saturating_add(1);
            watch(Progress::Begin { what: &format!("layer {number} of {count}"), bytes: *bytes });
            let found = layer(origin, index, count, &mut root, watch)?;
            watch(Progress::End);
            if found != *wanted {
                let image = origin.name().to_owned();
                return Err(Error::DiffId { image, number, count, found, wanted: *wanted });
            }
        }
        let config = configuration.config.unwrap_or_default().into();
        let size = finish(root, id, origin.name())?;
        let record = Record { kind: RootKind::Erofs, size, stored: now(), source: origin.name().to_owned(), config };
        self.keep(part, id, record)
    }

    fn add_tar(&self, path: &Path, name: Option<&str>, watch: Watch<'_>) -> Result<Image, Error> {
        let image = path.display().to_string();
        let file = File::open(path).map_err(Error::file("open", path))?;
        let file = self.plain(file, path, watch)?;
        let archive = Archive::index(file).map_err(|source| Error::Tar { image: image.clone(), source })?;
        if archive.is_layout() {
            return self.add(&layout::open(Files::Archive(archive), path, name)?, watch);
        }
        if archive.is_docker() {
            return self.add(&DockerArchive::open(archive, path, name)?, watch);
        }
        if let Some(name) = name {
            return Err(Error::Missing { image, what: format!("image '{name}'") });
        }
        let mut file = archive.into_file();
        io::Seek::rewind(&mut file).map_err(Error::file("read", path))?;
        let bytes = file.metadata().ok().map(|file| file.len());
        let part = self.begin_unknown()?;
        let mut root = Root::new(part.file()?, self.limits);
        watch(Progress::Begin { what: "unpacking", bytes });
        let id = root.add_all(Watched { inner: file, watch });
        let id = id.map_err(|source| Error::Entry { image: image.clone(), source })?;
        watch(Progress::End);
        self.keep_import(part, root, id, &image)
    }

    fn add_folder(&self, path: &Path, watch: Watch<'_>) -> Result<Image, Error> {
        let part = self.begin_unknown()?;
        let mut root = Root::new(part.file()?, self.limits);
        watch(Progress::Begin { what: "packing", bytes: None });
        let id = folder::add(path, &mut root, watch)?;
        watch(Progress::End);
        self.keep_import(part, root, id, &path.display().to_string())
    }

    fn add_raw(&self, path: &Path, kind: RootKind, watch: Watch<'_>) -> Result<Image, Error> {
        let file = File::open(path).map_err(Error::file("open", path))?;
        let bytes = file.metadata().ok().map(|file| file.len());
        let part = self.begin_unknown()?;
        watch(Progress::Begin { what: "copying", bytes });
        let mut from = crate::digest::Summed::new(Watched { inner: file, watch });
        io::copy(&mut from, &mut part.file()?).map_err(Error::file("copy", path))?;
        let (id, size) = from.finish();
        watch(Progress::End);
        if let Some(image) = self.image(id)? {
            return Ok(image);
        }
        let source = path.display().to_string();
        let record = Record { kind, size, stored: now(), source, config: crate::ImageConfig::default() };
        self.keep(part, id, record)
    }

    fn keep_import(&self, part: crate::store::Part, root: Root, id: Digest, name: &str) -> Result<Image, Error> {
        if let Some(image) = self.image(id)? {
            return Ok(image);
        }
        let size = finish(root, id, name)?;
        let config = crate::ImageConfig::default();
        let record = Record { kind: RootKind::Erofs, size, stored: now(), source: name.to_owned(), config };
        self.keep(part, id, record)
    }

    /// The archive itself, or what is compressed in it as a file without a name.
    fn plain(&self, file: File, path: &Path, watch: Watch<'_>) -> Result<File, Error> {
        let mut start = [0; compress::Compression::START];
        let len = std::os::unix::fs::FileExt::read_at(&file, &mut start, 0).map_err(Error::file("read", path))?;
        if compress::Compression::of(start.get(..len).unwrap_or_default()) == compress::Compression::None {
            return Ok(file);
        }
        let bytes = file.metadata().ok().map(|file| file.len());
        let spool = self.begin_unknown()?;
        let mut out = spool.file()?;
        watch(Progress::Begin { what: "decompressing", bytes });
        let source = compress::unpacked(Watched { inner: file, watch }).map_err(Error::file("read", path))?;
        // One byte more than allowed is enough to know.
        let most = self.limits.unpacked.saturating_add(1);
        let copied = io::copy(&mut source.take(most), &mut out).map_err(Error::file("decompress", path))?;
        watch(Progress::End);
        if copied == most {
            let source = crate::erofs::WriteError::TooLarge { limit: self.limits.unpacked };
            return Err(Error::Write { image: path.display().to_string(), source });
        }
        io::Seek::rewind(&mut out).map_err(Error::file("read", path))?;
        Ok(out)
    }
}

/// Applies one layer.
fn layer(origin: &dyn Origin, index: usize, count: usize, root: &mut Root, watch: Watch<'_>) -> Result<Digest, Error> {
    let number = index.saturating_add(1);
    let image = || origin.name().to_owned();
    let blob_error = |source| Error::Blob { image: image(), number, count, source };
    let layer = origin.open(index)?;
    let applied = layer.read(|packed| {
        let tar = compress::unpacked(Watched { inner: packed, watch }).map_err(blob_error)?;
        root.apply(index as u32, tar).map_err(|source| Error::Layer { image: image(), number, count, source })
    });
    applied.map_err(|unread| match unread {
        Unread::Content(error) => blob_error(error),
        Unread::Use(error) => error,
    })
}

fn finish(root: Root, id: Digest, image: &str) -> Result<u64, Error> {
    let mut uuid = [0; 16];
    uuid.iter_mut().zip(id.bytes()).for_each(|(to, from)| *to = *from);
    let finished = root.finish(uuid).map_err(|source| Error::Write { image: image.to_owned(), source });
    finished.map(|(_, len)| len)
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Tells how much is read.
struct Watched<'a, R> {
    inner: R,
    watch: Watch<'a>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        (self.watch)(Progress::Advance(count as u64));
        Ok(count)
    }
}

#[cfg(test)]
#[path = "resolve_test.rs"]
mod tests;
