//! What the files of /etc say that depend on the machine: hostname, hosts, resolv.conf.

use illico_protocol::{Network, RunSpec};

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
