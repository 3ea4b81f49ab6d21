//! Which requests go through a proxy: the variables and rules of Go's `httpproxy`, which Docker and podman follow.
//!
//! A proxy on another machine cannot reach this one's loopback addresses, so those are always asked directly.

use std::env;
use std::net::IpAddr;

use ureq::Proxy;

/// The proxy for a request, if it goes through one.
pub(super) fn for_url(url: &str) -> Option<Proxy> {
    let variable = |names: &[&str]| names.iter().find_map(|name| env::var(name).ok().filter(|text| !text.is_empty()));
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if is_direct(authority, &variable(&["NO_PROXY", "no_proxy"]).unwrap_or_default()) {
        return None;
    }
    let proxy = match scheme {
        "https" => variable(&["HTTPS_PROXY", "https_proxy"]),
        _ => variable(&["HTTP_PROXY", "http_proxy"]),
    };
    Proxy::new(&proxy.or_else(|| variable(&["ALL_PROXY", "all_proxy"]))?).ok()
}

/// Whether `HOST` or `HOST:PORT` is asked without a proxy.
fn is_direct(authority: &str, no_proxy: &str) -> bool {
    let (host, port) = split(authority);
    let host = host.to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.to_canonical().is_loopback()) {
        return true;
    }
    no_proxy.split(',').map(|entry| entry.trim().to_ascii_lowercase()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let (Some(address), Some((network, bits))) = (address, entry.split_once('/')) {
            return is_within(address, network, bits);
        }
        let (name, only) = split(&entry);
        if name.is_empty() || only.is_some_and(|only| port != Some(only)) {
            return false;
        }
        if let Ok(one) = name.parse::<IpAddr>() {
            return address == Some(one);
        }
        // `.example.com` and `*.example.com` are below it, `example.com` is also that host.
        let domain = name.trim_start_matches('*');
        match domain.strip_prefix('.') {
            Some(_) => host.ends_with(domain),
            None => host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')),
        }
    })
}

/// Host and port; an IPv6 address without its brackets.
fn split(authority: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, rest.strip_prefix(':'));
    }
    match authority.split_once(':') {
        // More than one colon: an address without brackets.
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        Some(_) | None => (authority, None),
    }
}

/// Whether an address lies in `NETWORK/BITS`.
fn is_within(address: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) if bits <= 32 => {
            (one.to_bits() ^ other.to_bits()).checked_shr(32_u32.saturating_sub(bits)).unwrap_or_default() == 0
        }
        (IpAddr::V6(one), IpAddr::V6(other)) if bits <= 128 => {
            (one.to_bits() ^ other.to_bits()).checked_shr(128_u32.saturating_sub(bits)).unwrap_or_default() == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_never_asked_through_a_proxy() {
        for host in ["localhost", "LocalHost:5000", "127.0.0.1", "127.9.9.9:80", "[::1]:5000", "[::1]"] {
            assert!(is_direct(host, ""), "{host}");
        }
        for host in ["localhost.example.com", "128.0.0.1", "[::2]:80", "quay.io"] {
            assert!(!is_direct(host, ""), "{host}");
        }
    }

    #[test]
    fn no_proxy_has_the_rules_of_go() {
        let list = "example.com, .below.org,*.star.net,10.0.0.0/8,192.168.1.7,port.io:5000,fd00::/8,0.0.0.0/33,x/8";
        for host in [
            "example.com",
            "EXAMPLE.com:443",
            "a.example.com",
            "a.below.org",
            "a.star.net",
            "10.1.2.3:5000",
            "192.168.1.7",
            "port.io:5000",
            "[fd12::1]:80",
        ] {
            assert!(is_direct(host, list), "{host}");
        }
        for host in ["notexample.com", "below.org", "star.net", "11.1.2.3", "192.168.1.8", "port.io", "[fe00::1]"] {
            assert!(!is_direct(host, list), "{host}");
        }
        assert!(is_direct("anything.io", "*"));
        assert!(!is_direct("anything.io", " , "));
    }
}
