//! What `docker login` and `podman login` have kept (containers-auth.json(5), Docker's config.json): files of the user, only
//! read here, and the helper programs that they name.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::xdg::Base;

/// Docker's own name for its registry in these files.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";
/// The user that a helper names where the secret is not a password but a refresh token.
const TOKEN_USER: &str = "<token>";

/// What a user has to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Login {
    Password {
        user: String,
        password: String,
    },
    /// A refresh token of OAuth 2.
    Identity(String),
}

/// A helper program that could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    #[error("cannot run it")]
    Run(#[from] io::Error),
    #[error("it says: {0}")]
    Refused(String),
    #[error("its answer cannot be read")]
    Answer(#[from] serde_json::Error),
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct File {
    auths: Option<BTreeMap<String, Kept>>,
    /// The helper for all registries, and those for some.
    creds_store: Option<String>,
    cred_helpers: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Kept {
    /// `user:password` in base64.
    auth: Option<String>,
    identitytoken: Option<String>,
}

/// What a helper answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// The login for a registry, if there is one. A helper that fails is an error only if nothing else is known.
pub(super) fn of_user(registry: &str) -> Result<Option<Login>, (String, HelperError)> {
    let mut failed = None;
    for text in files().into_iter().filter_map(|path| fs::read(path).ok()) {
        let Ok(file) = serde_json::from_slice::<File>(&text) else { continue };
        if let Some(helper) = helper(&file, registry) {
            match ask(helper, &names(registry)[0]) {
                Ok(Some(login)) => return Ok(Some(login)),
                Ok(None) => {}
                Err(error) => failed = failed.or(Some((helper.to_owned(), error))),
            }
        }
        if let Some(login) = kept(&file, registry) {
            return Ok(Some(login));
        }
    }
    failed.map_or(Ok(None), Err)
}

/// The value of `Authorization`.
pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// In the order in which podman looks.
fn files() -> Vec<PathBuf> {
    let folder = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = folder("HOME");
    let docker = folder("DOCKER_CONFIG").or_else(|| home.map(|home| home.join(".docker")));
    [
        folder("REGISTRY_AUTH_FILE"),
        Base::Runtime.folder().map(|path| path.join("containers/auth.json")),
        Base::Config.folder().map(|path| path.join("containers/auth.json")),
        docker.map(|path| path.join("config.json")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The names under which a registry is kept; helpers are asked by the first.
fn names(registry: &str) -> [String; 4] {
    let first = if registry == "docker.io" { DOCKER_HUB } else { registry };
    // Docker also writes whole addresses.
    [first.to_owned(), registry.to_owned(), format!("https://{registry}"), format!("http://{registry}")]
}

/// The helper for a registry: its own, or that for all.
fn helper<'a>(file: &'a File, registry: &str) -> Option<&'a str> {
    let own = file.cred_helpers.as_ref();
    let own = own.and_then(|own| names(registry).iter().find_map(|name| own.get(name)));
    own.or(file.creds_store.as_ref()).map(String::as_str).filter(|name| !name.is_empty())
}

fn kept(file: &File, registry: &str) -> Option<Login> {
    let auths = file.auths.as_ref()?;
    let login = names(registry).iter().find_map(|name| auths.get(name))?;
    if let Some(token) = login.identitytoken.clone().filter(|token| !token.is_empty()) {
        return Some(Login::Identity(token));
    }
    let decoded = STANDARD.decode(login.auth.as_deref()?).ok()?;
    let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    // Old dockers filled up with NULs.
    Some(Login::Password { user: user.to_owned(), password: password.trim_end_matches('\0').to_owned() })
}

/// Asks `docker-credential-NAME get` (docker-credential-helpers): the registry goes in, JSON comes out. `None` where the helper
/// has nothing for this registry.
fn ask(name: &str, registry: &str) -> Result<Option<Login>, HelperError> {
    // The name is one of a program, not a path.
    if name.contains('/') {
        return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
    }
    let mut command = Command::new(format!("docker-credential-{name}"));
    let mut child = command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that ends without reading has an answer of its own.
        let _ = writeln!(stdin, "{registry}");
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout).trim().chars().take(200).collect::<String>();
        // These words are the protocol.
        return if said.contains("credentials not found") { Ok(None) } else { Err(HelperError::Refused(said)) };
    }
    let answer: Answer = serde_json::from_slice(&output.stdout)?;
    Ok(match (answer.username.as_str(), answer.secret) {
        ("", secret) if secret.is_empty() => None,
        (TOKEN_USER, secret) => Some(Login::Identity(secret)),
        (user, password) => Some(Login::Password { user: user.to_owned(), password }),
    })
}

#[cfg(test)]
#[path = "credentials_test.rs"]
mod tests;
