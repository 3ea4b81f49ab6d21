//! `illico images`, `pull`, `import`, `rmi`, `prune`: the store of images.

use std::path::PathBuf;

use clap::Args;
use illico_image::{Limits, Reference};

pub const IMAGES_HELP: &str = "\
Examples:
  illico images
  illico images --json | jq -r '.[].id'

Status: 0, or 125 where the store cannot be read.";

pub const IMPORT_HELP: &str = "\
Examples:
  illico import rootfs.tar.zst mine
  illico import ./rootfs mine:v2
  podman save -o web.tar web && illico import web.tar web
  illico import ./layout:latest web

Status: 0, or 125: one line says what is wrong, and the store is as it was.";

pub const PULL_HELP: &str = "\
Examples:
  illico pull debian:12
  illico pull localhost:5000/web@sha256:...

The login that `docker login` or `podman login` keeps in its file is used; programs that keep passwords are not asked.

Status: 0, or 125: one line says what is wrong, and the store is as it was.";

pub const RMI_HELP: &str = "\
Example: illico rmi debian:12 3f1c

Machines that run an image keep it until they end.

Status: 0, or 125 where one of them is not there.";

pub const PRUNE_HELP: &str = "\
Example: illico prune

Status: 0, or 125 where the store cannot be changed.";

/// Options of `illico images`.
#[derive(Debug, Args)]
pub struct Images {
    /// Print an array of objects instead (docs/images.md has the schema).
    #[arg(long)]
    pub json: bool,

    /// Print digests only.
    #[arg(long, short, conflicts_with = "json")]
    pub quiet: bool,
}

/// Options of `illico import`.
#[derive(Debug, Args)]
pub struct Import {
    /// A root file system: a folder, or a tar that may be compressed. Or an image: an OCI layout or archive, or what
    /// `docker save` or `podman save` wrote; `:NAME` behind the path picks one of several. Or an ext4, erofs or squashfs file.
    #[arg(value_name = "FILE|DIR")]
    pub path: PathBuf,

    /// What it is to be called.
    #[arg(value_name = "NAME")]
    pub name: Reference,

    #[command(flatten)]
    pub unpack: Unpack,
}

/// Options of `illico pull`.
#[derive(Debug, Args)]
pub struct Pull {
    /// The image: a name such as debian:12, with the registry in front if it is not Docker's, and perhaps @sha256:...
    #[arg(value_name = "IMAGE")]
    pub image: Reference,

    /// Ask the registry without TLS. Registries on this host are always asked so.
    #[arg(long)]
    pub plain_http: bool,

    #[command(flatten)]
    pub unpack: Unpack,
}

/// How an image gets into the store.
#[derive(Debug, Args)]
pub struct Unpack {
    /// Show no progress, and print nothing but complaints.
    #[arg(long, short)]
    pub quiet: bool,

    /// The most that an image may unpack to; a bare number is MiB [default: 64G]. Example: --max 200G
    #[arg(long, value_name = "SIZE")]
    pub max: Option<illico_machine::config::Size>,
}

impl Unpack {
    /// What the image may take.
    pub fn limits(&self) -> Limits {
        let unpacked = self.max.map_or(Limits::UNPACKED, |max| max.0);
        Limits { unpacked, ..Limits::default() }
    }
}

/// Options of `illico rmi`.
#[derive(Debug, Args)]
pub struct Rmi {
    /// Names, or beginnings of digests. An image goes with its last name.
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<String>,
}

/// Options of `illico prune`.
#[derive(Debug, Args)]
pub struct Prune {
    /// Print nothing but complaints.
    #[arg(long, short)]
    pub quiet: bool,
}
