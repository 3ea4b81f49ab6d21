//! `entropy`: 64 bytes from the entropy device by `virtio-drivers`; they should not be all the same.

use virtio_drivers::device::rng::VirtIORng;

use super::Outcome;
use crate::device::Kind;
use crate::dma::Identity;
use crate::machine::Machine;
use crate::say;

const BYTES: usize = 64;

pub(super) fn run(machine: &Machine) -> Outcome {
    let mut driver = VirtIORng::<Identity, _>::new(machine.transport(Kind::ENTROPY, 0)?)?;
    let mut bytes = [0; BYTES];
    let length = driver.request_entropy(&mut bytes)?.min(BYTES);
    let filled = &bytes[..length];
    let varied = filled.iter().any(|byte| Some(byte) != filled.first());
    say!("entropy bytes={length} varied={}", u8::from(varied));
    Ok(())
}
