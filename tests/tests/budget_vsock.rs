//! What streams cost, as exits a MiB, one way and the other: 16 MiB, compared with a guest that takes nothing.

use illico_tests::{Guest, Stage, guest};
use xtask::Series;

const PEER: &str = env!("CARGO_BIN_EXE_stream-peer");
const MIB: u64 = 16;
/// What was measured is 9 to the guest and 15 from it; how much a batch holds depends on who runs when.
const MOST: u64 = 40;

fn initrd(script: &str) -> Vec<u8> {
    let program = guest::program(PEER.as_ref());
    let files: Vec<(&str, u32, Vec<u8>)> =
        program.iter().map(|(path, mode, bytes)| (path.as_str(), *mode, bytes.clone())).collect();
    guest::with_files(Series::V6_12, &["vmw_vsock_virtio_transport"], &files, script)
}

fn exits_a_mib(guest: &Guest, none: &Guest) -> u64 {
    guest.counted().without_intr().saturating_sub(none.counted().without_intr()) / MIB
}

fn table(guest: &Guest) -> String {
    let queue = |queue| ["kicks", "interrupts", "requests"].map(|figure| guest.queue("vsock", queue, figure));
    format!("{}: kicks, interrupts, packets: rx {:?}, tx {:?}\n{}", guest.name, queue(0), queue(1), guest.counted())
}

#[test]
fn a_mebibyte_over_vsock_costs_at_most_40_exits() {
    let bytes = MIB << 20;
    let options = "--kernel kernels/6.12/vmlinux --memory 128M --cmdline quiet --vsock path=vm.sock";
    let ran = Stage::new()
        .release()
        .program(PEER)
        .bytes("take.cpio", initrd("stream-peer vsock 5 take"))
        .bytes("give.cpio", initrd(&format!("stream-peer vsock 5 give {bytes} && echo gave")))
        .script("./stream-peer unix-listen vm.sock_5 give 0 &")
        .count("none", &format!("{options} --initrd take.cpio"))
        .script(&format!("rm vm.sock_5; ./stream-peer unix-listen vm.sock_5 give {bytes} &"))
        .count("to", &format!("{options} --initrd take.cpio"))
        .script("rm vm.sock_5; ./stream-peer unix-listen vm.sock_5 take &")
        .count("from", &format!("{options} --initrd give.cpio"))
        .script("wait")
        .run();
    let [none, to, from] = ["none", "to", "from"].map(|name| ran.guest(name).ended_well());
    assert!(none.says("took 0") && to.says(&format!("took {bytes}")) && from.says("gave"), "{none}\n{to}\n{from}");
    assert!(ran.output.lines().any(|line| line == format!("took {bytes}")), "{}", ran.output);
    let (there, back) = (exits_a_mib(&to, &none), exits_a_mib(&from, &none));
    let table = format!("{there} exits a MiB to the guest, {back} from it\n{}\n{}", table(&to), table(&from));
    eprintln!("{table}");
    assert!(there.max(back) <= MOST, "{table}");
}
