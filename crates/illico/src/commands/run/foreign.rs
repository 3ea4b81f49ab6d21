//! `illico run --kernel KERNEL DISK` with a kernel that is not Linux. No PID 1 of illico's runs on it, so there is no command
//! and nothing is shared: it is booted, with the disk, as `illico boot` does.
//!
//! The kernel decides, not the disk: a file that is an ELF for x86-64 without Linux's banner is such a kernel.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use clap::Parser;
use illico_image::kernels::{KernelError, Kernels};

use super::words::Words;
use crate::cli::{Accounting, Cli, Run, Verb};
use crate::commands::{Failure, boot};
use crate::output;
use crate::status::Status;

const ELF: [u8; 4] = *b"\x7fELF";

/// Whether this file is a kernel, and not Linux.
pub fn is_foreign(kernel: &Path) -> bool {
    let path = Path::new(".").join(kernel);
    let Some(name) = path.to_str().filter(|_| path.is_file() && is_elf(&path)) else { return false };
    let chosen = Kernels::of_user().and_then(|kernels| kernels.choose(Some(name)));
    matches!(chosen, Err(KernelError::NotAKernel(_)))
}

fn is_elf(path: &Path) -> bool {
    let mut start = [0; ELF.len()];
    File::open(path).is_ok_and(|mut file| file.read_exact(&mut start).is_ok()) && start == ELF
}

/// Boots it.
pub fn boot(options: &Run, kernel: &Path, words: &Words, began: Instant) -> Result<Status, Failure> {
    let arguments = arguments(options, kernel, words)?;
    if options.verbose {
        let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
        output::say(&format!("{} is not Linux, so this is: {}", kernel.display(), words.join(" ")));
    }
    // What is wrong with a word is told as of the option that it was given with.
    let parsed = Cli::try_parse_from(arguments).map_err(|error| output::usage_line(&error.to_string()))?;
    match parsed.verb {
        Verb::Boot(options) => boot::run(&options, began, None),
        other => Err(format!("{other:?} is not what was asked for").into()),
    }
}

/// The command line of `illico boot` that says the same.
fn arguments(options: &Run, kernel: &Path, words: &Words) -> Result<Vec<OsString>, Failure> {
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
        (!options.env.is_empty(), "-e"),
        (!options.env_file.is_empty(), "--env-file"),
        (options.workdir.is_some(), "-w"),
        (!options.ulimit.is_empty(), "--ulimit"),
        (options.user.is_some(), "-u"),
        (!options.volume.is_empty(), "-v"),
        (options.rw_cwd, "--rw-cwd"),
        (options.scratch.is_some(), "--scratch"),
        (options.timeout.is_some(), "--timeout"),
    ];
    if let Some((_, option)) = not_for_it.iter().find(|(given, _)| *given) {
        return Err(not_linux(&format!("{option} is not for it")));
    }

    let mut path = OsString::from("path=");
    path.push(disk);
    let mut arguments: Vec<OsString> = ["illico", "boot"].map(OsString::from).into();
    let mut say = |option: &str, value: &OsStr| arguments.extend([OsString::from(option), value.to_owned()]);
    say("--kernel", kernel.as_os_str());
    say("--disk", &path);
    // Without a network is how `boot` is without being asked.
    let net = options.net.as_deref().filter(|net| *net != "none");
    for (option, value) in
        [("--cpus", options.cpus.as_deref()), ("--memory", options.memory.as_deref()), ("--net", net)]
    {
        if let Some(value) = value {
            say(option, OsStr::new(value));
        }
    }
    options.publish.iter().for_each(|port| say("-p", OsStr::new(port)));
    if let Some(name) = &options.name {
        say("--name", OsStr::new(name.as_str()));
    }
    let Accounting { exits, exits_json, budget } = &options.accounting;
    for (option, file) in [("--exits-json", exits_json), ("--budget", budget)] {
        if let Some(file) = file {
            say(option, file.as_os_str());
        }
    }
    if *exits {
        arguments.push("--exits".into());
    }
    Ok(arguments)
}

fn is_block_device(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    path.metadata().is_ok_and(|metadata| metadata.file_type().is_block_device())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        match arguments(&options, Path::new("netbsd"), &words) {
            Ok(words) => words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "),
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
