//! The ring and the chain, tried from outside: by a driver of their own, against the `virtio-queue`
//! crate as a second opinion, by hostile bytes, and by two threads.

#![allow(clippy::disallowed_methods, reason = "tests start threads as they like")]
#![allow(clippy::unwrap_used)]

mod driver;
mod hostile;
mod script;
mod sides;
mod threads;
