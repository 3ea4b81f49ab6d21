use super::*;
use crate::show::demo::{Compute, Console, Deed, Disk, Namespaces, Path, Spread, Start, Way, Wild};

fn sections() -> [Section; 5] {
    let spread = |median| Spread::of(vec![median, median, median * 9.0]);
    let compute = Compute {
        rounds: 200_000,
        host_ms: spread(0.36),
        guest_ms: spread(0.36),
        ratio: spread(1.0),
        exits: Some(0.1),
    };
    let namespaces = Namespaces::Refused { why: "unshare: unshare failed: Operation not permitted".to_owned() };
    let start = Start { process_ms: spread(0.9), machine_ms: spread(2.5), ratio: spread(2.8), namespaces };
    let way = |exits, ms| Way { exits, ms };
    let console = Console { bytes: 65_536, uart: way(65_536, 4_310.0), virtio: way(17, 0.61) };
    let path = |kicks, registers, halts, microseconds| Path {
        blocks: 512,
        kicks,
        registers,
        halts,
        other: None,
        microseconds,
    };
    let (mmio, pci) = (path(1.0, 1.0, 0.4, 310.0), path(1.0, 0.0, 0.4, 210.0));
    let disk = Disk { block_bytes: 4096, mmio, pci, pmem: path(0.0, 0.0, 0.0, 0.2) };
    let deed = |attack: &str, verdict: &str| Deed { attack: attack.into(), verdict: verdict.into(), works_again: None };
    let deeds = vec![deed("holes", "ignored"), deed("ports", "ignored"), deed("crash", "triple-fault")];
    let wild = Wild { deeds, status: 102 };
    [view::compute(&compute), view::start(&start), view::console(&console), view::disk(&disk), view::wild(&wild)]
}

fn screen(columns: usize, paint: Paint) -> String {
    sections().iter().map(|part| section(part, columns, paint)).collect()
}

#[test]
fn a_narrow_screen_holds_all_of_it() {
    let shown = screen(80, NO_COLOURS);
    // One more is the title; then there is what was typed, and the prompt.
    assert_eq!(shown.lines().count(), 18, "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    assert!(!shown.contains('…'), "nothing is cut off:\n{shown}");
}

#[test]
fn each_line_says_what_it_is_of_and_the_figure() {
    let shown = screen(80, NO_COLOURS);
    for line in [
        "Console  a UART exits for every byte; VirtIO shares memory, and kicks a batch",
        "  64 KiB by UART         ████████████████████  65,536 exits, 4.31 s",
        "  64 KiB by VirtIO       ▏                     17 exits, 610 µs",
        "  4 KiB by virtio-mmio   ████████████████████  2.40 exits a block, 310 µs",
        "  4 KiB by pmem                                0 exits a block, 200 ns",
        "  fresh namespaces                             not permitted here",
        "  uses addresses and ports of nobody  reads ones, and its writes go nowhere",
        "  sends chains beyond memory, loops   not reached",
        "  drops its interrupt table, faults   triple fault: its machine ends, status 102",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\nin:\n{shown}");
    }
}

#[test]
fn any_width_is_kept_to_where_figures_can_be_read() {
    for columns in [66, 70, 100, 110] {
        let shown = screen(columns, NO_COLOURS);
        let figures = shown.lines().filter(|line| !line.contains("faults") && !line.contains("chains"));
        assert!(figures.clone().all(|line| line.chars().count() <= columns), "{columns}:\n{shown}");
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let mut shown = screen(80, COLOURS);
    assert!(shown.contains("\x1b[1mDisk"), "{shown}");
    for code in [COLOURS.title, COLOURS.quiet, COLOURS.ours, COLOURS.other, COLOURS.plain] {
        shown = shown.replace(code, "");
    }
    let trimmed = |text: String| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(trimmed(shown), trimmed(screen(80, NO_COLOURS)));
}
