//! A hostile driver of a disk: requests that are nearly right, with descriptors broken on purpose. The
//! disk answers or faults, keeps its size, and changes nothing when it is read-only.

#![no_main]

use std::fs::File;
use std::os::fd::AsRawFd;

use arbitrary::Arbitrary;
use illico_memory::Buffers;
use illico_virtio::block::request::{Extent, Refusal, Request};
use illico_virtio::block::{Block, DiskSpec, EngineKind};
use illico_virtio::event_loop::Polling;
use illico_virtio::ring::split::Descriptor;
use illico_virtio::testkit::{self, Bench, FakeDriver, Part};
use libfuzzer_sys::fuzz_target;

const SECTORS: u64 = 64;

#[derive(Arbitrary, Debug)]
enum Kind {
    In,
    Out,
    Flush,
    GetId,
    Discard,
    WriteZeroes,
    Other(u32),
}

#[derive(Arbitrary, Debug)]
enum Sector {
    OnDisk(u8),
    Anywhere(u64),
}

#[derive(Arbitrary, Debug)]
enum Piece {
    Header(Kind, Sector),
    Range { sector: Sector, sectors: u8, flags: u8 },
    Data { sectors: u8 },
    Bytes(Vec<u8>),
    Room { sectors: u8, more: u8 },
}

#[derive(Arbitrary, Debug)]
struct Plan {
    readonly: bool,
    requests: Vec<Vec<Piece>>,
    /// Which descriptor, and what it is instead.
    broken: Vec<(u8, u32, u32, u16, u8)>,
}

impl Kind {
    fn number(&self) -> u32 {
        match self {
            Self::In => 0,
            Self::Out => 1,
            Self::Flush => 4,
            Self::GetId => 8,
            Self::Discard => 11,
            Self::WriteZeroes => 13,
            Self::Other(number) => *number,
        }
    }
}

impl Sector {
    fn number(&self) -> u64 {
        match self {
            Self::OnDisk(number) => u64::from(*number) % (SECTORS + 2),
            Self::Anywhere(number) => *number,
        }
    }
}

/// What the driver lays out.
enum Laid {
    Bytes(Vec<u8>),
    Room(usize),
}

impl Piece {
    fn lay_out(&self) -> Laid {
        match self {
            Self::Header(kind, sector) => {
                let kind = u64::from(kind.number());
                Laid::Bytes([kind.to_le_bytes(), sector.number().to_le_bytes()].concat())
            }
            Self::Range { sector, sectors, flags } => {
                let rest = u64::from(*sectors) | u64::from(*flags) << 32;
                Laid::Bytes([sector.number().to_le_bytes(), rest.to_le_bytes()].concat())
            }
            Self::Data { sectors } => Laid::Bytes(vec![0x5a; usize::from(*sectors % 8) * 512]),
            Self::Bytes(bytes) => Laid::Bytes(bytes.iter().copied().take(64).collect()),
            Self::Room { sectors, more } => Laid::Room(usize::from(*sectors % 8) * 512 + usize::from(*more % 32)),
        }
    }
}

/// Makes all requests available, then breaks descriptors.
fn drive(plan: &Plan, driver: &mut FakeDriver) {
    for pieces in plan.requests.iter().take(8) {
        let laid: Vec<Laid> = pieces.iter().take(8).map(Piece::lay_out).collect();
        let parts = laid.iter().map(|laid| match laid {
            Laid::Bytes(bytes) => Part::Readable(bytes),
            Laid::Room(len) => Part::Writable(*len),
        });
        driver.add(&parts.collect::<Vec<_>>());
    }
    for &(index, address, len, flags, next) in plan.broken.iter().take(4) {
        // Some of the addresses are in RAM, and some lengths are longer than it.
        let address = u64::from(address) << (flags >> 12);
        let descriptor = Descriptor { address, len, flags: flags & 7, next: next.into() };
        driver.poke_descriptor(index.into(), descriptor);
    }
}

/// What comes out of the parser lies within the disk.
fn parse(plan: &Plan) {
    let ram = testkit::ram(2 * testkit::FOOTPRINT);
    let mut driver = FakeDriver::new(&ram, 0, 256, 0);
    drive(plan, &mut driver);
    let extent = Extent { sectors: SECTORS, readonly: plan.readonly };
    let end = SECTORS * 512;
    let mut queue = driver.queue();
    while let Ok(Some(mut chain)) = queue.pop() {
        let mut status = Buffers::new(ram.clone());
        let request = Request::parse(&mut chain, &mut status, extent);
        assert_eq!(status.len(), usize::from(request != Err(Refusal::NoStatus)));
        match request {
            Ok(Request::Read { position }) => assert!(position + chain.writable.len() as u64 <= end),
            Ok(Request::Write { position }) => assert!(position + chain.readable.len() as u64 <= end && !plan.readonly),
            Ok(Request::Discard(segments) | Request::WriteZeroes(segments)) => {
                assert!(!plan.readonly);
                assert!(segments.into_iter().all(|segment| segment.position + segment.len <= end));
            }
            _ => {}
        }
        queue.complete(chain, 0);
    }
}

/// The whole device over a file.
fn serve(plan: &Plan, image: &File) {
    let path = format!("/proc/self/fd/{}", image.as_raw_fd());
    let spec = DiskSpec { readonly: plan.readonly, engine: Some(EngineKind::Sync), ..DiskSpec::new(path) };
    let mut device = Block::open(&spec, "fuzz").unwrap();
    let mut bench = Bench::start(&mut device, 0);
    let before = plan.readonly.then(|| contents(image));
    drive(plan, &mut bench.drivers[0]);
    let mut turn = bench.workers[0].ready(0);
    while matches!(turn, Ok(Polling::Again)) {
        turn = bench.workers[0].poll();
    }
    bench.workers[0].stop();
    assert_eq!(image.metadata().unwrap().len(), SECTORS * 512, "the disk has its size");
    assert!(before.is_none_or(|before| before == contents(image)), "a read-only disk was changed");
}

fn contents(image: &File) -> Vec<u8> {
    let mut bytes = vec![0; SECTORS as usize * 512];
    std::os::unix::fs::FileExt::read_exact_at(image, &mut bytes, 0).unwrap();
    bytes
}

thread_local! {
    static IMAGE: File = {
        let image = File::from(rustix::fs::memfd_create("disk", rustix::fs::MemfdFlags::empty()).unwrap());
        image.set_len(SECTORS * 512).unwrap();
        image
    };
}

fuzz_target!(|plan: Plan| {
    parse(&plan);
    IMAGE.with(|image| serve(&plan, image));
});
