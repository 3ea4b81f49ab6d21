//! Prints the descriptor chains that pass through a virtqueue, in words and bytes (docs/virtqueue.md).
//!
//! A queue that is not traced has no tracer: taking and handing back a chain cost one test more.
//! A traced one reads descriptors a second time, so a driver that changes them meanwhile is shown what it
//! changed them to. Bytes are shown as numbers and printable ASCII, whatever the guest put there.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use illico_memory::{GuestAddress, Ram};

use crate::ring::split::{DESC_F_INDIRECT, DESC_F_NEXT, DESC_F_WRITE, Descriptor, SplitRing};

/// Bytes of a buffer that are shown.
const BYTES: usize = 32;
const LINE: usize = 16;
/// Descriptors of a chain that are shown.
const DESCRIPTORS: usize = 32;

/// Where lines go.
pub type Sink = Arc<dyn Fn(&str) + Send + Sync>;

/// What is traced of a device.
#[derive(Clone)]
pub struct TraceSpec {
    /// One queue, or all of them.
    pub queue: Option<u16>,
    all: u32,
    /// Chains that may still be shown. Shared, since a driver may reset its device as often as it likes.
    left: Arc<AtomicU32>,
    sink: Sink,
}

impl TraceSpec {
    /// So many chains of a queue, or of all queues of a device together, to `sink`.
    pub fn new(queue: Option<u16>, chains: u32, sink: Sink) -> Self {
        Self { queue, all: chains, left: Arc::new(AtomicU32::new(chains)), sink }
    }
}

/// Looks at one queue.
pub struct Tracer {
    name: String,
    spec: TraceSpec,
    number: u64,
    /// Whether a chain that was shown was handed back, and the driver not told of it yet.
    untold: bool,
    /// Chains that were shown and not handed back yet, with the buffers that the device writes.
    open: VecDeque<Open>,
}

struct Open {
    head: u16,
    number: u64,
    writable: Vec<(String, Descriptor)>,
}

impl Tracer {
    /// For the queue of that name, such as `disk0:0`.
    pub fn new(name: String, spec: TraceSpec) -> Self {
        Self { name, spec, number: 0, untold: false, open: VecDeque::new() }
    }

    /// A chain was taken, which was made available as number `index`.
    pub(crate) fn taken(&mut self, ring: &SplitRing, ram: &Ram, index: u16, head: u16) {
        if self.spec.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err() {
            return;
        }
        self.number = self.number.saturating_add(1);
        let fields = ring.fields();
        let mut out = String::new();
        let _ = writeln!(
            out,
            "{} chain {}: available ring[{}] = {head}; idx {}, flags {:#x}, used_event {}",
            self.name,
            self.number,
            ring.place(index),
            fields.available_index,
            fields.available_flags,
            fields.used_event
        );
        let mut open = Open { head, number: self.number, writable: Vec::new() };
        for (place, descriptor) in descriptors(ring, ram, head) {
            describe(&place, &descriptor, &mut out);
            if descriptor.flags & (DESC_F_WRITE | DESC_F_INDIRECT) == 0 {
                bytes(ram, &descriptor, descriptor.len, &mut out);
            }
            if descriptor.flags & DESC_F_WRITE != 0 {
                open.writable.push((place, descriptor));
            }
        }
        self.open.push_back(open);
        (self.spec.sink)(&out);
    }

    /// The chain that was taken last is put back.
    pub(crate) fn put_back(&mut self, head: u16) {
        if let Some(open) = self.open.pop_back_if(|open| open.head == head) {
            (self.spec.sink)(&format!("{} chain {}: put back, to be taken again\n", self.name, open.number));
        }
    }

    /// A chain goes into the used ring as number `index`, and will be seen with the next index that is published.
    pub(crate) fn handed_back(&mut self, ring: &SplitRing, ram: &Ram, index: u16, head: u16, written: u32) {
        let Some(at) = self.open.iter().position(|open| open.head == head) else { return };
        let Some(open) = self.open.remove(at) else { return };
        let mut out = String::new();
        let _ = writeln!(
            out,
            "{} chain {}: used ring[{}] = {{ id {head}, len {written} }}",
            self.name,
            open.number,
            ring.place(index)
        );
        let mut left = written;
        for (place, descriptor) in &open.writable {
            let len = left.min(descriptor.len);
            if len > 0 {
                let _ = writeln!(out, "  {place} now has");
                bytes(ram, descriptor, len, &mut out);
            }
            left = left.saturating_sub(len);
        }
        self.untold = true;
        (self.spec.sink)(&out);
    }

    /// The driver is told of what was handed back, or is found not to want that.
    pub(crate) fn signalled(&mut self, ring: &SplitRing, interrupt: bool) {
        if !std::mem::take(&mut self.untold) {
            return;
        }
        let fields = ring.fields();
        let what = if interrupt { "interrupt" } else { "no interrupt wanted" };
        let mut out = format!(
            "{}: {what}; used idx {}, flags {:#x}, avail_event {}, used_event {}\n",
            self.name, fields.used_index, fields.used_flags, fields.available_event, fields.used_event
        );
        if self.spec.left.load(Relaxed) == 0 && self.open.is_empty() {
            let were = if self.spec.all == 1 { "chain was" } else { "chains were" };
            let _ = writeln!(out, "{}: {} {were} shown (--trace-chains N shows more)", self.name, self.spec.all);
        }
        (self.spec.sink)(&out);
    }
}

/// The descriptors of a chain that was found to be whole, with their places.
fn descriptors(ring: &SplitRing, ram: &Ram, head: u16) -> Vec<(String, Descriptor)> {
    let mut found = Vec::new();
    let (mut index, mut table) = (head, None::<(GuestAddress, u32)>);
    while found.len() < DESCRIPTORS {
        let (place, descriptor) = match table {
            None => (format!("desc[{index}]"), ring.descriptor(index)),
            Some((start, entries)) => {
                let at = u64::from(index).saturating_mul(Descriptor::SIZE as u64);
                let inside = u32::from(index) < entries;
                let window = start.0.checked_add(at).filter(|_| inside).map(GuestAddress);
                let window = window.and_then(|at| ram.window(at, Descriptor::SIZE as u64).ok());
                (format!("indirect[{index}]"), window.map(|window| window.read(0)))
            }
        };
        let Some(descriptor) = descriptor else { break };
        found.push((place, descriptor));
        if descriptor.flags & DESC_F_INDIRECT != 0 && table.is_none() {
            table = Some((GuestAddress(descriptor.address), descriptor.len / 16));
            index = 0;
        } else if descriptor.flags & DESC_F_NEXT != 0 {
            index = descriptor.next;
        } else {
            break;
        }
    }
    found
}

fn describe(place: &str, descriptor: &Descriptor, out: &mut String) {
    let Descriptor { address, len, flags, next } = descriptor;
    let names = [(DESC_F_NEXT, "NEXT"), (DESC_F_WRITE, "WRITE"), (DESC_F_INDIRECT, "INDIRECT")];
    let words: Vec<_> = names.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
    let words = if words.is_empty() { String::new() } else { format!(" {}", words.join("|")) };
    let next = if flags & DESC_F_NEXT != 0 { format!(", next {next}") } else { String::new() };
    let _ = writeln!(out, "  {place}: addr {address:#x}, len {len}, flags {flags:#x}{words}{next}");
}

/// The first bytes of a buffer, of which `len` are of interest.
fn bytes(ram: &Ram, descriptor: &Descriptor, len: u32, out: &mut String) {
    let mut bytes = [0; BYTES];
    let shown = (len as usize).min(BYTES);
    let Some(bytes) = bytes.get_mut(..shown) else { return };
    // A buffer may reach over what the kernel has in one piece; persistent memory is none of RAM's.
    let read = ram.window(GuestAddress(descriptor.address), shown as u64).map(|window| window.copy_to(0, bytes));
    if read.is_err() {
        return;
    }
    for (line, bytes) in bytes.chunks(LINE).enumerate() {
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String = bytes
            .iter()
            .map(|&byte| if byte.is_ascii_graphic() || byte == b' ' { byte as char } else { '.' })
            .collect();
        let _ = writeln!(out, "    {:04x}  {:<47}  {text}", line.saturating_mul(LINE), hex.join(" "));
    }
    if len as usize > BYTES {
        let _ = writeln!(out, "    ... {} bytes in all", len);
    }
}

impl std::fmt::Debug for Tracer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tracer({}, {:?})", self.name, self.spec)
    }
}

impl std::fmt::Debug for TraceSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TraceSpec({:?}, {} of {} chains)", self.queue, self.left.load(Relaxed), self.all)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#[path = "trace_test.rs"]
mod tests;
