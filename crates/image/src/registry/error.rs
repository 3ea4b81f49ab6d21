//! Why a registry gives no image, each as one line with what to do.

use super::credentials::HelperError;
use crate::verified::WrongContent;

/// Why a registry does not give what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("cannot reach the registry '{host}'")]
    Unreachable { host: String, source: std::io::Error },
    #[error("the registry '{host}' has no such image")]
    NotFound { host: String },
    #[error(
        "the registry '{host}' requires a login, or has no such image (status {status}): `docker login {host}` or `podman login {host}` first"
    )]
    Refused { host: String, status: u16 },
    #[error("the registry '{host}' asks for a login in a way that is not known: '{asked}'")]
    Challenge { host: String, asked: String },
    #[error("the registry '{host}' wants a login, and the helper 'docker-credential-{helper}' has none")]
    Helper { host: String, helper: String, source: HelperError },
    #[error("the registry '{host}' answers with status {status}")]
    Status { host: String, status: u16 },
    #[error("what the registry '{host}' answers cannot be read")]
    Answer { host: String, source: std::io::Error },
    #[error("the registry '{host}' answered the login without a token")]
    Token { host: String, source: serde_json::Error },
    #[error("what the registry '{host}' gives is not what it was asked for")]
    Wrong { host: String, source: WrongContent },
    #[error("the file '{path}' has no certificates of authorities (Debian's package ca-certificates does)")]
    NoAuthorities { path: String },
}
