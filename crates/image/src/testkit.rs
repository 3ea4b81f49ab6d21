//! Images for tests, put together by hand: OCI layouts and what `docker save` writes.

#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::digest::Digest;
use crate::tar::testkit::Archive;

/// How a layer is packed.
pub type Pack = fn(&[u8]) -> Vec<u8>;

/// An image whose parts can be anything.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Tars, and how they are packed.
    pub layers: Vec<(Vec<u8>, Pack)>,
    pub configuration: Value,
}

impl Parts {
    /// An image of these tars for linux/amd64.
    pub fn new(layers: &[Vec<u8>]) -> Self {
        let diff_ids: Vec<String> = layers.iter().map(|tar| Digest::of(tar).to_string()).collect();
        Self {
            layers: layers.iter().map(|tar| (tar.clone(), gzip as Pack)).collect(),
            configuration: json!({
                "architecture": "amd64",
                "os": "linux",
                "config": {
                    "Entrypoint": ["/bin/sh"],
                    "Cmd": ["-c", "true"],
                    "Env": ["PATH=/bin"],
                    "User": "1000:100",
                    "WorkingDir": "/srv",
                    "StopSignal": "SIGINT",
                    "ExposedPorts": { "80/tcp": {}, "53/udp": {} },
                },
                "rootfs": { "type": "layers", "diff_ids": diff_ids },
            }),
        }
    }

    /// The digest of the configuration, which is the image's.
    pub fn id(&self) -> Digest {
        Digest::of(self.configuration.to_string().as_bytes())
    }

    /// All files of a layout by their names, with one image of this name.
    pub fn layout(&self, name: &str) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut blob = |bytes: Vec<u8>, media_type: &str| {
            let digest = Digest::of(&bytes);
            let descriptor = json!({ "mediaType": media_type, "digest": digest.to_string(), "size": bytes.len() });
            files.push((format!("blobs/sha256/{}", digest.hex()), bytes));
            descriptor
        };
        let layer = "application/vnd.oci.image.layer.v1.tar+gzip";
        let layers: Vec<Value> = self.layers.iter().map(|(tar, pack)| blob(pack(tar), layer)).collect();
        let configuration =
            blob(self.configuration.to_string().into_bytes(), "application/vnd.oci.image.config.v1+json");
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest =
            json!({ "schemaVersion": 2, "mediaType": media_type, "config": configuration, "layers": layers });
        let mut manifest = blob(manifest.to_string().into_bytes(), media_type);
        manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
        files.push(("index.json".to_owned(), index.to_string().into_bytes()));
        files.push(("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()));
        files
    }

    /// Writes the layout.
    pub fn write_layout(&self, folder: &Path, name: &str) {
        for (file, bytes) in self.layout(name) {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    /// An archive of the layout.
    pub fn oci_archive(&self, name: &str) -> Vec<u8> {
        let files = self.layout(name).into_iter();
        files.fold(Archive::new(), |archive, (name, bytes)| archive.file(&name, &bytes)).end()
    }

    /// What `docker save` writes, with a layer that is a link to another one if two are the same.
    pub fn docker_archive(&self, name: &str) -> Vec<u8> {
        let mut archive = Archive::new();
        let mut layers: Vec<String> = Vec::new();
        for (number, (tar, _)) in self.layers.iter().enumerate() {
            let name = format!("{number}/layer.tar");
            archive = match self.layers.iter().take(number).position(|(other, _)| other == tar) {
                Some(first) => archive.symlink(&name, &format!("../{first}/layer.tar")),
                None => archive.file(&name, tar),
            };
            layers.push(name);
        }
        let manifest = json!([{ "Config": "config.json", "RepoTags": [name], "Layers": layers }]);
        archive = archive.file("config.json", self.configuration.to_string().as_bytes());
        archive.file("manifest.json", manifest.to_string().as_bytes()).end()
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn plain(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

/// A zstd frame whose blocks are stored as they are, behind one that is to be skipped.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut frames = vec![0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    // Two frames, as parallel compressors make them (RFC 8878 section 3.1.1: no checksum, a window of 128 KiB).
    let (one, two) = bytes.split_at(bytes.len() / 2);
    for part in [one, two] {
        frames.extend([0x28, 0xb5, 0x2f, 0xfd, 0, 0x38]);
        let mut chunks = part.chunks(64 << 10).peekable();
        if chunks.peek().is_none() {
            frames.extend([1, 0, 0]);
        }
        while let Some(chunk) = chunks.next() {
            let last = u32::from(chunks.peek().is_none());
            let header = last | ((chunk.len() as u32) << 3);
            frames.extend(&header.to_le_bytes()[..3]);
            frames.extend(chunk);
        }
    }
    frames
}
