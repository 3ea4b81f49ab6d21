//! SIGSYS: a thread made a system call that its role does not allow. One line names the role and the call.
//!
//! The handler runs in place of the call. It touches no lock and no heap: the thread may hold any of them.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{io, mem, ptr};

use super::Mode;
use super::allowed::name_of;
use crate::role::Role;

/// The status of a process that ended here: as if SIGSYS had killed it.
pub const STATUS: i32 = 128 + libc::SIGSYS;

static WARN_ONLY: AtomicBool = AtomicBool::new(false);

thread_local! {
    static ROLE: Cell<&'static str> = const { Cell::new("unknown") };
}

/// What the handler calls this thread.
pub fn set_role(role: Role) {
    ROLE.set(role.name());
}

/// Installs the handler.
pub fn handle(mode: Mode) -> io::Result<()> {
    WARN_ONLY.store(mode == Mode::Warn, Ordering::Relaxed);
    // SAFETY: all zeros is a valid `sigaction`: no flags, no signal blocked, the default action.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = refused;
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: `action` is complete, and the handler does only what a signal handler may.
    match unsafe { libc::sigaction(libc::SIGSYS, &action, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

extern "C" fn refused(_signal: c_int, _info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes a `ucontext_t` that is ours until the handler returns.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let registers = &mut context.uc_mcontext.gregs;
    // seccomp(2): the call's number is in RAX still.
    let number = registers[libc::REG_RAX as usize];
    let mut line = Line::new();
    line.text("illico: jail: a thread of the role ");
    line.text(ROLE.get());
    line.text(" made the system call ");
    line.number(number.unsigned_abs());
    if let Some(name) = name_of(number) {
        line.text(" (");
        line.text(name);
        line.text(")");
    }
    line.text(", first arguments ");
    line.hex(registers[libc::REG_RDI as usize] as u64);
    line.text(" ");
    line.hex(registers[libc::REG_RSI as usize] as u64);
    let warn = WARN_ONLY.load(Ordering::Relaxed);
    line.text(if warn { "\n" } else { ", which is not allowed: the process ends\n" });
    line.print();
    if !warn {
        // SAFETY: `_exit` takes no lock and runs no destructor. The filter of each role allows it.
        unsafe { libc::_exit(STATUS) };
    }
    let argument = |register: c_int| registers[register as usize];
    let arguments = [
        argument(libc::REG_RDI),
        argument(libc::REG_RSI),
        argument(libc::REG_RDX),
        argument(libc::REG_R10),
        argument(libc::REG_R8),
        argument(libc::REG_R9),
    ];
    // SAFETY: the thread made this very call with these arguments; it is made in its place.
    registers[libc::REG_RAX as usize] = unsafe { illico_jail_call(number, arguments.as_ptr()) };
}

std::arch::global_asm!(
    ".global illico_jail_call",
    ".global illico_jail_behind_call",
    ".hidden illico_jail_call",
    ".hidden illico_jail_behind_call",
    "illico_jail_call:",
    "mov rax, rdi",
    "mov r11, rsi",
    "mov rdi, [r11]",
    "mov rsi, [r11 + 8]",
    "mov rdx, [r11 + 16]",
    "mov r10, [r11 + 24]",
    "mov r8, [r11 + 32]",
    "mov r9, [r11 + 40]",
    "syscall",
    "illico_jail_behind_call:",
    "ret",
);

unsafe extern "C" {
    /// Makes a system call from the one instruction that a warning filter lets pass.
    fn illico_jail_call(number: i64, arguments: *const i64) -> i64;
    static illico_jail_behind_call: u8;
}

/// What the kernel sees as the instruction pointer of a call that [`refused`] makes.
pub fn address_behind_call() -> u64 {
    (&raw const illico_jail_behind_call).addr() as u64
}

/// A line on standard error, made without the heap.
struct Line {
    bytes: [u8; 200],
    len: usize,
}

impl Line {
    fn new() -> Self {
        Self { bytes: [0; 200], len: 0 }
    }

    /// Adds what there is room for.
    fn text(&mut self, text: &str) {
        for (to, from) in self.bytes.iter_mut().skip(self.len).zip(text.bytes()) {
            *to = from;
            self.len += 1;
        }
    }

    fn number(&mut self, number: u64) {
        self.digits(number, 10);
    }

    fn hex(&mut self, number: u64) {
        self.text("0x");
        self.digits(number, 16);
    }

    fn digits(&mut self, mut number: u64, base: u64) {
        let mut digits = [0_u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b"0123456789abcdef"[(number % base) as usize];
            number /= base;
            if number == 0 {
                break;
            }
        }
        self.text(std::str::from_utf8(&digits[at..]).unwrap_or_default());
    }

    fn print(&self) {
        // SAFETY: the bytes are ours and `len` of them are there. A failure cannot be reported anywhere.
        unsafe { libc::write(libc::STDERR_FILENO, self.bytes.as_ptr().cast(), self.len) };
    }
}
