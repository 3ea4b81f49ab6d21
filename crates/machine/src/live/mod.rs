//! The counters of a running machine in a page that its user may read (docs/exits.md has the layout).
//!
//! The monitor counts there and nowhere else, so reading costs the guest nothing, and the monitor
//! does not know of readers. What the monitor does not count itself (KVM's totals, kicks, polling) is copied there by a
//! [`Refresher`], only when a reader asks.

mod layout;
mod page;
mod reading;
mod refresh;

pub use layout::{Shape, VERSION};
pub use page::Page;
pub use reading::{MAX_BYTES, Reading, ReadingError};
pub use refresh::Refresher;
