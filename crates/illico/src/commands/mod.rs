//! One file a verb.

mod accounting;
pub mod boot;
pub mod completions;
pub mod cp;
pub mod demo;
pub mod diff;
pub mod doctor;
mod each;
pub mod exec;
pub mod exits;
pub mod images;
pub mod import;
pub mod inspect;
pub mod kernel;
pub mod kill;
pub mod logs;
pub mod man;
mod probe;
pub mod ps;
pub mod rm;
pub mod run;
pub mod stats;
pub mod stop;
pub mod top;
pub mod wait;

pub use crate::failure::Failure;
