//! From the table to a BPF program, and from there to the kernel.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

use super::allowed::{Allowed, When, allowed};
use super::{Mode, refusal};
use crate::error::{JailError, refused};
use crate::role::Role;

/// The program of a role.
pub fn program(role: Role, mode: Mode) -> Result<BpfProgram, JailError> {
    let wrong = |source| JailError::Filter { role, source };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for allowed in allowed(role) {
        let ways = ways(&allowed).map_err(wrong)?;
        rules.entry(allowed.number).or_default().extend(ways);
    }
    let (otherwise, arch) = (SeccompAction::Trap, TargetArch::x86_64);
    let filter = SeccompFilter::new(rules, otherwise, SeccompAction::Allow, arch).map_err(wrong)?;
    let program: BpfProgram = filter.try_into().map_err(wrong)?;
    Ok(match mode {
        Mode::End => program,
        Mode::Warn => passing(refusal::address_behind_call(), &program),
    })
}

/// Each way in which a call may be made; none means in any way.
fn ways(allowed: &Allowed) -> Result<Vec<SeccompRule>, BackendError> {
    let condition = |arg, op, value| SeccompCondition::new(arg, SeccompCmpArgLen::Dword, op, value);
    let one = |arg, op, value| SeccompRule::new(vec![condition(arg, op, value)?]);
    match allowed.when {
        When::Always => Ok(Vec::new()),
        When::OneOf { arg, values } => {
            values.iter().map(|&value| one(arg, SeccompCmpOp::Eq, u64::from(value))).collect()
        }
        When::Without { arg, bits } => Ok(vec![one(arg, SeccompCmpOp::MaskedEq(bits.into()), 0)?]),
        When::ThisProcess { arg } => Ok(vec![one(arg, SeccompCmpOp::Eq, std::process::id().into())?]),
    }
}

/// The same program, behind a check that lets a call from one instruction pass.
fn passing(instruction: u64, program: &[sock_filter]) -> BpfProgram {
    // Offsets of `instruction_pointer` in `struct seccomp_data`, a little-endian 64-bit value.
    const LOW: u32 = 8;
    const HIGH: u32 = 12;
    let load =
        |offset| sock_filter { code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, jt: 0, jf: 0, k: offset };
    let differs = |k, jf| sock_filter { code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, jt: 0, jf, k };
    let allow = sock_filter { code: libc::BPF_RET as u16, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };
    let check = [load(LOW), differs(instruction as u32, 3), load(HIGH), differs((instruction >> 32) as u32, 1), allow];
    check.into_iter().chain(program.iter().cloned()).collect()
}

/// Installs it on the calling thread.
pub fn install(program: &BpfProgram) -> Result<(), JailError> {
    seccompiler::apply_filter(program).map_err(|error| match error {
        seccompiler::Error::Prctl(source) => refused("set no_new_privs")(source),
        seccompiler::Error::Seccomp(source) => refused("install a seccomp filter")(source),
        other => refused("install a seccomp filter")(io::Error::other(other)),
    })
}
