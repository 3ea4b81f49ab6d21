//! A card in the network of an ordinary user: what the guest fetches, what is fetched from it, names that it looks up, and
//! what it may not reach; started by root and by a user without any rights.

use illico_tests::{Stage, guest};
use xtask::{Series, packages};

const DNS: &str = env!("CARGO_BIN_EXE_dns-answers");

/// Addresses are those of docs/devices.md. 192.0.2.2 is the host's own on its way out, 10.0.2.2 its loopback.
const GUEST: &str = "
    ip address add 10.0.2.15/24 dev eth0 && ip link set eth0 up && ip route add default via 10.0.2.2
    echo mtu $(cat /sys/class/net/eth0/mtu)
    echo nameserver 10.0.2.3 >/etc/resolv.conf
    nslookup somewhere.test | sed -n 's/^Address: */somewhere is /p' | tail -n 1
    wget -q -O /tmp/file http://192.0.2.2:8000/file
    echo fetched $(sha256sum </tmp/file)
    timeout 5 wget -q -O - http://10.0.2.2:8001/word || echo no loopback
    mkdir /www && cp /tmp/file /www/file && httpd -p 80 -h /www
    until wget -q -O - http://192.0.2.2:8000/$name.done >/tmp/done; do sleep 1; done
    carrier() { cat /sys/class/net/eth0/carrier; }
    case $name in
        cut) echo carrier $(carrier); until test $(carrier) = 0; do sleep 1; done; echo carrier $(carrier);;
    esac
    echo the end";

const HOST: &str = "
    echo root:x:0:0::/root:/bin/sh >/etc/passwd
    echo nobody:x:65534:65534::/:/bin/sh >>/etc/passwd
    echo user:x:1000:1000::/tmp/user:/bin/sh >>/etc/passwd
    chmod 666 /dev/kvm
    tunctl -t up0 >/dev/null && ip address add 192.0.2.2/24 dev up0 && ip link set up0 up
    ip route add default via 192.0.2.1
    echo nameserver 127.0.0.1 >/etc/resolv.conf
    ./dns-answers 127.0.0.1:53 203.0.113.7 & dns=$!
    mkdir -p www local /tmp/user
    cp passt /bin
    echo a word of the host >local/word
    head -c 4m /dev/urandom >www/file
    httpd -p 192.0.2.2:8000 -h www
    httpd -p 127.0.0.1:8001 -h local
    fetch() {
        name=$1
        until wget -q -O $name.got http://127.0.0.1:8080/file || test -e $name.status; do sleep 1; done
        echo $name got $(sha256sum <$name.got)
        echo yes >www/$name.done
    }
    options() { echo --kernel kernels/6.12/vmlinux --initrd user.cpio --memory 128M -p 8080:80 --cmdline name=$1 --net; }
";

#[test]
fn a_guest_has_a_network_without_rights_on_the_host() {
    packages::require(&[("passt", "passt")]).expect("passt can be installed");
    let passt = packages::find_program("passt").expect("passt is there");
    let ran = Stage::new()
        .module("tun")
        .program(passt)
        .program(DNS)
        .bytes("user.cpio", guest::scripted(Series::V6_12, &["virtio_net"], GUEST))
        .script(HOST)
        .script("boot root $(options root) user,loopback & guest=$!; fetch root; wait $guest")
        .guest("root")
        .script("boot cut $(options cut) user & guest=$!; fetch cut")
        .script("until grep -q 'carrier 1' cut.console; do sleep 1; done; killall passt; wait $guest")
        .guest("cut")
        .script("cp -r kernels/6.12/vmlinux user.cpio /tmp/user; chown -R 1000:1000 /tmp/user; chmod 755 /tmp/user")
        .script("cd /tmp/user; mkdir kernels kernels/6.12; mv vmlinux kernels/6.12; cd /root")
        .script("plain() { name=plain; cd /tmp/user; su user -c \"PATH=$PATH illico boot --exits-json /tmp/user/plain.json $(options plain) user\" \\
            </dev/null >/root/plain.console 2>/root/plain.messages; echo $? >/root/plain.status; cp /tmp/user/plain.json /root; }")
        .script("(plain) & guest=$!; fetch plain; wait $guest")
        .guest("plain")
        .script("httpd -p 8080 -h local; boot busy $(options busy) user; cat busy.messages; touch busy.json")
        .script("killall httpd; boot killed $(options killed) user & until pidof passt; do sleep 1; done; kill -9 $(pidof illico)")
        .script("tries=0; while pidof passt && test $tries -lt 50; do sleep 0.2; tries=$((tries + 1)); done")
        .script("pidof passt || echo nothing is left; kill $dns")
        .run();
    let file = ran.output.lines().find_map(|line| line.strip_prefix("root got ")).unwrap_or_default().to_owned();
    assert!(file.len() > 60, "{}", ran.output);
    for name in ["root", "cut", "plain"] {
        let guest = ran.guest(name).ended_well();
        for line in ["mtu 65520", "somewhere is 203.0.113.7", &format!("fetched {file}"), "the end"] {
            assert!(guest.says(line), "no {line:?}: {guest}\n{}", ran.output);
        }
        assert_eq!(guest.says("a word of the host"), name == "root", "loopback is for who asks for it: {guest}");
        assert!(ran.output.contains(&format!("{name} got {file}\n")), "{}", ran.output);
    }
    let cut = ran.guest("cut");
    assert!(cut.says("carrier 1") && cut.says("carrier 0"), "{cut}");
    assert!(cut.messages.contains("passt has ended") && cut.messages.lines().count() == 1, "{cut}");
    assert_eq!(ran.guest("root").messages + &ran.guest("plain").messages, "");
    let busy = "illico: --net user: -p 8080:80: port 8080 of the host cannot be had";
    assert!(ran.output.contains(busy), "{}", ran.output);
    assert!(ran.output.contains("nothing is left"), "{}", ran.output);
}
