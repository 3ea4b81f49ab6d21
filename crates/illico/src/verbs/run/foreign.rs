//! `illico run --kernel KERNEL DISK` with a kernel that is not Linux. No PID 1 of illico's runs on it, so there is no command
//! and nothing is shared: it is booted, with the disk, as `illico boot` does.
//!
//! The kernel decides, not the disk: a file that is an ELF for x86-64 without Linux's banner is such a kernel.

use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use illico_image::kernels::{KernelError, Kernels};
use illico_machine::config::Config;
use illico_virtio::block::DiskSpec;

use super::Run;
use super::words::Words;
use crate::failure::Failure;
use crate::naming::Origin;
use crate::output;
use crate::show::timeline::Recording;
use crate::status::Status;
use crate::verbs::accounting::AccountingOptions;
use crate::verbs::boot::{self, configure};

/// As `illico boot` has it without being asked.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

const ELF: [u8; 4] = *b"\x7fELF";

/// Whether this file is a kernel, and not Linux.
pub fn is_foreign(kernel: &Path) -> bool {
    let path = Path::new(".").join(kernel);
    if !path.is_file() || !is_elf(&path) {
        return false;
    }
    let chosen = Kernels::of_user().and_then(|kernels| kernels.choose(Some(path.as_os_str())));
    matches!(chosen, Err(KernelError::NotAKernel(_)))
}

fn is_elf(path: &Path) -> bool {
    let mut start = [0; ELF.len()];
    File::open(path).is_ok_and(|mut file| file.read_exact(&mut start).is_ok()) && start == ELF
}

/// Boots it.
pub fn boot(options: &Run, kernel: &Path, words: &Words, began: Instant) -> Result<Status, Failure> {
    let recording = Recording::begin(&options.timeline, began)?;
    let start = illico_launch::begin(&Recording::spans(recording.as_ref()));
    let config = config(options, kernel, words)?;
    if options.verbose {
        output::say(&format!("{} is not Linux, so this is: {}", kernel.display(), same_as(options, &config)));
    }
    let (name, accounting) = (options.name.as_ref(), &options.accounting);
    let jail = options.jail.level();
    let job =
        boot::Job { config, origin: Origin::Run, name, accounting, trace: None, stop_timeout: STOP_TIMEOUT, jail };
    boot::boot(job, start, recording)
}

/// The machine: the kernel and its disk.
fn config(options: &Run, kernel: &Path, words: &Words) -> Result<Config, Failure> {
    let not_linux = |what: &str| -> Failure {
        format!("--kernel: {} is not Linux: {what}; see illico boot --help", kernel.display()).into()
    };
    let Words { image: Some(disk), command } = words else {
        return Err(not_linux("it runs no commands; give it a disk"));
    };
    if !command.is_empty() {
        return Err(not_linux("it runs no commands, only what is on its disk"));
    }
    if !Path::new(disk).is_file() && !is_block_device(Path::new(disk)) {
        return Err(not_linux(&format!("{} must be a disk for it, a file or a device", disk.display())));
    }
    let not_for_it = [
        (options.detach, "-d"),
        (options.rm, "--rm"),
        (!options.command.env.is_empty(), "-e"),
        (!options.env_file.is_empty(), "--env-file"),
        (options.command.workdir.is_some(), "-w"),
        (!options.command.ulimit.is_empty(), "--ulimit"),
        (options.command.user.is_some(), "-u"),
        (!options.volume.is_empty(), "-v"),
        (options.rw_cwd, "--rw-cwd"),
        (options.scratch.is_some(), "--scratch"),
        (options.timeout.is_some(), "--timeout"),
    ];
    if let Some((_, option)) = not_for_it.iter().find(|(given, _)| *given) {
        return Err(not_linux(&format!("{option} is not for it")));
    }
    let mut config = Config { kernel: kernel.to_owned(), ..Config::default() };
    config.disk.push(DiskSpec::new(disk));
    super::options::size(&mut config, options)?;
    // No network is what `boot` has without being asked.
    let net: Vec<_> = options.net.iter().filter(|net| *net != "none").cloned().collect();
    configure::networks(&net, &options.publish, &mut config)?;
    Ok(config)
}

/// The options of `illico boot` that describe the same machine, for people.
fn same_as(options: &Run, config: &Config) -> String {
    let mut text = format!("illico boot --kernel {}", config.kernel.display());
    let mut add = |option: &str, value: &dyn Display| text.push_str(&format!(" {option} {value}"));
    config.disk.iter().for_each(|disk| add("--disk", &format!("path={}", disk.path.display())));
    let net = options.net.as_ref().filter(|net| *net != "none");
    for (option, value) in [("--cpus", options.cpus.as_ref()), ("--memory", options.memory.as_ref()), ("--net", net)] {
        value.iter().for_each(|value| add(option, value));
    }
    options.publish.iter().for_each(|port| add("-p", port));
    options.name.iter().for_each(|name| add("--name", name));
    let AccountingOptions { exits, exits_json, budget } = &options.accounting;
    exits_json.iter().for_each(|file| add("--exits-json", &file.display()));
    budget.iter().for_each(|file| add("--budget", &file.display()));
    if *exits {
        text.push_str(" --exits");
    }
    text
}

fn is_block_device(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    path.metadata().is_ok_and(|metadata| metadata.file_type().is_block_device())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::Parser;

    use super::*;
    use crate::verbs::{Cli, Verb};

    #[test]
    fn a_kernel_that_is_not_linux_is_told_by_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        assert!(is_foreign(&file("netbsd", illico_probe_image::IMAGE)));
        let mut linux = illico_probe_image::IMAGE.to_vec();
        linux.extend(b"Linux version 6.12.0 (x) ");
        assert!(!is_foreign(&file("vmlinux", &linux)));
        // What these are is told where kernels of Linux are looked for.
        assert!(!is_foreign(&file("text", b"hello")));
        assert!(!is_foreign(&folder.path().join("nosuch")));
        assert!(!is_foreign(folder.path()));
    }

    fn told(line: &str, image: Option<&Path>, command: &[&str]) -> String {
        let line = format!("illico run --kernel netbsd {line}");
        let Verb::Run(options) = Cli::try_parse_from(line.split_whitespace()).unwrap().verb else { panic!() };
        let image = image.map(|path| path.as_os_str().to_owned());
        let words = Words { image, command: command.iter().map(OsString::from).collect() };
        match config(&options, Path::new("netbsd"), &words) {
            Ok(config) => same_as(&options, &config),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_same_is_said_to_boot() {
        let disk = tempfile::NamedTempFile::new().unwrap();
        let path = disk.path().display().to_string();
        let boots = |line: &str, also: &str| {
            let expected = format!("illico boot --kernel netbsd --disk path={path}{also}");
            assert_eq!(told(line, Some(disk.path()), &[]), expected);
        };
        boots("-it --net none", "");
        boots("--memory 64M --net user -p 1:2 --name n --exits", " --memory 64M --net user -p 1:2 --name n --exits");
        boots("--budget b.toml", " --budget b.toml");
    }

    #[test]
    fn what_is_only_for_linux_is_told_to_be() {
        let disk = tempfile::NamedTempFile::new().unwrap();
        for (line, image, command, why) in [
            ("", None, &["true"][..], "it runs no commands; give it a disk"),
            ("", Some(disk.path()), &["true"], "only what is on its disk"),
            ("", Some(Path::new("debian:12")), &[], "debian:12 must be a disk"),
            ("-d", Some(disk.path()), &[], "-d is not for it"),
            ("-v /tmp:/tmp", Some(disk.path()), &[], "-v is not for it"),
        ] {
            let told = told(line, image, command);
            assert!(told.starts_with("--kernel: netbsd is not Linux: ") && told.contains(why), "{told}");
        }
    }
}
