//! What `docker login` and `podman login` have kept (containers-auth.json(5)): files of the user, only read here. Helper
//! programs that keep passwords elsewhere are not asked.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// Docker's own name for its registry in these files.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

#[derive(Debug, Default, Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Login>,
}

#[derive(Debug, Deserialize)]
struct Login {
    /// `user:password` in base64.
    auth: Option<String>,
}

/// User and password for a registry.
pub(super) fn of_user(registry: &str) -> Option<(String, String)> {
    let texts = files().into_iter().filter_map(|path| fs::read(path).ok());
    texts.filter_map(|text| find(&text, registry)).next()
}

/// The value of `Authorization`.
pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// In the order in which podman looks.
fn files() -> Vec<PathBuf> {
    let folder = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = folder("HOME");
    let config = folder("XDG_CONFIG_HOME").or_else(|| home.as_ref().map(|home| home.join(".config")));
    let docker = folder("DOCKER_CONFIG").or_else(|| home.map(|home| home.join(".docker")));
    [
        folder("REGISTRY_AUTH_FILE"),
        folder("XDG_RUNTIME_DIR").map(|path| path.join("containers/auth.json")),
        config.map(|path| path.join("containers/auth.json")),
        docker.map(|path| path.join("config.json")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn find(text: &[u8], registry: &str) -> Option<(String, String)> {
    let file: File = serde_json::from_slice(text).ok()?;
    let alias = (registry == "docker.io").then_some(DOCKER_HUB);
    // Docker also writes whole addresses.
    let addresses = [format!("https://{registry}"), format!("http://{registry}")];
    let keys = [Some(registry), alias, Some(&*addresses[0]), Some(&*addresses[1])];
    let login = keys.into_iter().flatten().find_map(|key| file.auths.get(key))?;
    let decoded = STANDARD.decode(login.auth.as_deref()?).ok()?;
    let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    // Old dockers filled up with NULs.
    Some((user.to_owned(), password.trim_end_matches('\0').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_found_under_any_name_of_its_registry() {
        let file =
            |key: &str| format!(r#"{{"auths":{{"other":{{}},"{key}":{{"auth":"bWU6YTpi"}}}},"credsStore":"x"}}"#);
        let me = Some(("me".to_owned(), "a:b".to_owned()));
        assert_eq!(find(file("localhost:5000").as_bytes(), "localhost:5000"), me);
        assert_eq!(find(file("https://localhost:5000").as_bytes(), "localhost:5000"), me);
        assert_eq!(find(file(DOCKER_HUB).as_bytes(), "docker.io"), me);
        assert_eq!(find(file("quay.io").as_bytes(), "docker.io"), None);
        assert_eq!(find(file("other").as_bytes(), "x"), None);
    }

    #[test]
    fn what_is_no_login_is_none() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"auths":{"r":{}}}"#,
            r#"{"auths":{"r":{"auth":"%"}}}"#,
            r#"{"auths":{"r":{"auth":"bWU="}}}"#,
        ] {
            assert_eq!(find(text.as_bytes(), "r"), None, "{text}");
        }
    }

    #[test]
    fn a_login_is_told_in_base64() {
        assert_eq!(basic("me", "a:b"), "Basic bWU6YTpi");
    }
}
