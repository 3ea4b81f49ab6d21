//! Each experiment in words: what was compared, the figures, and the reason for them.

use super::words::{average, count, milliseconds};
use super::{Compute, Console, Deed, Disk, Namespaces, Path, Spread, Start, Way, Wild};

/// An experiment, as it is shown.
#[derive(Debug)]
pub struct Section {
    /// One word.
    pub title: &'static str,
    /// The reason in one line of a narrow screen.
    pub reason: &'static str,
    /// What was done, and the reason, for a page.
    pub told: String,
    /// The first one is what a terminal shows.
    pub charts: Vec<Chart>,
    /// What was done and what came of it.
    pub events: Vec<(String, String)>,
    /// A command that does the same.
    pub again: &'static str,
}

/// Bars of one unit.
#[derive(Debug)]
pub struct Chart {
    /// What their length is.
    pub caption: &'static str,
    /// From top to bottom.
    pub bars: Vec<Bar>,
}

/// A bar.
#[derive(Debug)]
pub struct Bar {
    /// What it is of.
    pub label: String,
    /// What stands beside it on a terminal, where there is only one chart.
    pub line: String,
    /// What stands beside it in its chart.
    pub figure: String,
    /// Its parts, with their names where there are several.
    pub parts: Vec<(&'static str, f64)>,
    /// Where it was measured several times.
    pub spread: Option<Spread>,
    /// Whose it is.
    pub whose: Whose,
}

/// Whose figure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// What is argued for.
    Ours,
    /// What it is compared with.
    Other,
}
use Whose::{Other, Ours};

impl Bar {
    fn new(whose: Whose, label: impl Into<String>, value: f64, figure: String, line: String) -> Self {
        Self { label: label.into(), line, figure, parts: vec![("", value)], spread: None, whose }
    }

    fn spread(whose: Whose, label: impl Into<String>, spread: &Spread, more: &str) -> Self {
        let figure = milliseconds(spread.median) + more;
        let bar = Self::new(whose, label, spread.median, figure.clone(), figure);
        Self { spread: Some(spread.clone()), ..bar }
    }

    /// Its length.
    pub fn value(&self) -> f64 {
        self.parts.iter().map(|(_, value)| value).sum()
    }
}

/// The same computation, on the host and in a guest.
pub fn compute(found: &Compute) -> Section {
    let Compute { rounds, host_ms, guest_ms, ratio, exits } = found;
    let left = match exits {
        Some(exits) => format!(
            " It left the CPU {} times for each of them, on average, and then for the host's own clock.",
            average(*exits)
        ),
        None => String::new(),
    };
    Section {
        title: "Compute",
        reason: "the CPU itself runs a guest's instructions; nobody translates them",
        told: format!(
            "{} steps of the same computation, compiled from the same source, {} times in turns on the host and in a \
             guest. The guest takes {:.2} times as long (half of the pairs between {:.2} and {:.2}), because the CPU \
             itself runs its instructions: nothing translates them and nothing looks at them.{left}",
            count(*rounds),
            ratio.samples.len(),
            ratio.median,
            ratio.low,
            ratio.high
        ),
        charts: vec![Chart {
            caption: "milliseconds",
            bars: vec![
                Bar::spread(Other, "on the host", host_ms, ""),
                Bar::spread(Ours, "in a guest", guest_ms, &format!(", {:.2} times", ratio.median)),
            ],
        }],
        events: Vec::new(),
        again: "illico boot --kernel :probe: --cmdline probe=compute",
    }
}

/// From exec to the end.
pub fn start(found: &Start) -> Section {
    let Start { process_ms, machine_ms, ratio, namespaces } = found;
    let mut bars = vec![
        Bar::spread(Other, "a process: true", process_ms, ""),
        Bar::spread(Ours, "a virtual machine", machine_ms, &format!(", {:.1} times", ratio.median)),
    ];
    let beside = match namespaces {
        Namespaces::Made { kinds, ms } => {
            bars.push(Bar::spread(Other, format!("true in {kinds} namespaces"), ms, ""));
            "Containers are made of namespaces, which the kernel has to make and to take apart as well.".to_owned()
        }
        Namespaces::Refused { why } => {
            bars.push(Bar::new(
                Other,
                "fresh namespaces",
                0.0,
                "not permitted here".into(),
                "not permitted here".into(),
            ));
            format!("Fresh namespaces were refused here ({why}).")
        }
    };
    Section {
        title: "Start",
        reason: "a machine is a process and a few calls; its kernel is entered at once",
        told: format!(
            "From exec to the end, {} turns: a process that does nothing; illico, with a machine of ten instructions \
             that powers off; and a process that does nothing in namespaces of its own. A machine is a process that \
             makes a few system calls: no firmware runs, no boot loader, no real mode; the guest's kernel is entered \
             where it says that it begins. {beside}",
            process_ms.samples.len()
        ),
        charts: vec![Chart { caption: "milliseconds", bars }],
        events: Vec::new(),
        again: "illico boot --kernel :ten: --memory 16M --console none --entropy off",
    }
}

/// Two consoles.
pub fn console(found: &Console) -> Section {
    let Console { bytes, uart, virtio } = found;
    let exits = |whose, label, way: &Way| {
        let figure = format!("{} exits", count(way.exits));
        Bar::new(whose, label, way.exits as f64, figure.clone(), format!("{figure}, {}", milliseconds(way.ms)))
    };
    let times = |whose, label, way: &Way| Bar::new(whose, label, way.ms, milliseconds(way.ms), String::new());
    let (by_uart, by_virtio) = ("64 KiB by UART", "64 KiB by VirtIO");
    Section {
        title: "Console",
        reason: "a UART exits for every byte; VirtIO shares memory, and kicks a batch",
        told: format!(
            "{} bytes from a guest to its console. To a UART each byte is an instruction that the guest may not \
             execute: it leaves the CPU, the monitor looks what it wanted, and it is entered again. A VirtIO console \
             finds the bytes in memory that both share, and is told once for many of them.",
            count(*bytes)
        ),
        charts: vec![
            Chart { caption: "exits", bars: vec![exits(Other, by_uart, uart), exits(Ours, by_virtio, virtio)] },
            Chart { caption: "time", bars: vec![times(Other, by_uart, uart), times(Ours, by_virtio, virtio)] },
        ],
        events: Vec::new(),
        again: "illico boot --kernel :probe: --console uart --cmdline 'console=uart probe=uart' --exits",
    }
}

/// A block by three devices.
pub fn disk(found: &Disk) -> Section {
    let Disk { block_bytes, mmio, pci, pmem } = found;
    let exits = |whose, label, path: &Path| {
        let figure = format!("{} exits", average(path.exits()));
        let line = format!("{figure} a block, {}", milliseconds(path.microseconds / 1e3));
        let parts = vec![("kick", path.kicks), ("register", path.registers), ("halt", path.halts)];
        Bar { parts, ..Bar::new(whose, label, 0.0, figure, line) }
    };
    let times = |whose, label, path: &Path| {
        let figure = milliseconds(path.microseconds / 1e3);
        Bar::new(whose, label, path.microseconds, figure, String::new())
    };
    let rows =
        [(Other, "4 KiB by virtio-mmio", mmio), (Ours, "4 KiB by virtio-pci", pci), (Ours, "4 KiB by pmem", pmem)];
    Section {
        title: "Disk",
        reason: "kicks tell the host; mmio acknowledges interrupts too; pmem is memory",
        told: format!(
            "Blocks of {} bytes, read one after the other. By either transport of a VirtIO disk the guest kicks, which is \
             an exit, and halts if the answer is not there when it looks. With virtio-mmio it then writes to a register \
             to say that it has seen the interrupt: an exit more, which the MSI-X interrupts of virtio-pci do not \
             have. Persistent memory is read as memory is: after the first touch, no exit at all.",
            count(*block_bytes)
        ),
        charts: vec![
            Chart { caption: "exits a block", bars: rows.map(|(whose, label, path)| exits(whose, label, path)).into() },
            Chart { caption: "time a block", bars: rows.map(|(whose, label, path)| times(whose, label, path)).into() },
        ],
        events: Vec::new(),
        again: "illico boot --kernel :probe: --disk path=FILE,readonly --cmdline 'probe=blk probe.wait=each' --exits",
    }
}

/// A hostile guest.
pub fn wild(found: &Wild) -> Section {
    let outcome = |attacks: &[&str]| {
        let deeds: Vec<_> = found.deeds.iter().filter(|deed| attacks.contains(&deed.attack.as_str())).collect();
        if deeds.len() < attacks.len() { None } else { Some(deeds) }
    };
    let all = |deeds: &[&Deed], verdict: &str| {
        deeds.iter().all(|deed| deed.verdict == verdict && deed.works_again != Some(false))
    };
    let happened = |attacks: &[&str], verdict: &str, words: &str| match outcome(attacks) {
        Some(deeds) if all(&deeds, verdict) => words.to_owned(),
        Some(deeds) => {
            deeds.iter().map(|deed| format!("{}: {}", deed.attack, deed.verdict)).collect::<Vec<_>>().join(", ")
        }
        None => "not reached".to_owned(),
    };
    let status = format!("triple fault: its machine ends, status {}", found.status);
    Section {
        title: "Wild",
        reason: "a guest reaches its memory and its devices, and nothing else there is",
        told: "A guest that means harm. What it can touch was decided before it ran: its memory, and what the monitor \
               answers for. Addresses and ports that nobody answers for read as ones, and writes to them go nowhere. \
               Whatever it puts into a ring is checked before it is used, so that a chain of requests that leads out of \
               its memory or in a circle only stops its device. And a machine is a process: one that cannot go on ends, \
               and nothing of it is left."
            .to_owned(),
        charts: Vec::new(),
        events: vec![
            (
                "uses addresses and ports of nobody".to_owned(),
                happened(&["holes", "ports"], "ignored", "reads ones, and its writes go nowhere"),
            ),
            (
                "sends chains beyond memory, loops".to_owned(),
                happened(&["outside-ram", "onto-local-apic", "loop-of-all", "index-jumps-far"], "needs-reset", "its device stops; once reset, it works"),
            ),
            ("drops its interrupt table, faults".to_owned(), happened(&["crash"], "triple-fault", &status)),
        ],
        again: "illico boot --kernel :probe: --console uart --cmdline 'console=uart probe=wild,crash'",
    }
}
