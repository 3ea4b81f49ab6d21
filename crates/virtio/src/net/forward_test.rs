use super::*;

#[test]
fn ports_are_read_and_written() {
    let read = |text: &str| text.parse::<Forward>().unwrap();
    let simple = read("8080:80");
    assert_eq!(
        (simple.host.get(), simple.guest.get(), simple.protocol, simple.address),
        (8080, 80, Protocol::Tcp, None)
    );
    assert_eq!(read("8080:80/tcp"), simple);
    assert_eq!(read("5353:53/udp").protocol, Protocol::Udp);
    assert_eq!(read("127.0.0.1:8080:80/udp").address, Some(Ipv4Addr::LOCALHOST));
    for text in ["8080:80", "5353:53/udp", "127.0.0.1:1:65535", "10.0.0.1:1:2/udp"] {
        assert_eq!(read(text).to_string(), text);
    }
}

#[test]
fn what_is_no_port_is_refused() {
    for text in [
        "",
        "80",
        ":80",
        "80:",
        "0:80",
        "80:0",
        "65536:1",
        "1:65536",
        "+1:2",
        "1:-2",
        "a:b",
        "1:2:3",
        "1:2/sctp",
        "1:2/tcp/udp",
        "1:2/",
        "host:1:2",
        "[::1]:1:2",
        " 1:2",
    ] {
        let error = text.parse::<Forward>().unwrap_err().to_string();
        assert!(error.contains(&format!("{text:?}")) && error.contains("8080:80"), "{error}");
    }
}
