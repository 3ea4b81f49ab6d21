//! `illico top`: machines at work, as a table, as a screen with keys, as JSON.

pub mod json;
pub mod screen;
pub mod table;
