//! What a boot costs, as counts: from exec to the first instruction of init, and on to a network card with an address.
//!
//! KVM's tracepoint counts. Host interrupts (INTR) are left out: their number is time, not work. Timers that the guest
//! arms are time too: the lab's instruction clock makes them repeat on a busy machine.
//! illico holds the same guests to the same numbers (`--budget`), by KVM's own counters and its own.

use illico_tests::{Guest, Stage, guest};
use xtask::Series;

/// The same for every monitor that it was measured with: one vCPU, 128 MiB, and an init that resets at once.
fn boot_to_init(series: Series, most: u64) {
    let options = format!(
        "--kernel kernels/{}/vmlinux --initrd /guests/reboot.cpio --memory 128M --cmdline quiet --budget budget.toml",
        series.name()
    );
    let ran = Stage::new()
        .bytes("budget.toml", budget(most, 10))
        .count("attached", &format!("{options} --console virtio"))
        .count("without", &format!("{options} --console none"))
        .run();
    for name in ["attached", "without"] {
        assert_within_budget(ran.guest(name), most, 10);
    }
}

/// For illico's own eyes.
fn budget(most: u64, most_port: u64) -> String {
    format!("total = {most}\n[reasons]\nport = {most_port}\n[devices]\nnobody = 2\n")
}

fn assert_within_budget(guest: Guest, most: u64, most_port: u64) {
    const OVER_BUDGET: u8 = 105;
    assert_ne!(guest.status, OVER_BUDGET, "{}", guest.messages);
    let guest = guest.ended_well();
    let exits = guest.counted();
    let table = format!("{} (budget: {most} without INTR, {most_port} IOIO):\n{exits}", guest.name);
    eprintln!("{table}");
    assert!(exits.without_intr() <= most && exits.count("IOIO") <= most_port, "{table}");
}

#[test]
fn linux_6_12_reaches_its_init_within_1600_exits() {
    boot_to_init(Series::V6_12, 1600);
}

#[test]
fn linux_6_1_reaches_its_init_within_1400_exits() {
    boot_to_init(Series::V6_1, 1400);
}

#[test]
fn linux_6_12_has_a_network_card_with_an_address_within_2300_exits() {
    let ran = Stage::new()
        .module("tun")
        .bytes("network.cpio", guest::network_init())
        .bytes("budget.toml", budget(2300, 10))
        .script("tunctl -t tap0 >/dev/null && ip link set tap0 up")
        .count(
            "network",
            "--kernel kernels/6.12/vmlinux --initrd network.cpio --memory 128M --cmdline quiet --net tap=tap0 \
             --budget budget.toml",
        )
        .run();
    let network = ran.guest("network");
    assert!(network.queue("net0", 0, "kicks") > 0, "the interface is up: its buffers were posted\n{network}");
    assert_within_budget(network, 2300, 10);
}
