//! Rules for the guest's kernel, by the lines of its log and, where they were asked for, its initcalls.

use super::{Item, has_log, lane};
use crate::show::timeline::story::{INIT, INITCALLS, LOG, Span, Story};

/// Lines that say what the kernel is at until the next one, and the initcall that says it better.
struct Rule {
    is_it: fn(&str) -> bool,
    initcall: &'static str,
    what: &'static str,
    remedy: &'static str,
}

const RULES: [Rule; 6] = [
    Rule {
        is_it: |line| line.starts_with("Calibrating delay loop") && !line.contains("(skipped)"),
        initcall: "",
        what: "the guest, calibrating its delay loop by counting",
        remedy: "a TSC whose frequency the guest is told (KVM_GET_TSC_KHZ), or lpj= on its command line",
    },
    Rule {
        is_it: |line| line.starts_with("raid6: ") || line.starts_with("xor: measuring"),
        initcall: "raid6_select_algo",
        what: "the guest, measuring which checksum is fastest for RAID",
        remedy: "leave btrfs and raid456 out of what is loaded, or a kernel without CONFIG_RAID6_PQ_BENCHMARK",
    },
    Rule {
        is_it: |line| line.starts_with("i8042: Probing ports directly"),
        initcall: "i8042_init",
        what: "the guest, looking for a keyboard controller (i8042)",
        remedy: "i8042.noprobe on its command line, if the kernel has it, or a kernel without CONFIG_SERIO_I8042",
    },
    Rule {
        is_it: |line| line.starts_with("Serial: 8250/16550 driver"),
        initcall: "serial8250_init",
        what: "the guest, looking for serial ports",
        remedy: "8250.nr_uarts=0 on its command line (a default word where there is no UART)",
    },
    Rule {
        is_it: |line| line.contains(": Mitigation: ") || line.contains(": Vulnerable"),
        initcall: "",
        what: "the guest, choosing and applying mitigations of CPU faults",
        remedy: "mitigations=off, if all that runs in the guest may know all that is in it",
    },
    Rule {
        is_it: |line| line.starts_with("Loading compiled-in X.509 certificates"),
        initcall: "load_system_certificate_list",
        what: "the guest, checking the certificates that its kernel has built in",
        remedy: "a kernel without CONFIG_SYSTEM_TRUSTED_KEYRING, if it needs not verify the modules it loads",
    },
];

pub(super) fn items(story: &Story) -> Vec<Item> {
    if !has_log(story) {
        return Vec::new();
    }
    let ruled = RULES.iter().map(|rule| {
        let calls: Vec<&Span> = lane(story, INITCALLS).filter(|call| call.name == rule.initcall).collect();
        let steps: Vec<&Span> = lane(story, LOG).filter(|step| (rule.is_it)(&step.name)).collect();
        let spans = if calls.is_empty() { steps } else { calls };
        Item::of(&spans, rule.what, rule.remedy)
    });
    ruled.chain([initrd(story), modules(story)].into_iter().flatten()).collect()
}

/// From "Trying to unpack" to the line that says how large it was; other initcalls run meanwhile.
fn initrd(story: &Story) -> Option<Item> {
    let steps: Vec<&Span> = lane(story, LOG).collect();
    let at = |line: &str| steps.iter().position(|step| step.name.starts_with(line));
    let (from, to) = (at("Trying to unpack rootfs image as initramfs")?, at("Freeing initrd memory: ")?);
    let size = steps.get(to)?.name.strip_prefix("Freeing initrd memory: ")?;
    Some(Item::of(
        steps.get(from..to)?,
        format!("the guest, unpacking its initrd of {size} (other initcalls ran beside it)"),
        "put less into the initrd, and compress it with nothing or lz4; a root file system on --pmem is not unpacked at all",
    ))
}

/// Initcalls of what is loaded after init has begun.
fn modules(story: &Story) -> Option<Item> {
    let init = story.mark(INIT)?;
    let calls: Vec<&Span> = story.spans.iter().filter(|span| span.lane == INITCALLS && span.begin >= init).collect();
    let longest = calls.iter().max_by_key(|call| call.took())?;
    let what = format!("the guest, starting {} modules after init, most of it {}", calls.len(), longest.name);
    Some(Item::of(&calls, what, "a kernel that has these drivers built in, or fewer devices"))
}
