//! `illico import`: what is on this host becomes an image with a name.

use std::io::{Write, stdout};

use illico_image::{ImageSource, Store};

use crate::cli::Import;
use crate::commands::Failure;
use crate::output::progress::Bars;
use crate::status::Status;

/// Imports it.
pub fn run(options: &Import) -> Result<Status, Failure> {
    let path = options.path.to_str().ok_or_else(|| format!("the path '{}' is not UTF-8", options.path.display()))?;
    let source = ImageSource::at(path)?;
    let store = Store::of_user()?.with_limits(options.unpack.limits());
    let mut bars = Bars::new(options.unpack.quiet);
    let image = store.import(&source, &mut |progress| bars.tell(progress));
    drop(bars);
    if let Some(id) = image?.id {
        store.tag(&options.name, id)?;
        if !options.unpack.quiet {
            writeln!(stdout(), "{id}")?;
        }
    }
    Ok(Status::Ended)
}
