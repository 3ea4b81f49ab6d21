//! Hardware of 1981, each piece only where a person asks for it.

pub mod serial;
