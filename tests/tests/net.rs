//! A card on a tap: the guest and the host reach each other, and what is sent arrives as it was, both ways.

use illico_tests::{Stage, guest};
use xtask::Series;

/// The guest's half. `nc` ends when its peer does; the pipe keeps it from taking an end of input for one.
const GUEST: &str = "
    mkfifo /tmp/open && exec 9<>/tmp/open
    ip address add 172.20.0.2/24 dev eth0 && ip link set eth0 up
    ping -c 3 172.20.0.1 | grep received
    until nc 172.20.0.1 5001 <&9 >/tmp/got; do sleep 1; done
    echo got $(sha256sum </tmp/got)
    head -c $bytes /dev/urandom >/tmp/sent
    echo sent $(sha256sum </tmp/sent)
    until nc 172.20.0.1 5002 </tmp/sent; do sleep 1; done";

/// The host's half: what it sends is there from the start, and it takes the guest's only once it has reached it.
const HOST: &str = "
    mkfifo open && exec 9<>open
    tunctl -t tap0 >/dev/null && ip address add 172.20.0.1/24 dev tap0 && ip link set tap0 up
    talk() {
        name=$1; bytes=$2; shift 2
        head -c $bytes /dev/urandom >$name.sent
        nc -l -p 5001 <$name.sent >/dev/null & sender=$!
        boot $name --net tap=tap0 --cmdline \"quiet bytes=$bytes\" --memory 128M \"$@\" & guest=$!
        until ping -c 1 -W 1 172.20.0.2 >/dev/null || test -e $name.status; do sleep 1; done
        ping -c 3 172.20.0.2 >$name.ping
        nc -l -p 5002 <&9 >$name.got & receiver=$!
        wait $guest
        kill $sender $receiver 2>/dev/null
        wait $sender $receiver
        echo $name pings $(grep received $name.ping)
        echo $name sent $(sha256sum <$name.sent)
        echo $name got $(sha256sum <$name.got) $(wc -c <$name.got)
    }";

#[test]
fn host_and_guest_reach_each_other_and_send_what_arrives() {
    let initrd = |series| guest::scripted(series, &["virtio_net"], GUEST);
    let ran = Stage::new()
        .module("tun")
        .bytes("6.12.cpio", initrd(Series::V6_12))
        .bytes("6.1.cpio", initrd(Series::V6_1))
        .script(HOST)
        .script("talk pci 8388608 --kernel kernels/6.12/vmlinux --initrd 6.12.cpio")
        .guest("pci")
        .script("talk older 1048576 --kernel kernels/6.1/vmlinux --initrd 6.1.cpio")
        .guest("older")
        .script("talk mmio 8388608 --kernel kernels/6.12/vmlinux --initrd 6.12.cpio --transport mmio")
        .guest("mmio")
        .script("tunctl -d tap0 >/dev/null")
        .run();
    for (name, bytes) in [("pci", 8 << 20), ("older", 1 << 20), ("mmio", 8 << 20)] {
        let guest = ran.guest(name).ended_well();
        assert_eq!(guest.messages, "", "{guest}");
        assert!(guest.console.contains("3 packets received"), "{guest}");
        let host = |what: &str| {
            let start = format!("{name} {what} ");
            let line = ran.output.lines().find_map(|line| line.strip_prefix(&start));
            line.unwrap_or_else(|| panic!("no {start}:\n{}\n{guest}", ran.output)).to_owned()
        };
        assert!(host("pings").contains("3 packets received"), "{}", host("pings"));
        assert!(guest.console.contains(&format!("got {}\n", host("sent"))), "{guest}\n{}", ran.output);
        let sent = guest.console.lines().find_map(|line| line.strip_prefix("sent "));
        assert_eq!(Some(host("got")), sent.map(|sum| format!("{sum} {bytes}")), "{guest}");
    }
}
