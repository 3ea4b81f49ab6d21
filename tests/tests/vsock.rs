//! Streams between programs of the host and of a stock kernel: what is sent arrives, halves end by themselves, and nobody
//! is let in where nobody listens.

use illico_tests::{Stage, guest};
use xtask::Series;

const PEER: &str = env!("CARGO_BIN_EXE_stream-peer");
const MODULES: [&str; 1] = ["vmw_vsock_virtio_transport"];
const BYTES: u64 = 4 << 20;

fn initrd(script: &str) -> Vec<u8> {
    let program = guest::program(PEER.as_ref());
    let files: Vec<(&str, u32, Vec<u8>)> =
        program.iter().map(|(path, mode, bytes)| (path.as_str(), *mode, bytes.clone())).collect();
    guest::with_files(Series::V6_12, &MODULES, &files, script)
}

#[test]
fn host_and_guest_talk_over_vsock() {
    let script = format!(
        "stream-peer vsock 9 refused
         stream-peer vsock 5 talk {BYTES}
         stream-peer vsock-listen 1024 echo
         stream-peer vsock-listen 1025 talk {BYTES}
         stream-peer vsock 6 give 300000"
    );
    let ran = Stage::new()
        .program(PEER)
        .bytes("vsock.cpio", initrd(&script))
        .script("talk() { name=$1; shift
            ./stream-peer unix-listen $name.sock_5 echo & echo=$!
            ./stream-peer unix-listen $name.sock_6 take & take=$!
            boot $name --kernel kernels/6.12/vmlinux --initrd vsock.cpio --memory 128M --cmdline quiet --vsock path=$name.sock \"$@\" & guest=$!
            until test -e $name.sock; do sleep 0.1; done
            ./stream-peer call $name.sock 77 refused
            ./stream-peer call $name.sock 1024 talk 4194304
            ./stream-peer call $name.sock 1025 talk 4194304
            wait $guest $echo $take
            test ! -e $name.sock && echo gone
        }")
        .script("talk pci").guest("pci")
        .script("talk mmio --transport mmio").guest("mmio")
        .run();
    let talked = format!("gave {BYTES} and took {BYTES}");
    let echoed = format!("echoed {BYTES}");
    for name in ["pci", "mmio"] {
        let guest = ran.guest(name).ended_well();
        assert_eq!(guest.messages, "", "{guest}");
        for line in [&talked, &echoed, "refused: Connection reset by peer (os error 104)"] {
            assert!(guest.says(line), "no {line:?}: {guest}\n{}", ran.output);
        }
    }
    let said = |line: &str| ran.output.lines().filter(|said| *said == line).count();
    for line in ["refused: closed", "took 300000", "gone", &echoed] {
        assert_eq!(said(line), 2, "{line:?}:\n{}", ran.output);
    }
    assert_eq!(said(&talked), 4, "{}", ran.output);
}
