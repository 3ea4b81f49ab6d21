//! `illico import`: what is on this host becomes an image with a name.

use std::path::PathBuf;

use clap::Args;
use illico_image::{Error, Image, ImageSource, Limits, Reference, Store, Watch};

use crate::failure::Failure;
use crate::output;
use crate::output::progress::Bars;
use crate::status::Status;

pub const HELP: &str = "\
Examples:
  illico import rootfs.tar.zst mine
  illico import ./rootfs mine:v2
  podman save -o web.tar web && illico import web.tar web
  illico import ./layout:latest web

Status: 0, or 125: one line says what is wrong, and the store is as it was.";

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

/// Imports it.
pub fn run(options: &Import) -> Result<Status, Failure> {
    let source = ImageSource::at(&options.path)?;
    let store = Store::of_user()?.with_limits(options.unpack.limits());
    unpack(&options.unpack, |watch| store.import_as(&source, &options.name, watch))
}

/// Shows how far it is, and the digest at the end.
pub fn unpack(options: &Unpack, make: impl FnOnce(Watch<'_>) -> Result<Image, Error>) -> Result<Status, Failure> {
    let mut bars = Bars::new(options.quiet);
    let image = make(&mut |progress| bars.tell(progress));
    // The bar goes before a complaint comes.
    drop(bars);
    if let Some(id) = image?.id
        && !options.quiet
    {
        output::print(&format!("{id}\n"))?;
    }
    Ok(Status::Ended)
}
