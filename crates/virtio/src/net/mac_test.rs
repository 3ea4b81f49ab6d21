use super::*;

#[test]
fn an_address_reads_as_it_is_written() {
    let address: MacAddress = "02:AB:00:00:1f:01".parse().unwrap();
    assert_eq!((address.bytes(), address.to_string().as_str()), ([2, 0xab, 0, 0, 0x1f, 1], "02:ab:00:00:1f:01"));
    assert_eq!(serde_json::to_string(&address).unwrap(), "\"02:ab:00:00:1f:01\"");
    assert_eq!(serde_json::from_str::<MacAddress>("\"02:ab:00:00:1f:01\"").unwrap(), address);
}

#[test]
fn what_is_no_address_of_a_card_is_refused() {
    for text in
        ["", "02", "02:00:00:00:00", "02:00:00:00:00:00:00", "2:0:0:0:0:1", "02:00:00:00:00:+1", "02-00-00-00-00-01"]
    {
        assert_eq!(text.parse::<MacAddress>(), Err(MacError::Form(text.to_owned())));
    }
    for text in ["01:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"] {
        assert!(matches!(text.parse::<MacAddress>(), Err(MacError::NotACard(_))), "{text}");
    }
}

#[test]
fn a_made_address_belongs_to_its_name() {
    let names = (0..256).map(|n| format!("tap{n}")).collect::<Vec<_>>();
    let made: std::collections::HashSet<_> = names.iter().map(|name| MacAddress::for_name(name)).collect();
    assert_eq!(made.len(), names.len());
    for address in made {
        assert_eq!(address.bytes()[0] & 0b11, 0b10);
        assert_eq!(address.to_string().parse(), Ok(address));
    }
    assert_eq!(MacAddress::for_name("tap0"), MacAddress::for_name("tap0"));
}
