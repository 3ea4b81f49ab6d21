//! One file a verb.

pub mod boot;
pub mod doctor;
mod each;
pub mod inspect;
pub mod kill;
pub mod ps;
pub mod rm;
pub mod stop;
pub mod wait;

use std::error::Error;

/// Why a verb could not do its work; printed as one line that names the option or file, and the fix.
pub type Failure = Box<dyn Error + Send + Sync>;
