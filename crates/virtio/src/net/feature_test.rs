use super::*;

#[test]
fn an_offload_needs_its_feature() {
    let asked = [
        ([F_NEEDS_CSUM, 0], CSUM),
        ([0, GSO_TCPV4], HOST_TSO4),
        ([0, GSO_TCPV6], HOST_TSO6),
        ([0, GSO_UDP_L4], HOST_USO),
    ];
    for (header, feature) in asked {
        assert!(!Allowed::by(!feature).permits(header), "{header:?}");
        assert!(Allowed::by(feature).permits(header), "{header:?}");
    }
    assert!(!Allowed::by(HOST_TSO4).permits([0, GSO_TCPV4 | GSO_ECN]));
    assert!(Allowed::by(HOST_TSO4 | HOST_ECN).permits([0, GSO_TCPV4 | GSO_ECN]));
}

#[test]
fn a_plain_frame_needs_no_feature() {
    assert!(Allowed::by(0).permits([0, 0]));
}
