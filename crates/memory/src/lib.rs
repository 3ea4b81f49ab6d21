//! Guest memory: the one crate in which a guest address becomes a host pointer.
//!
//! Three ideas carry it:
//! - a [`Mapping`] is host memory, mapped once and never moved;
//! - a [`Window`] is a checked part of one, its length kept beside its pointer, with no slice and
//!   no reference into it ever: the guest may write it at any moment;
//! - [`Ram`] says which windows the guest sees as its physical memory, and [`Buffers`] is a list of
//!   checked ranges of it that a device request reads from or writes to, file descriptors included.
//!
//! Beside them, since all crates above need it: [`voice`], what the monitor says on standard error.
//!
//! No KVM here, and nothing of VirtIO.

#![warn(missing_docs)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests start threads as they like"))]

mod address;
mod buffers;
mod counter;
mod heap;
mod layout;
mod mapping;
mod program;
mod ram;
mod uring;
pub mod voice;
mod window;

pub use address::GuestAddress;
pub use buffers::{Buffers, Short};
pub use counter::{Counter, Counters};
pub use heap::share_one_arena;
pub use layout::{HOLE_END, HOLE_START, Layout};
pub use mapping::{Access, MapError, Mapping, Pages};
pub use program::give_back_program;
pub use ram::{OutOfRam, Ram, Region};
pub use uring::{Allocate, Completion, Uring};
pub use window::Window;
