//! Rules for exits, and for vCPUs that wait.
//!
//! What an exit costs is seen where they came fastest: that is a bound from above, with all that the guest did between
//! two of them. So many times that, and never more than the time in which they came.

use super::{Item, lane};
use crate::show::timeline::story::{Bucket, Exits, LOG, Story};

/// Exits of one kind in one bucket before their rate says anything.
const RATE: u64 = 16;
/// Small pages that are not just the edges of large ones: 16 MiB of them.
const SMALL_PAGES: u64 = 4096;
/// Faults for memory that large pages would not need.
const FAULTS: u64 = 1000;
/// Exits to one party that a boot without fault does not have.
const MANY: u64 = 1000;
/// CPUID and MSR that a boot of Linux has anyway, and half as many again.
const UNACCOUNTED: u64 = 3000;

pub(super) fn items(story: &Story) -> Vec<Item> {
    let Some(exits) = &story.exits else { return Vec::new() };
    let until = story.accounted.total;
    let buckets: Vec<&Bucket> = exits.buckets.iter().filter(|bucket| bucket.begin < until).collect();
    let mut items: Vec<_> =
        exits.parties.iter().enumerate().filter_map(|(n, party)| came_up(party, n, &buckets)).collect();
    items.extend(small_pages(exits, &buckets));
    items.extend(unaccounted(exits, &buckets));
    items.extend(halted(story, &buckets));
    items
}

/// What exits of one kind came to.
struct Cost {
    count: u64,
    /// How long they took at most.
    took: u64,
    /// Where they took at least a third of the time.
    mostly: Vec<(u64, u64)>,
}

impl Cost {
    fn item(self, what: String, remedy: &str) -> Item {
        Item { took: self.took, what, remedy: remedy.to_owned(), covers: self.mostly }
    }
}

fn cost(buckets: &[&Bucket], count: impl Fn(&Bucket) -> u64) -> Cost {
    let length = |bucket: &Bucket| bucket.end - bucket.begin;
    let rated = buckets.iter().filter(|bucket| count(bucket) >= RATE);
    let each = rated.map(|bucket| length(bucket) / count(bucket)).min().unwrap_or(0);
    let took = |bucket: &Bucket| count(bucket).saturating_mul(each).min(length(bucket));
    let mostly = buckets.iter().filter(|bucket| 3 * took(bucket) > length(bucket));
    Cost {
        count: buckets.iter().map(|bucket| count(bucket)).sum(),
        took: buckets.iter().map(|bucket| took(bucket)).sum(),
        mostly: mostly.map(|bucket| (bucket.begin, bucket.end)).collect(),
    }
}

fn came_up(party: &str, number: usize, buckets: &[&Bucket]) -> Option<Item> {
    let cost = cost(buckets, |bucket| bucket.came_up.get(number).copied().unwrap_or(0));
    let count = cost.count;
    if count < MANY {
        return None;
    }
    Some(match party {
        "uart" => cost.item(
            format!("{count} exits for the UART: two for each character of the console"),
            "--console virtio takes a kick for each burst",
        ),
        "nobody" => cost.item(
            format!("{count} exits for hardware that is not there"),
            "tell the kernel what is missing; docs/boot.md has the words that illico gives it by default",
        ),
        "pci-config" => cost.item(
            format!("{count} writes to PCI configuration space"),
            "fewer devices, or --transport mmio for devices that need no probing",
        ),
        party => cost.item(
            format!("{count} exits for the registers of {party}"),
            "over --transport pci an interrupt needs no register; more requests in flight need fewer of both",
        ),
    })
}

fn reason(exits: &Exits, name: &str) -> Option<usize> {
    exits.reasons.iter().position(|reason| reason == name)
}

fn small_pages(exits: &Exits, buckets: &[&Bucket]) -> Option<Item> {
    let (small, large) = exits.pages?;
    let memory = reason(exits, "memory")?;
    let cost = cost(buckets, |bucket| bucket.all.get(memory).copied().unwrap_or(0));
    let count = cost.count;
    (small >= SMALL_PAGES && count >= FAULTS).then(|| {
        cost.item(
            format!("{count} faults for the guest's memory, in {small} pages of 4 KiB and {large} of 2 MiB"),
            "--hugepages thp with /sys/kernel/mm/transparent_hugepage/enabled on madvise, or --hugepages hugetlb",
        )
    })
}

fn unaccounted(exits: &Exits, buckets: &[&Bucket]) -> Option<Item> {
    let unaccounted = reason(exits, "unaccounted")?;
    let cost = cost(buckets, |bucket| bucket.all.get(unaccounted).copied().unwrap_or(0));
    let count = cost.count;
    (count >= UNACCOUNTED).then(|| {
        cost.item(
            format!("{count} exits for CPUID, MSR and the like, which KVM settles without the monitor"),
            "each program that starts asks for about 30 CPUID, and each timer that is armed is an MSR: start fewer, wait less",
        )
    })
}

fn halted(story: &Story, buckets: &[&Bucket]) -> Option<Item> {
    let took = buckets.iter().map(|bucket| bucket.halted).sum();
    let within = |begin: u64, end: u64| {
        let inside = buckets.iter().filter(|bucket| bucket.begin < end && begin < bucket.end);
        inside.map(|bucket| bucket.halted).sum::<u64>()
    };
    let longest = lane(story, LOG).max_by_key(|step| within(step.begin, step.end));
    let mostly = longest.map_or(String::new(), |step| format!(", most of it after \u{201c}{}\u{201d}", step.name));
    let what = format!("vCPUs with nothing to do{mostly}");
    let cost = Cost { count: 0, took, mostly: Vec::new() };
    let remedy = "something waited for a timer, a device or another vCPU there; what, its name tells";
    (took > 0).then(|| cost.item(what, remedy))
}
