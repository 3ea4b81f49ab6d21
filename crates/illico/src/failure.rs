//! Why a verb could not do its work.

use std::error::Error;

/// Printed as one line that names the option or file, and the fix.
pub type Failure = Box<dyn Error + Send + Sync>;
