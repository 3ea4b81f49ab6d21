//! One file a verb.

pub mod boot;
pub mod doctor;

use std::error::Error;

/// Why a verb could not do its work; printed as one line that names the option or file, and the fix.
pub type Failure = Box<dyn Error + Send + Sync>;
