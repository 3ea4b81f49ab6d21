//! The QEMU that the lab runs: a copy of the distribution's, without one fault of its emulation of SVM.
//!
//! `helper_vmrun` (target/i386/tcg/sysemu/svm_helper.c, seen in 7.2 and 10.0) leaves the vector of an injected external
//! interrupt in `exception_index` after it has delivered it. Whenever the CPU loop stops before the next exception or
//! #VMEXIT (a kick by another CPU, a used-up instruction budget, a stop of the monitor), the guest receives the same
//! vector a second time, whatever its interrupt flag says: it spins for ever on a lock that its own handler holds, or
//! takes a double fault at a system call's first instruction. Monitors inside the lab do not matter: guests of QEMU and
//! Firecracker stalled as well.
//!
//! The copy has that one store replaced by a no-op of the same length. It is made at the lab's first use and kept in the
//! lab's cache, named after the original's size and time of change.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kernels::{cache, lock_cache};
use crate::{Error, packages};

const PROGRAM: &str = "qemu-system-x86_64";
/// Where Debian's packages put what QEMU otherwise looks for beside its own program.
const MODULES: &str = "/usr/lib/x86_64-linux-gnu/qemu";
const DATA: [&str; 2] = ["/usr/share/qemu", "/usr/share/seabios"];

/// The end of `helper_vmrun`'s case SVM_EVTINJ_TYPE_INTR as GCC compiles it; `None` matches any byte (displacements).
const CASE: [Option<u8>; 38] = {
    const fn b(byte: u8) -> Option<u8> {
        Some(byte)
    }
    [
        // movzbl %r12b,%esi
        b(0x41),
        b(0x0f),
        b(0xb6),
        b(0xf4),
        // mov %r13d,error_code(%rbx)
        b(0x44),
        b(0x89),
        b(0xab),
        None,
        None,
        None,
        None,
        // mov %esi,exception_index(%rbx), at a negative displacement: the store that is removed
        b(0x89),
        b(0xb3),
        None,
        None,
        b(0xff),
        b(0xff),
        // movl $0,exception_is_int(%rbx)
        b(0xc7),
        b(0x83),
        None,
        None,
        None,
        None,
        b(0),
        b(0),
        b(0),
        b(0),
        // movq $-1,exception_next_eip(%rbx)
        b(0x48),
        b(0xc7),
        b(0x83),
        None,
        None,
        None,
        None,
        b(0xff),
        b(0xff),
        b(0xff),
        b(0xff),
    ]
};
const STORE: usize = 11;
/// nopw 0x0(%rax,%rax,1): one instruction of the store's six bytes.
const NO_OPERATION: [u8; 6] = [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00];

/// The command that starts the lab's QEMU, without arguments of the machine.
pub(super) fn command() -> Result<Command, Error> {
    let original = packages::find_program(PROGRAM).unwrap_or_else(|| PROGRAM.into());
    let program = mended(&original)?;
    let mut command = Command::new(program);
    command.env("QEMU_MODULE_DIR", MODULES);
    for folder in DATA {
        command.args(["-L", folder]);
    }
    Ok(command)
}

/// The copy in the cache, made if it is not there. A build that the pattern does not match is used as it is, and a
/// warning says what may happen.
fn mended(original: &Path) -> Result<PathBuf, Error> {
    let metadata = fs::metadata(original).map_err(Error::file("look at", original))?;
    let folder = cache().join("qemu");
    let copy = folder.join(format!("{PROGRAM}-{}-{}", metadata.len(), metadata.mtime()));
    let _lock = lock_cache()?;
    if copy.is_file() {
        return Ok(copy);
    }
    let program = fs::read(original).map_err(Error::file("read", original))?;
    let program = match patch(program) {
        Ok(program) => program,
        Err(matches) => {
            eprintln!(
                "warning: {}: the known fault in VMRUN was found {matches} times instead of once in this build, so it is \
                 used unchanged, and guests in the lab may stall",
                original.display()
            );
            return Ok(original.to_owned());
        }
    };
    fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
    let staging = tempfile::NamedTempFile::new_in(&folder).map_err(Error::file("create a file in", &folder))?;
    fs::write(staging.path(), program).map_err(Error::file("write", staging.path()))?;
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(staging.path(), executable).map_err(Error::file("make executable", staging.path()))?;
    staging.persist(&copy).map_err(|error| Error::file("create", &copy)(error.error))?;
    eprintln!("the lab's QEMU: a copy of {} that delivers an injected interrupt once", original.display());
    Ok(copy)
}

/// The program without the store; how often the pattern matched, if that is not once.
fn patch(mut program: Vec<u8>) -> Result<Vec<u8>, usize> {
    let is_match = |window: &[u8]| window.iter().zip(&CASE).all(|(byte, want)| want.is_none_or(|want| want == *byte));
    let mut matches = program.windows(CASE.len()).enumerate().filter(|(_, window)| is_match(window));
    let (first, others) = (matches.next().map(|(at, _)| at), matches.count());
    match (first, others) {
        (Some(at), 0) => {
            program[at + STORE..at + STORE + NO_OPERATION.len()].copy_from_slice(&NO_OPERATION);
            Ok(program)
        }
        (None, _) => Err(0),
        (Some(_), others) => Err(1 + others),
    }
}

#[cfg(test)]
#[path = "emulator_test.rs"]
mod tests;
