//! What the host and the agent inside a guest (`guest/init`) say to each other.
//!
//! A connection is a stream (vsock, or the unix socket that stands for it) and carries one thing: a request and all
//! that belongs to it. It opens in both directions with [`HELLO`], eight bytes with the version; neither side waits for the
//! other's. Then come [`Frame`]s:
//!
//! - **The first command** of a guest: PID 1 reads it from [`RUN_SPEC_PATH`] in the initramfs and connects to
//!   [`HOST_CID`], port [`PORT`]. It sends no request, since the host knows what it asked for.
//! - **Anything later**: the host connects to port [`PORT`] of the guest and sends a [`Frame::Request`].
//!
//! While a command runs, the host sends `Stdin`, `StdinEnd`, `Resize`, `Signal` and `Closed`, the agent `Started`,
//! `Stdout`, `Stderr` and `Taken`. A copy sends its tar archive as `Data`, in its direction, and
//! `Warning` for what it holds otherwise than the files. The agent's last frame is always
//! [`Frame::End`], and says how it went. A connection that closes before it means that the guest is gone.
//!
//! **Standard input** has a window, so that a command that does not read it holds up neither signals nor resizes: the host
//! has at most [`STDIN_WINDOW`] bytes under way, and `Taken` says how many of them the command's pipe took.
//! [`StdinWindow`] keeps that account.
//!
//! Either side may be hostile to the other. What comes in is bounded by its kind, checked whole, and never a reason to
//! panic; a [`Decoder`] that found a mistake stays with it.
//!
//! This crate does no input or output of its own but for [`Reader`], and knows nothing of vsock.

#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod decoder;
mod ending;
mod error;
mod frame;
mod limit;
mod reader;
mod request;
mod run_spec;
mod window;
mod word;

pub use decoder::Decoder;
pub use ending::Ending;
pub use error::ProtocolError;
pub use frame::{Frame, MAX_DATA, MAX_REQUEST, Stream, WindowSize};
pub use limit::{Limit, LimitError, Resource};
pub use reader::Reader;
pub use request::{Exec, Request};
pub use run_spec::{Address, Mount, Network, Root, RunSpec, RunSpecError, Upper};
pub use window::{STDIN_WINDOW, StdinWindow};
pub use word::Word;

/// What both ends speak. Host and agent come from one binary; other versions meet only when a guest outlives an update.
pub const VERSION: u16 = 2;

/// The first eight bytes in each direction.
pub const HELLO: [u8; 8] = {
    let [low, high] = VERSION.to_le_bytes();
    [b'i', b'l', b'l', b'i', b'c', b'o', low, high]
};

/// The vsock port of the agent, and that of the host for the first command.
pub const PORT: u32 = 1024;

/// The host's CID (`VMADDR_CID_HOST`).
pub const HOST_CID: u32 = 2;

/// Where PID 1 finds its [`RunSpec`] in the initramfs.
pub const RUN_SPEC_PATH: &str = "/illico/run.json";

/// The folder of the modules that a [`RunSpec`] names.
pub const MODULES_PATH: &str = "/illico/modules";
