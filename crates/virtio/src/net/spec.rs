//! The spec of a network card, and what can be wrong with it.

use std::io;

use serde::{Deserialize, Serialize};

use crate::device_error::{Key, Remedy, SpecError};

use super::forward::Forward;
use super::mac::MacAddress;
use super::passt::PasstError;
use super::tap::TapError;

/// Queue pairs at most.
pub const MAX_PAIRS: u16 = 8;

crate::device_spec! {
    /// A VirtIO network card: on a tap that exists, or in a network of 10.0.2.0/24 that leads to the host's, without
    /// any rights, by the program passt; with loopback, 10.0.2.2 is the host's own 127.0.0.1.
    /// Example: user
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    pub struct NetSpec {
        /// `tap=NAME|user`: the tap that it is plugged into, which must exist (`ip tuntap add dev NAME mode tap`), or
        /// the network of an ordinary user, through passt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tap: Option<String>,
        /// The network of an ordinary user, through passt, instead of a tap.
        #[serde(default, skip_serializing_if = "is_false")]
        pub user: bool,
        /// `loopback`: with `user`, the gateway's address leads to the host's own 127.0.0.1.
        #[serde(default, skip_serializing_if = "is_false")]
        pub loopback: bool,
        /// With `user`: ports of the host that lead to the guest.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub forward: Vec<Forward>,
        /// `mac=ADDR`: the card's address [default: made from the tap's name, the same each time].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub mac: Option<MacAddress>,
        /// `queues=N`: queue pairs, 1 to 8 [default: 1]. More than one needs a tap made with `multi_queue`.
        #[serde(default = "one")]
        pub queues: u16,
    }
}

fn one() -> u16 {
    1
}

fn is_false(value: &bool) -> bool {
    !value
}

impl NetSpec {
    /// A card on a tap.
    pub fn on_tap(name: impl Into<String>) -> Self {
        Self { tap: Some(name.into()), user: false, loopback: false, forward: Vec::new(), mac: None, queues: 1 }
    }

    /// A card in the network of an ordinary user.
    pub fn user(forward: Vec<Forward>) -> Self {
        Self { tap: None, user: true, loopback: false, forward, mac: None, queues: 1 }
    }
}

/// The device cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// Neither a tap nor the user's network, or both.
    #[error("give either tap=NAME or user")]
    Which,
    /// Too many queue pairs, or none.
    #[error("a card has 1 to {MAX_PAIRS} queue pairs")]
    Queues {
        /// The tap.
        tap: String,
        /// How many were asked for.
        queues: u16,
    },
    /// Something that only the user's network has.
    #[error("ports are forwarded, and loopback is reached, by the network of a user only")]
    OnlyUser {
        /// The tap.
        tap: String,
    },
    /// The user's network has one queue pair.
    #[error("it has one pair of queues")]
    OneQueue {
        /// How many were asked for.
        queues: u16,
    },
    /// The tap cannot be used.
    #[error("attaching to the tap")]
    Tap {
        /// Its name.
        tap: String,
        /// Why.
        #[source]
        why: TapError,
    },
    /// passt cannot be used.
    #[error(transparent)]
    User(PasstError),
    /// The socket to it cannot be used.
    #[error("setting up its socket")]
    Socket(#[source] io::Error),
}

impl SpecError for NetError {
    fn keys(&self) -> Vec<Key> {
        let user = || Key::switch("user");
        match self {
            Self::Which => Vec::new(),
            Self::Queues { tap, queues } => vec![Key::new("tap", tap), Key::new("queues", queues)],
            Self::OnlyUser { tap } | Self::Tap { tap, .. } => vec![Key::new("tap", tap)],
            Self::OneQueue { queues } => vec![user(), Key::new("queues", queues)],
            Self::User(PasstError::Port { forward }) => vec![user(), Key::new("forward", forward)],
            Self::User(_) | Self::Socket(_) => vec![user()],
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        matches!(self, Self::User(PasstError::NoNetwork)).then_some(Remedy::Without)
    }
}
