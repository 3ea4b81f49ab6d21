//! The network card of a machine, and the addresses that its PID 1 sets up on it.

use std::net::IpAddr;

use illico_machine::config::{Config, key_value};
use illico_protocol::{Address, Network};
use illico_virtio::net::{NetSpec, USER_NETWORK};

use crate::error::{Part, PlanError};

/// What a guest calls its one card.
const INTERFACE: &str = "eth0";

/// Adds the card that `text` describes to the machine, and returns what the guest sets up on it.
pub fn attach(text: &str, ports: &[String], config: &mut Config) -> Result<Option<Network>, PlanError> {
    let wrong = |why: String| PlanError::new(Part::Network, format!("{text}: {why}"));
    let is_user = text == "user" || text.starts_with("user,");
    if !ports.is_empty() && !is_user {
        return Err(PlanError::new(Part::PortNetwork, "ports lead to a machine with the network `user`"));
    }
    if text == "none" {
        return Ok(None);
    }
    // What the guest sets up is no business of the card's.
    let is_guest_s = |word: &&str| ["ip=", "gateway=", "dns="].iter().any(|key| word.starts_with(key));
    let (guest, card): (Vec<&str>, Vec<&str>) = text.split(',').partition(is_guest_s);
    let mut card: NetSpec = key_value::from_str(&card.join(",")).map_err(|error| wrong(error.to_string()))?;
    let network = if is_user {
        if let Some(word) = guest.first() {
            return Err(wrong(format!("{word}: its addresses are given")));
        }
        for port in ports {
            card.forward.push(port.parse().map_err(|error| PlanError::new(Part::Port, format!("{error}")))?);
        }
        of_user()
    } else {
        on_tap(&guest).map_err(wrong)?
    };
    config.net.push(card);
    Ok(Some(network))
}

fn empty() -> Network {
    let (addresses, gateways, dns, search) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    Network { interface: INTERFACE.to_owned(), addresses, gateways, dns, search, mtu: None }
}

fn of_user() -> Network {
    let ip = IpAddr::V4(USER_NETWORK.address);
    Network {
        addresses: vec![Address { ip, prefix: USER_NETWORK.prefix }],
        gateways: vec![IpAddr::V4(USER_NETWORK.gateway)],
        dns: vec![IpAddr::V4(USER_NETWORK.dns)],
        ..empty()
    }
}

/// The addresses that were given: only the person knows what is behind a tap.
fn on_tap(words: &[&str]) -> Result<Network, String> {
    let mut network = empty();
    for word in words {
        let no = |what: &str| format!("{word} is not {what}");
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        if key == "ip" {
            let (ip, prefix) = value.split_once('/').ok_or_else(|| no("ADDRESS/BITS, such as 192.168.7.2/24"))?;
            let ip: IpAddr = ip.parse().map_err(|_| no("an address"))?;
            let most = if ip.is_ipv4() { 32 } else { 128 };
            let prefix = prefix.parse().ok().filter(|&bits| bits <= most).ok_or_else(|| no("a prefix"))?;
            network.addresses.push(Address { ip, prefix });
        } else {
            let ip = value.parse().map_err(|_| no("an address"))?;
            if key == "dns" { &mut network.dns } else { &mut network.gateways }.push(ip);
        }
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attached(text: &str, ports: &[&str]) -> Result<(Option<Network>, Config), String> {
        let mut config = Config::default();
        let ports: Vec<_> = ports.iter().map(|&port| port.to_owned()).collect();
        let network = attach(text, &ports, &mut config).map_err(|error| error.to_string())?;
        Ok((network, config))
    }

    #[test]
    fn the_user_s_network_has_given_addresses_and_ports_lead_to_it() {
        let (network, config) = attached("user", &["8080:80", "5353:53/udp"]).unwrap();
        let network = network.unwrap();
        assert_eq!(network.addresses[0].ip.to_string(), "10.0.2.15");
        assert_eq!(network.dns[0].to_string(), "10.0.2.3");
        assert_eq!(
            config.net[0].forward.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["8080:80", "5353:53/udp"]
        );
    }

    #[test]
    fn a_tap_has_the_addresses_that_are_said() {
        let (network, config) = attached("tap=t0,ip=192.168.7.2/24,gateway=192.168.7.1,dns=9.9.9.9", &[]).unwrap();
        let network = network.unwrap();
        assert_eq!((network.addresses[0].prefix, network.gateways.len(), network.dns.len()), (24, 1, 1));
        assert_eq!(config.net[0].tap.as_deref(), Some("t0"));
        assert!(attached("tap=t0", &[]).unwrap().0.unwrap().addresses.is_empty());
    }

    #[test]
    fn no_network_is_no_card() {
        let (network, config) = attached("none", &[]).unwrap();
        assert!(network.is_none() && config.net.is_empty());
    }

    #[test]
    fn mistakes_name_the_part() {
        for (text, ports, why) in [
            ("none", &["1:2"][..], "ports lead to a machine with the network `user`"),
            ("tap=t0", &["1:2"], "ports lead to a machine with the network `user`"),
            ("user", &["80"], "\"80\""),
            ("user,ip=1.2.3.4/8", &[], "its addresses are given"),
            ("tap=t0,ip=1.2.3.4", &[], "is not ADDRESS/BITS"),
            ("tap=t0,ip=1.2.3.4/33", &[], "is not a prefix"),
            ("tap=t0,dns=x", &[], "dns=x is not an address"),
            ("bridge", &[], "bridge: "),
        ] {
            let error = attached(text, ports).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
