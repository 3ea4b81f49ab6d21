use super::*;

/// § 5.1.3.1: what a feature is of no use without.
const NEEDS: [(u64, u64); 10] = [
    (GUEST_TSO4, GUEST_CSUM),
    (GUEST_TSO6, GUEST_CSUM),
    (GUEST_ECN, GUEST_TSO4 | GUEST_TSO6),
    (GUEST_USO4, GUEST_CSUM),
    (GUEST_USO6, GUEST_CSUM),
    (HOST_TSO4, CSUM),
    (HOST_TSO6, CSUM),
    (HOST_ECN, HOST_TSO4 | HOST_TSO6),
    (HOST_USO, CSUM),
    (MQ, CTRL_VQ),
];

#[test]
fn no_feature_is_offered_without_what_it_needs() {
    for offered in [OF_STREAM, OF_TAP, OF_TAP | USO, OF_TAP | USO | MQ | CTRL_VQ | MTU] {
        for (feature, needs) in NEEDS {
            assert!(offered & feature == 0 || offered & needs != 0, "{feature:#x} of {offered:#x}");
        }
    }
}

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
