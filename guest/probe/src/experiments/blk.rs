//! `blk`: a disk, first by `virtio-drivers` (capacity, identity, a read), then by a ring of our own: many reads at a
//! depth, by polling or by interrupts, and requests that must fail.
//!
//! Options: `probe.requests=N`, `probe.depth=N`, `probe.wait=interrupt|each`, `probe.event_idx=off`, `probe.pattern=offset`
//! (each 64-bit word of the disk is its own byte offset, little-endian; words that are not are counted), and
//! `probe.write=<block>`: writes there, reads back and flushes, discards the block behind it, writes zeroes to the next.

use virtio_drivers::device::blk::VirtIOBlk;

use super::block_queue::{self, BLOCK, BlockQueue, SECTOR};
use super::{Failure, Outcome};
use crate::device::Kind;
use crate::dma::{Identity, Pages};
use crate::gate::{cycles, interrupt_count};
use crate::machine::Machine;
use crate::say;

/// An ID is this long (5.2.6).
const ID: usize = 20;
const SECTORS_A_BLOCK: u64 = (BLOCK / SECTOR) as u64;

/// How a request is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// By looking again and again.
    Poll,
    /// Halted, if it is not there yet.
    Interrupt,
    /// By an interrupt in any case, which is acknowledged before the ring is looked at: what Linux's driver does.
    Each,
}

impl Wait {
    fn of(option: Option<&str>) -> Self {
        match option {
            Some("interrupt") => Self::Interrupt,
            Some("each") => Self::Each,
            _ => Self::Poll,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Interrupt => "interrupt",
            Self::Each => "each",
        }
    }
}

pub(super) fn run(machine: &Machine) -> Outcome {
    oracle(machine)?;
    let mut queue = BlockQueue::open(machine)?;
    reads(machine, &mut queue)?;
    refused(&mut queue)?;
    if let Some(block) = machine.command_line.option("write").and_then(crate::command_line::number) {
        writes(&mut queue, block)?;
    }
    queue.close();
    Ok(())
}

/// `blk-reset`: a reset with a read in flight. It comes back once the device has finished it, or given it up.
pub(super) fn reset(machine: &Machine) -> Outcome {
    let mut queue = BlockQueue::open(machine)?;
    queue.read(0, 0)?;
    queue.kick_if_wanted();
    say!("blk-reset begins");
    queue.close();
    say!("blk-reset ends");
    Ok(())
}

/// What another implementation of the driver sees.
fn oracle(machine: &Machine) -> Outcome {
    let mut driver = VirtIOBlk::<Identity, _>::new(machine.transport(Kind::BLOCK, 0)?)?;
    let mut id = [0; ID];
    let length = driver.device_id(&mut id)?;
    let mut block = Pages::new(BLOCK).ok_or(Failure("no-memory"))?;
    // SAFETY: `read_blocks` returns when the device is done with it.
    let bytes = unsafe { block.bytes() };
    driver.read_blocks(0, bytes)?;
    let mut first = [0; 8];
    first.copy_from_slice(&bytes[..8]);
    say!(
        "blk capacity={} readonly={} id={} first={:#x}",
        driver.capacity(),
        u8::from(driver.readonly()),
        core::str::from_utf8(&id[..length]).unwrap_or("?"),
        u64::from_le_bytes(first)
    );
    Ok(())
}

fn reads(machine: &Machine, queue: &mut BlockQueue) -> Outcome {
    let options = machine.command_line;
    let requests = options.number("requests", 256);
    let wait = Wait::of(options.option("wait"));
    let checked = options.option("pattern") == Some("offset");
    let blocks = queue.capacity / SECTORS_A_BLOCK;
    if blocks == 0 {
        return Err(Failure("disk-too-small"));
    }
    if wait != Wait::Poll && !machine.interrupts {
        return Err(Failure("no-local-apic"));
    }
    // With several in flight one interrupt may stand for several.
    let deepest = if wait == Wait::Each { 1 } else { queue.slots() as u64 };
    let depth = options.number("depth", 1).clamp(1, deepest).min(requests);
    let (mut sent, mut done, mut failed, mut wrong) = (0, 0, 0_u64, 0_u64);
    let interrupts = interrupt_count(queue.vector());
    let kicks = queue.kicks();
    let before = cycles();
    while sent < depth {
        queue.read(sent as usize, sent % blocks)?;
        sent += 1;
    }
    if wait == Wait::Each {
        queue.want_interrupt();
    }
    queue.kick_if_wanted();
    while done < requests {
        let slot = match wait {
            Wait::Poll => queue.wait()?,
            Wait::Interrupt => queue.wait_interrupt(),
            Wait::Each => queue.wait_each_interrupt()?,
        };
        let block = done_block(queue, slot);
        failed += u64::from(queue.status(slot) != block_queue::OK);
        if checked {
            wrong += queue.words_unlike(slot, |at| block * BLOCK as u64 + at);
        }
        done += 1;
        if sent < requests {
            queue.read(slot, sent % blocks)?;
            if wait == Wait::Each {
                queue.want_interrupt();
            }
            queue.kick_if_wanted();
            sent += 1;
        }
    }
    let spent = cycles().wrapping_sub(before);
    say!(
        "blk reads={done} depth={depth} wait={} failed={failed} wrong={} kicks={} interrupts={} cycles={spent}",
        wait.name(),
        if checked { wrong } else { 0 },
        queue.kicks() - kicks,
        interrupt_count(queue.vector()) - interrupts
    );
    Ok(())
}

fn done_block(queue: &BlockQueue, slot: usize) -> u64 {
    queue.sector(slot) / SECTORS_A_BLOCK
}

/// Requests that no disk can fulfil: 1 is VIRTIO_BLK_S_IOERR, 2 is UNSUPP.
fn refused(queue: &mut BlockQueue) -> Outcome {
    let beyond = queue.request(block_queue::IN, queue.capacity, BLOCK)?;
    let far = queue.request(block_queue::IN, u64::MAX - 3, BLOCK)?;
    let across = queue.request(block_queue::IN, queue.capacity.saturating_sub(1), BLOCK)?;
    let unknown = queue.request(0x7777, 0, SECTOR)?;
    let id = queue.request(block_queue::GET_ID, 0, ID)?;
    let flush = queue.request(block_queue::FLUSH, 0, 0)?;
    say!("blk beyond={beyond} far={far} across={across} unknown={unknown} get_id={id} flush={flush}");
    Ok(())
}

fn writes(queue: &mut BlockQueue, block: u64) -> Outcome {
    let pattern = |at: u64| !(block * BLOCK as u64 + at);
    let sector = block * SECTORS_A_BLOCK;
    queue.fill(0, pattern);
    let write = queue.request(block_queue::OUT, sector, BLOCK)?;
    queue.fill(0, |_| 0);
    let read = queue.request(block_queue::IN, sector, BLOCK)?;
    let wrong = queue.words_unlike(0, pattern);
    let flush = queue.request(block_queue::FLUSH, 0, 0)?;
    let discard = queue.range(block_queue::DISCARD, sector + SECTORS_A_BLOCK)?;
    let zeroes = queue.range(block_queue::WRITE_ZEROES, sector + 2 * SECTORS_A_BLOCK)?;
    queue.fill(0, |_| u64::MAX);
    queue.request(block_queue::IN, sector + 2 * SECTORS_A_BLOCK, BLOCK)?;
    let left = queue.words_unlike(0, |_| 0);
    say!(
        "blk write={write} read={read} wrong={wrong} flush={flush} discard={discard} write_zeroes={zeroes} not_zero={left}"
    );
    Ok(())
}
