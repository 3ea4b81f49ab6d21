use std::io;
use std::path::PathBuf;

use illico_launch::Part;
use illico_machine::boot::LoadError;
use illico_machine::boot::cmdline::CommandLineError;
use illico_machine::boot::initrd::InitrdError;
use illico_machine::config::{Config, HugePages, OpenError, Size};
use illico_memory::MapError;
use illico_virtio::block::DiskError;
use illico_virtio::entropy::EntropyError;
use illico_virtio::fs::FsError;
use illico_virtio::image_lock::LockError;
use illico_virtio::net::{NetError, PasstError};
use illico_virtio::pmem::{Pmem, PmemSpec};
use illico_virtio::vsock::VsockError;

use super::*;

/// A file that has one device of each kind, and no field that an option has set.
fn in_file() -> Origin {
    let text = "kernel = 'k'\nentropy = 'on'\n[[disk]]\npath = 'd'\n[[pmem]]\npath = 'p'\n[[fs]]\npath = 'f'\ntag = 't'\n\
                [[net]]\nuser = true\n[vsock]\npath = 'v'\n";
    Origin::Boot(Written::in_file("m.toml".into(), &toml::from_str(text).unwrap()))
}

fn in_options() -> Origin {
    Origin::Boot(Written::default())
}

fn denied() -> io::Error {
    io::ErrorKind::PermissionDenied.into()
}

fn said(origin: &Origin, error: LaunchError) -> String {
    reasons(&*origin.explain(error))
}

/// An error of a device: made twice or more, since errors are not cloned.
type Make = fn() -> DeviceError;

/// A part of a plan, what it is there, and what is said.
type OfRun = (Part, &'static str, &'static str);
/// Field, error, and what is said: for an option, for a file, for `run`.
type DeviceCase = (&'static str, Make, &'static str, &'static str, OfRun);
/// An error, and what is said: for an option, for a file, for `run`.
type FieldCase = (Box<dyn Fn() -> LaunchError>, [&'static str; 3]);

/// Each way in which a device's error is told: by `boot`'s options, by its file, and by `run`, for the part of a plan.
#[test]
fn errors_of_devices_are_named_as_they_were_written() {
    const PATH: &str = "r.ext4";
    let cases: &[DeviceCase] = &[
        (
            "disk",
            || DiskError::Lock { path: PATH.into(), source: LockError::InUse }.into(),
            "--disk path=r.ext4: locking the file: it is in use: a file may have one writer or several readers, lsof shows \
             who has it open; or give every use of it readonly",
            "m.toml: disk[0]: path = \"r.ext4\": locking the file: it is in use: a file may have one writer or several \
             readers, lsof shows who has it open; or give every use of it readonly = true",
            (
                Part::Image,
                "./r.ext4",
                "the image ./r.ext4: locking the file: it is in use: a file may have one writer or several readers, lsof \
                 shows who has it open",
            ),
        ),
        (
            "disk",
            || DiskError::Open { path: PATH.into(), readonly: false, source: denied() }.into(),
            "--disk path=r.ext4: opening it for reading and writing (allow it with chmod): permission denied; or add \
             readonly",
            "m.toml: disk[0]: path = \"r.ext4\": opening it for reading and writing (allow it with chmod): permission \
             denied; or add readonly = true",
            (
                Part::Scratch,
                "s.img",
                "--scratch: s.img: opening it for reading and writing (allow it with chmod): permission denied",
            ),
        ),
        (
            "disk",
            || DiskError::Queues { queues: 65 }.into(),
            "--disk queues=65: a disk has 1 to 64 queues",
            "m.toml: disk[0]: queues = 65: a disk has 1 to 64 queues",
            (Part::Image, "x", "the image x: a disk has 1 to 64 queues"),
        ),
        (
            "disk",
            || DiskError::Uring(denied()).into(),
            "--disk engine=io_uring: setting up a ring: permission denied; leave engine out, or say engine=sync",
            "m.toml: disk[0]: engine = \"io_uring\": setting up a ring: permission denied; leave engine out, or say engine \
             = \"sync\"",
            (Part::Image, "x", "the image x: setting up a ring: permission denied"),
        ),
        (
            "fs",
            || FsError::Open { path: "f".into(), source: io::ErrorKind::NotADirectory.into() }.into(),
            "--fs path=f: opening the folder (name the folder that the file is in): not a directory",
            "m.toml: fs[0]: path = \"f\": opening the folder (name the folder that the file is in): not a directory",
            (Part::Share, "/f", "-v: /f: opening the folder (name the folder that the file is in): not a directory"),
        ),
        (
            "fs",
            || FsError::Proc(denied()).into(),
            "--fs: opening /proc/self/fd (a share needs /proc mounted on the host): permission denied",
            "m.toml: fs[0]: opening /proc/self/fd (a share needs /proc mounted on the host): permission denied",
            (
                Part::HostRoot,
                "/",
                "this host's files: opening /proc/self/fd (a share needs /proc mounted on the host): permission denied",
            ),
        ),
        (
            "net",
            || NetError::User(PasstError::Port { forward: "80:80".parse().unwrap() }).into(),
            "--net user: -p 80:80: port 80 of the host cannot be had: another program has it, or it is below 1024",
            "m.toml: net[0]: user = true, forward = \"80:80\": port 80 of the host cannot be had: another program has it, \
             or it is below 1024",
            (
                Part::Network,
                "user",
                "--net user: -p 80:80: port 80 of the host cannot be had: another program has it, or it is below 1024",
            ),
        ),
        (
            "net",
            || NetError::User(PasstError::NoNetwork).into(),
            "--net user: this host has no default route, so there is no network to be shared; or leave --net out",
            "m.toml: net[0]: user = true: this host has no default route, so there is no network to be shared; or leave it \
             out",
            (
                Part::Network,
                "user",
                "--net user: this host has no default route, so there is no network to be shared; use --net none",
            ),
        ),
        (
            "vsock",
            || VsockError::InUse { path: "v".into() }.into(),
            "--vsock path=v: a running program listens there already; choose another name",
            "m.toml: vsock: path = \"v\": a running program listens there already; choose another name",
            (
                Part::Agent,
                "/run/x",
                "the socket of the agent, in /run/x: a running program listens there already; choose another name",
            ),
        ),
        (
            "entropy",
            || EntropyError(denied()).into(),
            "--entropy: opening /dev/urandom (it needs a /dev with the kernel's devices): permission denied; or say \
             --entropy off",
            "m.toml: entropy: opening /dev/urandom (it needs a /dev with the kernel's devices): permission denied; or say \
             entropy = \"off\"",
            (
                Part::Image,
                "x",
                "the image x: opening /dev/urandom (it needs a /dev with the kernel's devices): permission denied",
            ),
        ),
        (
            "pmem",
            || Pmem::open(&PmemSpec { path: "/nosuch".into(), readonly: true }, "p").unwrap_err().into(),
            "--pmem path=/nosuch: opening the file for reading: No such file or directory (os error 2)",
            "m.toml: pmem[0]: path = \"/nosuch\": opening the file for reading: No such file or directory (os error 2)",
            (
                Part::Image,
                "debian:12",
                "the image debian:12: opening the file for reading: No such file or directory (os error 2)",
            ),
        ),
    ];
    for (field, make, boot, file, (part, what, run)) in cases {
        let opened = || {
            let place = Place::Device { field, index: 0 };
            LaunchError::Build(BuildError::Device(OpenError {
                name: (*field).to_owned(),
                place,
                error: Box::new(make()),
            }))
        };
        assert_eq!(said(&in_options(), opened()), *boot);
        assert_eq!(said(&in_file(), opened()), *file);
        let of_part = LaunchError::Device { part: *part, what: (*what).to_owned(), error: Box::new(make()) };
        assert_eq!(said(&Origin::Run, of_part), *run);
    }
}

/// Each way in which a field's error is told: by `boot`'s options, by its file, and by `run`.
#[test]
fn errors_of_fields_are_named_as_they_were_written() {
    let too_long = || CommandLineError::TooLong { len: 3000, defaults: 90, most: 2047 };
    let initrd = || LoadError::Initrd(InitrdError::NeedsMemory { size: 9, ram: 32, least: 96 });
    let no_pages =
        || BuildError::Ram { memory: Size::mebibytes(64), pages: HugePages::Hugetlb, source: MapError::Empty };
    let cases: &[FieldCase] = &[
        (
            Box::new(move || LaunchError::Build(BuildError::CommandLine(too_long()))),
            [
                "--cmdline: it has 3000 bytes, 90 of them defaults, and Linux reads 2047 at most; shorten it, or leave the \
                 defaults out with --no-default-cmdline",
                "m.toml: cmdline: it has 3000 bytes, 90 of them defaults, and Linux reads 2047 at most; shorten it, or \
                 leave the defaults out with default-cmdline = false",
                "--cmdline: it has 3000 bytes, 90 of them defaults, and Linux reads 2047 at most; shorten it, or leave the \
                 defaults out with --no-default-cmdline",
            ],
        ),
        (
            Box::new(move || LaunchError::Build(BuildError::Load(initrd()))),
            [
                "--initrd: cannot load the initrd: its 9 bytes do not fit beside the kernel into 32 MiB of memory; it takes \
                 at least --memory 96M",
                "m.toml: initrd: cannot load the initrd: its 9 bytes do not fit beside the kernel into 32 MiB of memory; it \
                 takes at least memory = \"96M\"",
                "--initrd: cannot load the initrd: its 9 bytes do not fit beside the kernel into 32 MiB of memory; it takes \
                 at least --memory 96M",
            ],
        ),
        (
            Box::new(move || LaunchError::Build(no_pages())),
            [
                "--hugepages: the host's pool does not have 64M (grow it: sysctl vm.nr_hugepages=32; or use thp)",
                "m.toml: hugepages: the host's pool does not have 64M (grow it: sysctl vm.nr_hugepages=32; or use thp)",
                "--hugepages: the host's pool does not have 64M (grow it: sysctl vm.nr_hugepages=32; or use thp)",
            ],
        ),
        (
            Box::new(|| {
                let (part, path, source) = (Part::Kernel, PathBuf::from("k"), denied());
                LaunchError::Open { part, path, source }
            }),
            [
                "--kernel: cannot open k: permission denied; check the path",
                "m.toml: kernel: cannot open k: permission denied; check the path",
                "--kernel: cannot open k: permission denied; check the path",
            ],
        ),
        (
            Box::new(|| LaunchError::Config(Config::default().check().unwrap_err())),
            [
                "--kernel: no kernel is given (an ELF vmlinux or a bzImage); add --kernel FILE",
                "m.toml: kernel: no kernel is given (an ELF vmlinux or a bzImage); add kernel = \"FILE\"",
                "--kernel: no kernel is given (an ELF vmlinux or a bzImage); add --kernel FILE",
            ],
        ),
    ];
    for (error, [boot, file, run]) in cases {
        let said = |origin| said(&origin, error()).split(": Empty").next().unwrap().to_owned();
        assert!(said(in_options()).starts_with(boot), "{}", said(in_options()));
        assert!(said(in_file()).starts_with(file), "{}", said(in_file()));
        assert!(said(Origin::Run).starts_with(run), "{}", said(Origin::Run));
    }
}

/// An option that replaces what the file says is named, and so is a device that an option adds.
#[test]
fn an_option_over_a_file_is_the_one_that_is_named() {
    let Origin::Boot(mut written) = in_file() else { unreachable!("as it is made") };
    written.options.push("memory");
    let place = |place| written.place(place);
    assert_eq!(place(Place::Field("memory")), "--memory");
    assert_eq!(place(Place::Field("cpus")), "m.toml: cpus");
    assert_eq!(place(Place::Device { field: "disk", index: 0 }), "m.toml: disk[0]");
    assert_eq!(place(Place::Device { field: "disk", index: 1 }), "--disk");
}

#[test]
fn the_disk_of_a_foreign_kernel_is_named_as_a_disk() {
    let error = Box::new(DiskError::Lock { path: "disk.img".into(), source: LockError::InUse }.into());
    let place = Place::Device { field: "disk", index: 0 };
    let error = LaunchError::Build(BuildError::Device(OpenError { name: "disk0".to_owned(), place, error }));
    assert!(said(&Origin::Run, error).starts_with("the disk disk.img: locking the file: it is in use"));
}
