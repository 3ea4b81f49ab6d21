//! A device that the project does not have, in one file: a spec, a device and a worker. The probe guest finds it on the
//! bus, drives it and gets its bytes, so it runs end to end on this host's KVM.
//!
//! It speaks the protocol of an entropy device (VirtIO 1.3 § 5.4), for which the probe has a driver, but its bytes count.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use illico_machine::build::{Files, Parts, Start, build};
use illico_machine::config::{Config, Console, Size, Switch};
use illico_machine::control::End;
use illico_machine::kvm::Kvm;
use illico_virtio::device::{Activation, Device, DeviceError, DeviceSpec};
use illico_virtio::event_loop::{Fault, Polling, Source, Worker};
use illico_virtio::queue::{Position, Queue};
use illico_virtio::spec::Kind;

illico_virtio::device_spec! {
    /// A device that counts.
    /// Example: from=7
    struct ToySpec {
        /// `from=N`: the first number.
        from: u8,
    }
}

impl DeviceSpec for ToySpec {
    fn open(&self, name: &str) -> Result<Box<dyn Device>, DeviceError> {
        Ok(Box::new(Toy { name: name.to_owned(), next: self.from }))
    }
}

struct Toy {
    name: String,
    next: u8,
}

impl Device for Toy {
    fn kind(&self) -> Kind {
        Kind { id: 4, name: "toy", pci_class: [0xff, 0, 0] }
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn features(&self) -> u64 {
        0
    }

    fn queue_sizes(&self) -> Vec<u16> {
        vec![8]
    }

    fn config(&self) -> Vec<u8> {
        Vec::new()
    }

    fn start(&mut self, mut activation: Activation) -> Result<Vec<Box<dyn Worker>>, Fault> {
        Ok(vec![Box::new(Counting { queue: activation.take_queue(0)?, next: self.next })])
    }
}

struct Counting {
    queue: Queue,
    next: u8,
}

impl Worker for Counting {
    fn sources(&self) -> Vec<Source> {
        vec![Source::readable(self.queue.kick())]
    }

    fn ready(&mut self, _source: usize) -> Result<Polling, Fault> {
        while let Some(chain) = self.queue.pop()? {
            let bytes: Vec<u8> = (0..chain.writable.len()).map(|n| self.next.wrapping_add(n as u8)).collect();
            chain.writable.copy_from(0, &bytes).map_err(|error| Fault::new(error.to_string()))?;
            self.queue.complete(chain, bytes.len() as u32);
        }
        Ok(Polling::after(&mut self.queue))
    }

    fn poll(&mut self) -> Result<Polling, Fault> {
        self.ready(0)
    }

    fn stop(&mut self) -> Vec<Position> {
        vec![self.queue.position()]
    }
}

#[test]
fn a_device_of_one_file_runs_in_a_machine() {
    let mut screen: File = tempfile::tempfile().unwrap();
    let config = Config {
        cmdline: "console=uart probe=entropy".to_owned(),
        default_cmdline: false,
        memory: Size::mebibytes(16),
        entropy: Switch::Off,
        console: Console::Uart,
        ..Config::default()
    };
    let kernel = illico_probe_image::file(illico_probe_image::IMAGE).unwrap();
    let parts = Parts {
        uart: Some(Box::new(screen.try_clone().unwrap())),
        devices: vec![ToySpec { from: 7 }.open("toy").unwrap()],
        ..Parts::new(Files { kernel, initrd: None })
    };
    let kvm = Kvm::open().expect("a usable /dev/kvm");
    let machine = build(&config, Start::with(kvm).unwrap(), parts).unwrap();
    assert_eq!(machine.device_names().collect::<Vec<_>>(), ["toy"]);
    let outcome = machine.run().unwrap();
    let mut said = String::new();
    screen.seek(SeekFrom::Start(0)).unwrap();
    screen.read_to_string(&mut said).unwrap();
    assert_eq!(outcome.end, End::PowerOff, "{said}");
    assert!(said.contains("entropy bytes=64 varied=1"), "{said}");
    let report = outcome.report();
    let toy = report.devices.iter().find(|device| device.name == "toy").unwrap();
    assert_eq!(toy.queues[0].requests, 1);
}
