//! What the files of /etc say that depend on the machine: hostname, hosts, resolv.conf.

use std::fs;
use std::path::{Path, PathBuf};

use illico_protocol::{Network, RunSpec};

use crate::error::InitError;

/// Symbolic links that /etc may go through; as many as the kernel follows.
const MAX_LINKS: usize = 40;

/// The folder that /etc of the entered root is, made where it is missing. It may be a symbolic link, as in images that Nix makes.
pub(crate) fn place() -> Result<PathBuf, InitError> {
    folder_at(Path::new("/etc"))
}

/// The folder that a path leads to, through links whose target is missing as well.
fn folder_at(path: &Path) -> Result<PathBuf, InitError> {
    let mut place = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&place) {
            Ok(target) => place = place.parent().unwrap_or(Path::new("/")).join(target),
            Err(_) => break,
        }
    }
    fs::create_dir_all(&place).map_err(InitError::os("create", place.display()))?;
    Ok(place)
}

/// Names in /etc, and their contents.
pub(crate) fn files(spec: &RunSpec) -> [(&'static str, String); 3] {
    [
        ("hostname", format!("{}\n", spec.hostname)),
        ("hosts", hosts(&spec.hostname, spec.network.as_ref())),
        ("resolv.conf", spec.network.as_ref().map(resolv_conf).unwrap_or_default()),
    ]
}

/// The guest finds itself by its name: at its address, or at the loopback one if it has no other.
fn hosts(hostname: &str, network: Option<&Network>) -> String {
    let mut text = String::from("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    let addresses = network.map(|network| network.addresses.as_slice()).unwrap_or_default();
    if addresses.is_empty() {
        text.push_str(&format!("127.0.1.1\t{hostname}\n"));
    }
    for address in addresses {
        text.push_str(&format!("{}\t{hostname}\n", address.ip));
    }
    text
}

/// resolv.conf(5).
fn resolv_conf(network: &Network) -> String {
    let mut text = String::new();
    if !network.search.is_empty() {
        text.push_str(&format!("search {}\n", network.search.join(" ")));
    }
    for server in &network.dns {
        text.push_str(&format!("nameserver {server}\n"));
    }
    text
}

#[cfg(test)]
#[path = "etc_test.rs"]
mod tests;
