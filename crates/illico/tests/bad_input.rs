//! What a person can get wrong: one line that names the option, status 125, and nothing left behind.

mod illico;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use illico::{PROBE, illico};
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

/// A folder with files to get wrong.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("folder")).unwrap();
    fs::write(path("empty"), "").unwrap();
    fs::write(path("text"), "hello, ").unwrap();
    fs::write(path("elf-4"), &PROBE[..4]).unwrap();
    fs::write(path("elf-60"), &PROBE[..60]).unwrap();
    fs::write(path("elf-half"), &PROBE[..PROBE.len() / 2]).unwrap();
    fs::write(path("elf-foreign"), patched(0x12, &[0xb7, 0])).unwrap();
    fs::write(path("elf-high"), with_segment(0xffff_ffff_ffff_f000, 0x10_0000)).unwrap();
    fs::write(path("elf-large"), with_segment(0x10_0000, 0xffff_ffff_ffff_0000)).unwrap();
    fs::write(path("elf-low"), with_segment(0, 0x1000)).unwrap();
    fs::write(path("bzimage-cut"), bzimage()).unwrap();
    fs::write(path("noise"), (0..10_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>())
        .unwrap();
    File::create(path("disk.img")).unwrap().set_len(1 << 20).unwrap();
    File::create(path("large")).unwrap().set_len(64 << 20).unwrap();
    std::os::unix::fs::symlink("disk.img", path("same.img")).unwrap();
    assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
    folder
}

fn patched(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut image = PROBE.to_vec();
    image[at..at + bytes.len()].copy_from_slice(bytes);
    image
}

/// The probe with its first segment (ELF-64 object file format, "Program header") elsewhere and of another length.
fn with_segment(address: u64, size: u64) -> Vec<u8> {
    let table = u64::from_le_bytes(PROBE[0x20..0x28].try_into().unwrap()) as usize;
    let loaded = (0..).map(|n| table + n * 56).find(|&at| PROBE[at..at + 4] == [1, 0, 0, 0]).unwrap();
    let mut image = patched(loaded + 24, &address.to_le_bytes());
    image[loaded + 40..loaded + 48].copy_from_slice(&size.to_le_bytes());
    image
}

/// The beginning of a bzImage whose payload lies behind the end of the file.
fn bzimage() -> Vec<u8> {
    let mut image = vec![0; 0x400];
    image[0x1f1] = 1; // setup sectors
    image[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x206..0x208].copy_from_slice(&[0x0f, 0x02]); // protocol 2.15
    image[0x211] = 1; // loaded high
    image[0x248..0x24c].copy_from_slice(&0x100_u32.to_le_bytes());
    image[0x24c..0x250].copy_from_slice(&0x10_0000_u32.to_le_bytes());
    image
}

/// Everything below a folder, with lengths.
fn listing(folder: &Path) -> Vec<(String, u64)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()))
        .collect();
    files.sort();
    files
}

/// Runs it in the folder and gives its complaint, which is one line.
fn complaint(folder: &Path, arguments: &[&str]) -> String {
    let before = listing(folder);
    let output = illico(folder).args(arguments).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(125), "{arguments:?}: {said}");
    assert_eq!(output.stdout, b"", "{arguments:?}");
    assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    assert_eq!(listing(folder), before, "{arguments:?} left something behind");
    let line = said.trim_end();
    let complaint = line.strip_prefix("illico: ").unwrap_or_else(|| panic!("{arguments:?}: {line}"));
    assert!(!complaint.contains("illico: ") && !complaint.contains("panicked"), "{arguments:?}: {line}");
    complaint.to_owned()
}

/// Each is refused, and the complaint begins with the option and holds the words.
fn refused(cases: &[(&[&str], &str, &[&str])]) {
    let folder = folder();
    for (arguments, option, words) in cases {
        let said = complaint(folder.path(), &[&["boot"], *arguments].concat());
        assert!(said.starts_with(option), "{arguments:?}: {said}");
        for word in *words {
            assert!(said.contains(word), "{arguments:?} without {word:?}: {said}");
        }
    }
}

#[test]
fn kernels() {
    refused(&[
        (&[], "--kernel", &["add --kernel FILE"]),
        (&["--kernel", "none"], "--kernel", &["cannot open none", "No such file", "check the path"]),
        (&["--kernel", "folder"], "--kernel", &["not a regular file", "give an ELF"]),
        (&["--kernel", "pipe"], "--kernel", &["not a regular file", "give an ELF"]),
        (&["--kernel", "empty"], "--kernel", &["empty", "give an ELF"]),
        (&["--kernel", "text"], "--kernel", &["7 bytes", "give an ELF"]),
        (&["--kernel", "noise"], "--kernel", &["neither an ELF file nor a bzImage"]),
        (&["--kernel", "elf-4"], "--kernel", &["4 bytes"]),
        (&["--kernel", "elf-60"], "--kernel", &["cannot boot this kernel"]),
        (&["--kernel", "elf-half"], "--kernel", &["cannot boot this kernel"]),
        (&["--kernel", "elf-foreign"], "--kernel", &["x86-64"]),
        (&["--kernel", "elf-high"], "--kernel", &["wraps around"]),
        (&["--kernel", "elf-large"], "--", &["cannot boot this kernel"]),
        (&["--kernel", "elf-low"], "--", &["cannot boot this kernel"]),
        (&["--kernel", "bzimage-cut"], "--kernel", &["bzImage"]),
    ]);
}

#[test]
fn initial_ram_disks() {
    refused(&[
        (&["--kernel", ":probe:", "--initrd", "none"], "--initrd", &["cannot open none", "check the path"]),
        (&["--kernel", ":probe:", "--initrd", "folder"], "--initrd", &["not a regular file", "cpio"]),
        (&["--kernel", ":probe:", "--initrd", "pipe"], "--initrd", &["not a regular file", "cpio"]),
        (&["--kernel", ":probe:", "--initrd", "empty"], "--initrd", &["empty"]),
        (
            &["--kernel", ":probe:", "--memory", "32M", "--initrd", "large"],
            "--initrd",
            &["67108864 bytes", "it takes at least --memory"],
        ),
    ]);
}

#[test]
fn command_lines() {
    let long = "x".repeat(3000);
    refused(&[
        (&["--kernel", ":probe:", "--cmdline", &long], "--cmdline", &["reads 2047 at most", "--no-default-cmdline"]),
        (&["--kernel", ":probe:", "--cmdline", "a\nb"], "--cmdline", &["byte 1 is 0x0a"]),
    ]);
}

#[test]
fn memory() {
    refused(&[
        (&["--kernel", ":probe:", "--memory", "0"], "--memory", &["give the guest 16M or more"]),
        (&["--kernel", ":probe:", "--memory", "15M"], "--memory", &["give the guest 16M or more"]),
        (&["--kernel", ":probe:", "--memory", "16385K"], "--memory", &["4 KiB"]),
        (&["--kernel", ":probe:", "--memory", "4000000G"], "--memory", &["more than this host has", "give at most"]),
        (&["--kernel", ":probe:", "--memory", "much"], "--memory", &["write a number with K, M, G or T"]),
        (&["--kernel", ":probe:", "--memory", "-1"], "--memory", &["write a number with K, M, G or T"]),
        (&["--kernel", ":probe:", "--memory", ""], "--memory", &["write a number with K, M, G or T"]),
        (&["--kernel", ":probe:", "--memory", "99999999999T"], "--memory", &["write a number"]),
    ]);
}

#[test]
fn numbers_of_cpus() {
    for cpus in ["0", "65", "300", "two", "-1", "1.5", ""] {
        refused(&[(&["--kernel", ":probe:", "--cpus", cpus], "--cpus", &["between 1 and 64"])]);
    }
}

#[test]
fn disks() {
    let disk = |text| ["--kernel", ":probe:", "--disk", text];
    refused(&[
        (&disk("path=none"), "--disk path=none", &["No such file", "truncate"]),
        (&disk("path=folder"), "--disk path=folder", &["it is a directory", "name a raw image file"]),
        (&disk("path=pipe"), "--disk path=pipe", &["name a raw image file"]),
        (&disk("path=/dev/null"), "--disk path=/dev/null", &["name a raw image file"]),
        (&disk("path=empty"), "--disk path=empty", &["truncate --size"]),
        (&disk("path=text"), "--disk path=text", &["7 bytes", "truncate --size"]),
        (&disk("path=disk.img,sorbet=1"), "--disk", &["unknown field `sorbet`", "`readonly`"]),
        (&disk("path=disk.img,engine=steam"), "--disk", &["engine=steam", "io_uring, sync"]),
        (&disk("path=disk.img,poll=often"), "--disk", &["poll=often", "off, adaptive"]),
        (&disk("path=disk.img,queues=0"), "--disk queues=0", &["1 to 64"]),
        (&disk("path=disk.img,queues=65"), "--disk queues=65", &["1 to 64"]),
        (&disk("path=disk.img,queues=many"), "--disk", &["queues=many", "number"]),
        (&disk("path=disk.img,readonly=maybe"), "--disk", &["readonly=maybe", "on nor off"]),
        (&disk("path=disk.img,path=disk.img"), "--disk", &["\"path\" is given twice"]),
        (&disk("path=disk.img,id=a-name-of-more-than-20-letters"), "--disk id=", &["1 to 20"]),
        (&disk("readonly"), "--disk", &["missing field `path`"]),
        (&disk(""), "--disk", &["KEY=VALUE"]),
    ]);
}

#[test]
fn the_same_file_written_twice() {
    let twice = |one: &[&'static str], other: &[&'static str]| [&["--kernel", ":probe:"], one, other].concat();
    let image: &[&str] = &["--disk", "path=disk.img"];
    let words: &[&str] = &["given twice", "readonly"];
    refused(&[
        (&twice(image, image), "--disk", words),
        (&twice(image, &["--disk", "path=same.img,readonly"]), "--disk", words),
        (&twice(&["--disk", "path=./disk.img,readonly"], image), "--disk", words),
        (&twice(image, &["--pmem", "path=disk.img"]), "--pmem", words),
    ]);
}

#[test]
fn a_disk_that_another_machine_writes() {
    let folder = folder();
    let disk = File::open(folder.path().join("disk.img")).unwrap();
    flock(&disk, FlockOperation::LockExclusive).unwrap();
    let said = complaint(folder.path(), &["boot", "--kernel", ":probe:", "--disk", "path=disk.img"]);
    assert!(said.starts_with("--disk path=disk.img: "), "{said}");
}

#[test]
fn persistent_memory() {
    let pmem = |text| ["--kernel", ":probe:", "--pmem", text];
    refused(&[
        (&pmem("path=none"), "--pmem path=none", &["No such file"]),
        (&pmem("path=folder,readonly"), "--pmem path=folder", &["not a regular file"]),
        (&pmem("path=pipe"), "--pmem path=pipe", &["not a regular file"]),
        (&pmem("path=disk.img"), "--pmem path=disk.img", &["multiple of 2 MiB", "truncate -s 2097152"]),
        (&pmem("path=empty"), "--pmem path=empty", &["truncate -s 2097152"]),
        (&pmem("path=large,sorbet"), "--pmem", &["unknown field `sorbet`"]),
    ]);
}

#[test]
fn network_cards() {
    let net = |text| ["--kernel", ":probe:", "--net", text];
    refused(&[
        (
            &net("tap=illico-none"),
            "--net tap=illico-none",
            &["no such interface", "ip tuntap add dev illico-none mode tap"],
        ),
        (&net("tap=a-name-of-20-letters"), "--net tap=", &["1 to 15"]),
        (&net("tap=lo"), "--net tap=lo", &["not a tap"]),
        (&net("tap=illico-none,mac=zz"), "--net", &["'zz' is not a MAC address"]),
        (&net("tap=illico-none,queues=9"), "--net tap=illico-none,queues=9", &["1 to 8"]),
        (&net("tap=illico-none,sorbet=1"), "--net", &["unknown field `sorbet`"]),
        (&net("mac=02:00:00:00:00:01"), "--net: ", &["either tap=NAME or user"]),
        (&net("user,tap=illico-none"), "--net: ", &["either tap=NAME or user"]),
        (&net("tap=illico-none,loopback"), "--net tap=illico-none: ", &["a user only"]),
        (&net("user,queues=2"), "--net user,queues=2: ", &["one pair"]),
        (&["--kernel", ":probe:", "-p", "8080:80"], "-p: ", &["--net user"]),
        (&["--kernel", ":probe:", "--net", "user", "-p", "80"], "-p: ", &["\"80\"", "8080:80"]),
        (&["--kernel", ":probe:", "--net", "user", "--net", "user"], "--net: ", &["user is given twice"]),
    ]);
    assert!(!Path::new("/sys/class/net/illico-none").exists());
}

#[test]
fn vsock_sockets() {
    let folder = folder();
    let _listener = std::os::unix::net::UnixListener::bind(folder.path().join("live")).unwrap();
    let long = format!("path={}", "x".repeat(97));
    for (text, begin, words) in [
        ("path=live", "--vsock path=live: ", &["a running program listens there already"][..]),
        ("path=text", "--vsock path=text: ", &["exists and is not a socket"]),
        ("path=none/vm", "--vsock path=none/vm: ", &["No such file", "a folder that exists"]),
        (&long, "--vsock path=xxx", &["97 bytes are too many", "at most 96"]),
        ("path=vm,cid=2", "--vsock cid=2: ", &["from 3 to 4294967294"]),
        ("path=vm,cid=-1", "--vsock: ", &["cid=-1"]),
        ("cid=3", "--vsock: ", &["missing field `path`"]),
        ("path=vm,sorbet=1", "--vsock: ", &["unknown field `sorbet`"]),
    ] {
        let said = complaint(folder.path(), &["boot", "--kernel", ":probe:", "--vsock", text]);
        assert!(said.starts_with(begin), "{text}: {said}");
        for word in words {
            assert!(said.contains(word), "{text} without {word:?}: {said}");
        }
    }
    // What fails behind it leaves no socket either, and one that was left behind is no obstacle.
    complaint(folder.path(), &["boot", "--kernel", "noise", "--vsock", "path=vm"]);
}

#[test]
fn shared_folders() {
    let fs = |text| ["--kernel", ":probe:", "--fs", text];
    refused(&[
        (&fs("path=none,tag=a"), "--fs path=none", &["No such file", "mkdir"]),
        (&fs("path=text,tag=a"), "--fs path=text", &["Not a directory", "the folder that the file is in"]),
        (&fs("path=pipe,tag=a"), "--fs path=pipe", &["Not a directory"]),
        (&fs("path=/proc,tag=a"), "--fs path=/proc", &["pseudo file system", "the guest has its own"]),
        (&fs("path=folder,tag="), "--fs tag=", &["1 to 36 bytes"]),
        (&fs("path=folder,tag=a-tag-that-is-longer-than-it-may-be-here"), "--fs tag=", &["1 to 36 bytes"]),
        (&fs("path=folder"), "--fs", &["missing field `tag`"]),
        (&fs("path=folder,tag=a,owner=me"), "--fs", &["\"me\" is not UID or UID:GID"]),
        (&fs("path=folder,tag=a,cache=never"), "--fs", &["cache=never", "auto, always"]),
        (&fs("path=folder,tag=a,xattr=some"), "--fs", &["xattr=some", "on nor off"]),
        (&fs("path=folder,tag=a,sorbet"), "--fs", &["unknown field `sorbet`"]),
        (
            &["--kernel", ":probe:", "--fs", "path=folder,tag=a", "--fs", "path=.,tag=a"],
            "--fs",
            &["tag=a is given twice", "a tag of its own"],
        ),
    ]);
}

#[test]
fn words_that_no_option_knows() {
    for (option, choices) in [
        ("--console", "virtio, uart, none"),
        ("--transport", "pci, mmio"),
        ("--announce", "acpi, cmdline"),
        ("--entropy", "on, off"),
        ("--hugepages", "thp, hugetlb, off"),
    ] {
        refused(&[(&["--kernel", ":probe:", option, "steam"], option, &["steam", choices])]);
    }
    refused(&[(&["--kernel", ":probe:", "--announce", "cmdline"], "--announce", &["--transport mmio"])]);
}

#[test]
fn options_that_nobody_knows() {
    let explains: &[&str] = &["`illico help` explains"];
    refused(&[
        (&["--dsk", "path=disk.img"], "unexpected argument '--dsk'", &["'--disk'", "`illico help` explains"]),
        (&["--kernel"], "a value is required for '--kernel <FILE>'", explains),
        (&["--kernel", ":probe:", "stray"], "unexpected argument 'stray'", explains),
        (&["--kernel", ":probe:", "--kernel", ":probe:"], "the argument '--kernel <FILE>'", explains),
    ]);
    let folder = folder();
    assert!(complaint(folder.path(), &["bot"]).starts_with("unrecognized subcommand 'bot'"));
    assert!(complaint(folder.path(), &["doctor", "--yaml"]).starts_with("unexpected argument '--yaml'"));
}

#[test]
fn more_devices_than_the_bus_holds() {
    let disks: Vec<String> = (0..32).map(|n| format!("disk{n}.img")).collect();
    let folder = folder();
    let mut arguments = vec!["boot", "--kernel", ":probe:"];
    let options: Vec<String> = disks.iter().map(|name| format!("path={name}")).collect();
    for (name, option) in disks.iter().zip(&options) {
        File::create(folder.path().join(name)).unwrap().set_len(512).unwrap();
        arguments.extend(["--disk", option]);
    }
    let said = complaint(folder.path(), &arguments);
    assert!(said.starts_with("--transport: 34 devices") && said.contains("room for 31"), "{said}");
}

#[test]
fn configuration_files() {
    let folder = folder();
    for (name, text, words) in [
        ("key.toml", "kernel = ':probe:'\nsorbet = 1\n", &["unknown field `sorbet`", "line 2"][..]),
        ("disk.toml", "disk = [{ path = 'disk.img', sorbet = 1 }]\n", &["unknown field `sorbet`", "line 1"]),
        ("size.toml", "\n\nmemory = 'much'\n", &["\"much\" is not a size", "line 3"]),
        ("cpus.toml", "cpus = 300\n", &["300", "line 1"]),
        ("cut.toml", "kernel = [", &["line 1"]),
        ("key.json", "{\"sorbet\": 1}", &["unknown field `sorbet`", "line 1"]),
        ("cut.json", "{\"kernel\":", &["line 1"]),
        ("words.txt", "", &[".json or .toml"]),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
        let said = complaint(folder.path(), &["boot", "--config", name]);
        assert!(said.starts_with(&format!("--config: {name}: ")), "{said}");
        for word in words {
            assert!(said.contains(word), "{name} without {word:?}: {said}");
        }
    }
    let said = complaint(folder.path(), &["boot", "--config", "none.toml"]);
    assert!(said.starts_with("--config: none.toml: No such file"), "{said}");
}

#[test]
fn reports_that_cannot_be_written() {
    refused(&[
        (&["--kernel", ":probe:", "--exits-json", "none/exits.json"], "--exits-json", &["a folder that exists"]),
        (&["--kernel", ":probe:", "--exits-json", "folder"], "--exits-json", &["Is a directory"]),
    ]);
}

/// No empty report of a machine that never was, and a former report is still there.
#[test]
fn a_machine_that_does_not_start_writes_no_report() {
    let folder = folder();
    for arguments in [
        &["--kernel", "none"][..],
        &["--kernel", "noise"],
        &["--kernel", ":probe:", "--disk", "path=folder"],
        &["--kernel", ":probe:", "--net", "tap=lo"],
    ] {
        for report in ["exits.json", "text"] {
            complaint(folder.path(), &[&["boot", "--exits-json", report], arguments].concat());
        }
    }
}

#[test]
fn several_mistakes_are_told_at_once() {
    let folder = folder();
    let output = illico(folder.path()).args(["boot", "--cpus", "0", "--memory", "1M"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let options: Vec<_> = said.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
    assert_eq!((output.status.code(), options), (Some(125), vec!["--kernel", "--cpus", "--memory"]));
}
