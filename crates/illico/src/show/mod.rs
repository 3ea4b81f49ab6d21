//! What machines did and do, drawn for people: timelines, the demo's figures, live counters.

pub mod demo;
pub mod live;
mod markup;
pub mod timeline;
pub mod top;
