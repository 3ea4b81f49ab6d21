//! Rules for the time before the guest runs.

use super::{Item, lane};
use crate::show::timeline::story::{MONITOR, Span, Story};

/// Work of the monitor, and what there would be less of it with.
const WORK: [(&str, &str, &str); 11] = [
    (
        "exec and loading of the program",
        "illico itself, from exec to its main",
        "a host that has the program in its page cache, and a release build, load it in less",
    ),
    ("parse the options", "illico, reading its command line", "a release build does it in microseconds"),
    (
        "unpack the kernel",
        "unpacking the bzImage, which the cache did not have yet",
        "the next run finds it unpacked; or give the uncompressed vmlinux as --kernel",
    ),
    (
        "hash the packed kernel",
        "hashing the bzImage, to find it unpacked in the cache",
        "give the uncompressed vmlinux as --kernel",
    ),
    (
        "read the kernel",
        "reading the kernel into the guest's memory",
        "a kernel with fewer drivers built in is smaller; a second run finds the file in the host's page cache",
    ),
    (
        "read the initrd",
        "reading the initrd into the guest's memory",
        "put less into it; a root file system on --pmem is mapped, not read",
    ),
    ("map the guest's memory", "reserving the guest's memory on the host", "less --memory, or --hugepages thp"),
    ("open the devices", "opening the devices' files", "fewer devices, and their files in the host's page cache"),
    (
        "KVM_CREATE_VM",
        "the host's KVM, making the virtual machine",
        "this is the host's kernel; where it is a guest itself, each of these calls exits to the host below",
    ),
    ("KVM_CREATE_VCPU", "the host's KVM, making the vCPUs", "fewer --cpus"),
    (
        "KVM_SET_USER_MEMORY_REGION",
        "the host's KVM, being told of memory",
        "fewer devices: each brings pages of registers that the guest then reads without exits",
    ),
];

pub(super) fn items(story: &Story) -> Vec<Item> {
    let item = |(name, what, remedy): &(&str, &str, &str)| {
        let spans: Vec<&Span> = lane(story, MONITOR).filter(|span| span.name == *name).collect();
        let times = if spans.len() > 1 { format!(" ({} calls)", spans.len()) } else { String::new() };
        Item::of(&spans, format!("{what}{times}"), *remedy)
    };
    WORK.iter().map(item).collect()
}
