//! `illico import` and `pull`: what is on this host, or in a registry, becomes an image with a name.

use std::io::{Write, stdout};

use illico_image::{Error, Image, ImageSource, Store, Watch};

use crate::cli::{Import, Pull, Unpack};
use crate::commands::Failure;
use crate::output::progress::Bars;
use crate::status::Status;

/// Imports it.
pub fn run(options: &Import) -> Result<Status, Failure> {
    let path = options.path.to_str().ok_or_else(|| format!("the path '{}' is not UTF-8", options.path.display()))?;
    let source = ImageSource::at(path)?;
    let store = Store::of_user()?.with_limits(options.unpack.limits());
    unpack(&options.unpack, |watch| store.import_as(&source, &options.name, watch))
}

/// Pulls it.
pub fn pull(options: &Pull) -> Result<Status, Failure> {
    let store = Store::of_user()?.with_limits(options.unpack.limits()).with_plain_http(options.plain_http);
    unpack(&options.unpack, |watch| store.pull(&options.image, watch))
}

/// Shows how far it is, and the digest at the end.
fn unpack(options: &Unpack, make: impl FnOnce(Watch<'_>) -> Result<Image, Error>) -> Result<Status, Failure> {
    let mut bars = Bars::new(options.quiet);
    let image = make(&mut |progress| bars.tell(progress));
    // The bar goes before a complaint comes.
    drop(bars);
    if let Some(id) = image?.id
        && !options.quiet
    {
        writeln!(stdout(), "{id}")?;
    }
    Ok(Status::Ended)
}
