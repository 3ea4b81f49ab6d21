//! The least of a monitor around the probe: enough KVM to load a PVH ELF, enter it and answer four ports. It exists so
//! that the probe is tested by something that is not the monitor it tests, and as the floor that the monitor's own
//! start-up is measured against. No virtio, no PCI, one vCPU.

pub mod elf;
pub mod machine;
pub mod pvh;
