//! `illico pull`: what is in a registry becomes an image with a name.

use clap::Args;
use illico_image::{Reference, Store};

use super::import::{Unpack, unpack};
use crate::failure::Failure;
use crate::status::Status;

pub const HELP: &str = "\
Examples:
  illico pull debian:12
  illico pull localhost:5000/web@sha256:...

The login that `docker login` or `podman login` keeps in its file is used; programs that keep passwords are not asked.

Status: 0, or 125: one line says what is wrong, and the store is as it was.";

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

/// Pulls it.
pub fn run(options: &Pull) -> Result<Status, Failure> {
    let store = Store::of_user()?.with_limits(options.unpack.limits()).with_plain_http(options.plain_http);
    unpack(&options.unpack, |watch| store.pull(&options.image, watch))
}
