//! What the monitor takes for itself, beside the guest's memory, as pages of its own that no other process shares; and
//! how large its program is. On this host's KVM, with the built-in probe kernel spinning, in a release build.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use xtask::project::{self, Profile};

/// 128 MiB: no other mapping of the monitor's has this size.
const GUEST_KIB: u64 = 128 << 10;

fn illico() -> PathBuf {
    project::illico(Profile::Release).expect("illico builds")
}

/// A machine whose guest has done its experiments and spins.
struct Spinning(Child);

impl Spinning {
    fn start(experiments: &str, options: &[&str]) -> Self {
        let mut boot = Command::new(illico());
        boot.args(["boot", "--kernel", ":probe:", "--memory", "128M", "--cmdline"]);
        boot.arg(format!("probe={experiments}spin")).args(options);
        boot.stdin(Stdio::null()).stdout(Stdio::null());
        Self(boot.spawn().expect("illico starts"))
    }

    /// KiB of private pages, guest memory left out, once they grow no more.
    fn private_kib(&mut self) -> u64 {
        let (mut before, end) = (0, Instant::now() + Duration::from_secs(60));
        loop {
            sleep(Duration::from_millis(500));
            assert_eq!(self.0.try_wait().expect("its status"), None, "the machine ended");
            let now = self.sum();
            if now == before && now > 0 {
                return now;
            }
            assert!(Instant::now() < end, "it grows for ever: {now} KiB");
            before = now;
        }
    }

    fn sum(&self) -> u64 {
        let smaps = fs::read_to_string(format!("/proc/{}/smaps", self.0.id())).expect("smaps");
        let (mut size, mut sum) = (0, 0);
        for line in smaps.lines() {
            let mut words = line.split_whitespace();
            let (Some(key), Some(Ok(kib))) = (words.next(), words.next().map(str::parse::<u64>)) else { continue };
            match key {
                "Size:" => size = kib,
                "Private_Clean:" | "Private_Dirty:" if size != GUEST_KIB => sum += kib,
                _ => {}
            }
        }
        sum
    }
}

impl Drop for Spinning {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A tap, for as long as it is kept.
struct Tap(String);

impl Tap {
    fn make() -> Self {
        let tap = Self(format!("ilm{}", std::process::id() % 100_000));
        tap.ip(&["tuntap", "add", "dev", &tap.0, "mode", "tap"]);
        tap.ip(&["link", "set", &tap.0, "up"]);
        tap
    }

    fn ip(&self, words: &[&str]) {
        let status = Command::new("ip").args(words).status().expect("ip, of the package iproute2");
        assert!(status.success(), "ip {} (it needs root)", words.join(" "));
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["link", "delete", &self.0]).status();
    }
}

/// Building it takes 2 MiB more, which are the program's own pages, and are given back at its first rest.
#[test]
fn a_machine_without_a_device_takes_at_most_2_5_mib() {
    let kib = Spinning::start("", &["--console", "none", "--entropy", "off"]).private_kib();
    eprintln!("{kib} KiB (budget: 2560)");
    assert!(kib <= 2560, "{kib} KiB");
}

#[test]
fn disk_net_entropy_and_console_take_it_to_3_5_mib_at_most() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("disk.img");
    fs::File::create(&image).and_then(|file| file.set_len(16 << 20)).expect("an image");
    let tap = Tap::make();
    let (disk, net) = (format!("path={}", image.display()), format!("tap={}", tap.0));
    let kib = Spinning::start("blk,net,entropy,", &["--disk", &disk, "--net", &net]).private_kib();
    eprintln!("{kib} KiB (budget: 3584)");
    assert!(kib <= 3584, "{kib} KiB");
}

/// With registries (TLS), the guest's init, `top`, two dozen verbs and the filters of the jail in it.
#[test]
fn the_program_has_at_most_5_25_mib() {
    const MAX_BYTES: u64 = 21 << 18;
    let bytes = fs::metadata(illico()).expect("the program").len();
    eprintln!("{bytes} bytes (budget: {MAX_BYTES})");
    assert!(bytes <= MAX_BYTES, "{bytes} bytes");
}
