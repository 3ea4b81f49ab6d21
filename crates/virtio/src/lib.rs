//! VirtIO 1.3: the split ring, the two transports, and the devices.
//!
//! What a guest wrote is copied once and checked once. A ring that breaks the rules fails its device
//! (`DEVICE_NEEDS_RESET`) and nothing else. Nothing here knows KVM: a device is given queues, an
//! interrupt for each, and a place on an event loop, and does not know where they come from.

#![warn(missing_docs)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests start threads as they like"))]
#![deny(unsafe_code)]

pub mod block;
pub mod chain;
pub mod complaints;
pub mod config_space;
pub mod console;
pub mod counters;
mod cut_file;
pub mod describe;
pub mod device;
pub mod device_error;
pub mod entropy;
pub mod event_loop;
pub mod fs;
pub mod image_lock;
pub mod interrupt;
pub mod net;
pub mod pmem;
pub mod queue;
pub mod ring;
pub mod socket_file;
pub mod spec;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod trace;
pub mod transport;
pub mod vsock;
