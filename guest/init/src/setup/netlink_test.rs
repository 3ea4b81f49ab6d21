use super::*;

#[test]
fn an_ipv4_address_comes_with_its_broadcast_address() {
    let request = address(2, Address { ip: "10.0.2.15".parse().unwrap(), prefix: 24 });
    #[rustfmt::skip]
    assert_eq!(request, [
        48, 0, 0, 0,  20, 0,  5, 5,  0, 0, 0, 0,  0, 0, 0, 0,
        2, 24, 2, 0,  2, 0, 0, 0,
        8, 0, 2, 0,  10, 0, 2, 15,
        8, 0, 1, 0,  10, 0, 2, 15,
        8, 0, 4, 0,  10, 0, 2, 255,
    ]);
}

#[test]
fn the_kernel_accepts_to_raise_loopback_again() {
    // Raising what is up changes nothing, and needs the right that is asked for first: both answers are the kernel's.
    let answer = Netlink::open().unwrap().ask(&raise(1, None)).map_err(|error| error.kind());
    assert!(matches!(answer, Ok(()) | Err(io::ErrorKind::PermissionDenied)), "{answer:?}");
}

#[test]
fn the_kernel_says_that_there_is_no_such_interface() {
    let error = Netlink::open().unwrap().ask(&raise(0x7fff_fff0, Some(1500))).unwrap_err();
    assert!(matches!(error.raw_os_error(), Some(19 | 1)), "ENODEV, or EPERM for who may not ask: {error}");
}

#[test]
fn what_is_no_acknowledgement_is_no_verdict() {
    assert_eq!(verdict(&[]), None);
    assert_eq!(verdict(&[36, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    assert_eq!(verdict(&[36, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xed, 0xff, 0xff, 0xff]), Some(-19));
}
