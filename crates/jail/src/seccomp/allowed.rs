//! The table: which role may make which system call, and for what.
//!
//! A call stands in a role's list where a caller on such a thread needs it once the guest runs. Threads are started,
//! programs executed and rings of io_uring set up before that, so none of these calls is in any list.

use super::ioctls::{self, Request};
use crate::role::Role;

/// A system call that may be made.
#[derive(Debug, Clone, Copy)]
pub struct Allowed {
    /// Its number.
    pub number: i64,
    /// Its name.
    pub name: &'static str,
    /// With which arguments.
    pub when: When,
    /// Who needs it.
    pub why: &'static str,
}

/// With which arguments a call may be made.
#[derive(Debug, Clone, Copy)]
pub enum When {
    /// With any.
    Always,
    /// The argument of this index is one of these values, in its low 32 bits.
    OneOf {
        /// Which argument.
        arg: u8,
        /// What it may be.
        values: &'static [Request],
    },
    /// None of these bits is set in the argument of this index.
    Without {
        /// Which argument.
        arg: u8,
        /// What it must not have.
        bits: u32,
    },
    /// The argument of this index is the number of this process.
    ThisProcess {
        /// Which argument.
        arg: u8,
    },
}

macro_rules! call {
    ($name:ident, $number:ident, $when:expr, $why:expr) => {
        Allowed { number: libc::$number, name: stringify!($name), when: $when, why: $why }
    };
}

/// Memory that is made executable would be a way to run code that is not in the program.
const NO_EXEC: When = When::Without { arg: 2, bits: libc::PROT_EXEC as u32 };

/// What the C library and Rust's runtime do on every thread.
const EVERY: &[Allowed] = &[
    call!(futex, SYS_futex, When::Always, "locks, channels, and waiting for another thread"),
    call!(write, SYS_write, When::Always, "eventfds, and lines on standard error"),
    call!(sched_yield, SYS_sched_yield, When::Always, "channels of the standard library, where two threads meet"),
    call!(restart_syscall, SYS_restart_syscall, When::Always, "a wait with a time, after SIGSTOP and SIGCONT"),
    call!(ppoll, SYS_ppoll, When::Always, "an output of the host that takes nothing now"),
    call!(clock_gettime, SYS_clock_gettime, When::Always, "the time, on hosts whose clock is read by a system call"),
    call!(
        sendto,
        SYS_sendto,
        When::OneOf { arg: 5, values: &[0] },
        "a signal's handler, on whichever thread, tells the one that waits; never to an address"
    ),
    call!(mmap, SYS_mmap, NO_EXEC, "the heap, for what is large; never executable"),
    call!(mremap, SYS_mremap, When::Always, "the heap, for what is large and grows"),
    call!(munmap, SYS_munmap, When::Always, "the heap; the signal stack of a thread that ends"),
    call!(brk, SYS_brk, When::Always, "the heap"),
    call!(madvise, SYS_madvise, When::Always, "the stack of a thread that ends; pages that are given back"),
    call!(sigaltstack, SYS_sigaltstack, When::Always, "the end of a thread"),
    call!(rt_sigprocmask, SYS_rt_sigprocmask, When::Always, "the end of a thread, and abort"),
    call!(rt_sigreturn, SYS_rt_sigreturn, When::Always, "the end of a signal's handler"),
    call!(getpid, SYS_getpid, When::Always, "what tgkill is given"),
    call!(tgkill, SYS_tgkill, When::ThisProcess { arg: 0 }, "taking a vCPU out of the guest; abort. Only this process"),
    call!(exit, SYS_exit, When::Always, "the end of a thread"),
    call!(exit_group, SYS_exit_group, When::Always, "the end of the process"),
];

/// What the standard library checks before it closes a descriptor, in builds with debug assertions only.
const DEBUG: &[Allowed] = &[call!(
    fcntl,
    SYS_fcntl,
    When::OneOf { arg: 1, values: &[libc::F_GETFD as u32] },
    "checks of a debug build: is a descriptor open?"
)];

const VCPU: &[Allowed] = &[
    call!(gettid, SYS_gettid, When::Always, "the number by which others take it out of the guest"),
    call!(
        ioctl,
        SYS_ioctl,
        When::OneOf { arg: 1, values: ioctls::VCPU },
        "KVM: running, and what a register write changes"
    ),
    call!(eventfd2, SYS_eventfd2, When::Always, "a queue that is started anew"),
    call!(read, SYS_read, When::Always, "eventfds of interrupts that are masked"),
    call!(close, SYS_close, When::Always, "eventfds of a device that is reset"),
    call!(epoll_create1, SYS_epoll_create1, When::Always, "vsock: its connections, when the device starts"),
    call!(epoll_ctl, SYS_epoll_ctl, When::Always, "vsock: its listener, when the device starts"),
    call!(getrandom, SYS_getrandom, When::Always, "seeds of hash tables, when a device starts"),
    call!(mprotect, SYS_mprotect, NO_EXEC, "the heap"),
];

/// What an event loop does, whatever runs on it.
const LOOP: &[Allowed] = &[
    call!(epoll_wait, SYS_epoll_wait, When::Always, "sleeping until there is work"),
    call!(epoll_ctl, SYS_epoll_ctl, When::Always, "devices that come on the loop, and leave it"),
    call!(read, SYS_read, When::Always, "eventfds, and what the guest is to be given"),
    call!(readv, SYS_readv, When::Always, "data that goes into guest memory in place"),
    call!(writev, SYS_writev, When::Always, "data that comes out of guest memory in place"),
    call!(close, SYS_close, When::Always, "what a device that is reset had open"),
    call!(
        ioctl,
        SYS_ioctl,
        When::OneOf { arg: 1, values: ioctls::LOOP },
        "the size of a terminal; queues of a tap; a block device's ranges; sockets that do not wait"
    ),
    call!(getrandom, SYS_getrandom, When::Always, "the entropy device; seeds of hash tables"),
    call!(mprotect, SYS_mprotect, NO_EXEC, "the heap"),
];

const DEVICES: &[Allowed] = &[
    call!(timerfd_settime, SYS_timerfd_settime, When::Always, "the machine ends, and with it its deadlines"),
    call!(eventfd2, SYS_eventfd2, When::Always, "a queue that is started anew"),
    call!(recvfrom, SYS_recvfrom, When::Always, "vsock and network sockets"),
    call!(recvmsg, SYS_recvmsg, When::Always, "network sockets"),
    call!(sendmsg, SYS_sendmsg, When::Always, "network sockets"),
    call!(accept4, SYS_accept4, When::Always, "vsock: a program of the host that connects"),
    call!(shutdown, SYS_shutdown, When::Always, "vsock: one direction of a connection has ended"),
    call!(socket, SYS_socket, When::OneOf { arg: 0, values: &[libc::AF_UNIX as u32] }, "vsock: the guest connects"),
    call!(connect, SYS_connect, When::Always, "vsock: the guest connects to a socket in the machine's folder"),
];

const QUEUE: &[Allowed] = &[
    call!(io_uring_enter, SYS_io_uring_enter, When::Always, "disks: requests are begun and waited for"),
    call!(preadv, SYS_preadv, When::Always, "disks without io_uring"),
    call!(preadv2, SYS_preadv2, When::Always, "disks without io_uring"),
    call!(pwritev, SYS_pwritev, When::Always, "disks without io_uring"),
    call!(pwritev2, SYS_pwritev2, When::Always, "disks without io_uring; data that must be stable"),
    call!(pwrite64, SYS_pwrite64, When::Always, "disks: zeros, where the file system has no call for them"),
    call!(fallocate, SYS_fallocate, When::Always, "disks: discard and write zeroes"),
    call!(fdatasync, SYS_fdatasync, When::Always, "disks and pmem: flush"),
    call!(fstat, SYS_fstat, When::Always, "pmem: whether its file was cut short"),
    call!(gettid, SYS_gettid, When::Always, "pmem: raising SIGBUS where its file was cut short"),
    call!(
        rt_sigaction,
        SYS_rt_sigaction,
        When::OneOf { arg: 0, values: &[libc::SIGBUS as u32] },
        "pmem: Rust's handler gives SIGBUS its default back before ours says why the machine ends"
    ),
    call!(fsync, SYS_fsync, When::Always, "disks and pmem: flush"),
    call!(msync, SYS_msync, When::Always, "pmem: flush"),
    call!(recvmsg, SYS_recvmsg, When::Always, "queues of a network card"),
    call!(sendmsg, SYS_sendmsg, When::Always, "queues of a network card"),
    call!(recvfrom, SYS_recvfrom, When::Always, "queues of a network card"),
];

const FILES: &[Allowed] = &[
    call!(openat, SYS_openat, When::Always, "the guest opens and makes files"),
    call!(fcntl, SYS_fcntl, When::Always, "descriptors that are kept"),
    call!(statx, SYS_statx, When::Always, "attributes"),
    call!(fstat, SYS_fstat, When::Always, "attributes"),
    call!(fstatfs, SYS_fstatfs, When::Always, "statfs; whether a file system is a pseudo one"),
    call!(getdents64, SYS_getdents64, When::Always, "lists of folders"),
    call!(lseek, SYS_lseek, When::Always, "lists of folders; holes"),
    call!(preadv, SYS_preadv, When::Always, "reads into guest memory"),
    call!(preadv2, SYS_preadv2, When::Always, "reads into guest memory"),
    call!(pwritev, SYS_pwritev, When::Always, "writes from guest memory"),
    call!(pwritev2, SYS_pwritev2, When::Always, "writes from guest memory"),
    call!(readlinkat, SYS_readlinkat, When::Always, "symbolic links"),
    call!(symlinkat, SYS_symlinkat, When::Always, "symbolic links"),
    call!(linkat, SYS_linkat, When::Always, "hard links"),
    call!(unlinkat, SYS_unlinkat, When::Always, "removing"),
    call!(renameat2, SYS_renameat2, When::Always, "renaming"),
    call!(mkdirat, SYS_mkdirat, When::Always, "folders"),
    call!(mknodat, SYS_mknodat, When::Always, "named pipes and sockets"),
    call!(fchmod, SYS_fchmod, When::Always, "modes"),
    call!(fchmodat, SYS_fchmodat, When::Always, "modes"),
    call!(utimensat, SYS_utimensat, When::Always, "times"),
    call!(ftruncate, SYS_ftruncate, When::Always, "sizes"),
    call!(fallocate, SYS_fallocate, When::Always, "fallocate"),
    call!(fsync, SYS_fsync, When::Always, "fsync"),
    call!(fdatasync, SYS_fdatasync, When::Always, "fdatasync"),
    call!(copy_file_range, SYS_copy_file_range, When::Always, "copies within the share"),
    call!(getxattr, SYS_getxattr, When::Always, "extended attributes by /proc/self/fd"),
    call!(setxattr, SYS_setxattr, When::Always, "extended attributes by /proc/self/fd"),
    call!(listxattr, SYS_listxattr, When::Always, "extended attributes by /proc/self/fd"),
    call!(removexattr, SYS_removexattr, When::Always, "extended attributes by /proc/self/fd"),
    call!(capget, SYS_capget, When::Always, "whether a write keeps the bits that lend rights"),
];

const SESSION: &[Allowed] = &[
    call!(timerfd_settime, SYS_timerfd_settime, When::Always, "the machine ends with its command"),
    call!(read, SYS_read, When::Always, "standard input, and the agent's frames"),
    call!(recvfrom, SYS_recvfrom, When::Always, "the agent's frames"),
    call!(writev, SYS_writev, When::Always, "standard output"),
    call!(accept4, SYS_accept4, When::Always, "the agent connects"),
    call!(fcntl, SYS_fcntl, When::Always, "the connection is kept twice"),
    call!(poll, SYS_poll, When::Always, "waiting for standard input"),
    call!(close, SYS_close, When::Always, "the connection's end"),
    call!(dup2, SYS_dup2, When::Always, "-d: messages go to a log once the command runs"),
    call!(dup3, SYS_dup3, When::Always, "-d: messages go to a log once the command runs"),
    call!(openat, SYS_openat, When::Always, "-d: the next piece of the command's log, in the machine's folder"),
    call!(unlink, SYS_unlink, When::Always, "-d: the oldest piece of the command's log, in the machine's folder"),
    call!(mprotect, SYS_mprotect, NO_EXEC, "the heap"),
];

const WATCH: &[Allowed] = &[
    call!(timerfd_settime, SYS_timerfd_settime, When::Always, "the machine ends, and with it its deadlines"),
    call!(read, SYS_read, When::Always, "signals; counters of a timeline"),
    call!(pread64, SYS_pread64, When::Always, "counters of a timeline"),
    call!(recvfrom, SYS_recvfrom, When::Always, "signals"),
    call!(poll, SYS_poll, When::Always, "signals"),
    call!(close, SYS_close, When::Always, "what is let go at the end"),
    call!(ioctl, SYS_ioctl, When::OneOf { arg: 1, values: ioctls::WATCH }, "the terminal's size and its mode"),
    call!(clock_nanosleep, SYS_clock_nanosleep, When::Always, "waiting for a time"),
    call!(mprotect, SYS_mprotect, NO_EXEC, "the heap; threads"),
];

const CONTROL: &[Allowed] = &[
    call!(epoll_wait, SYS_epoll_wait, When::Always, "sleeping until the machine is to end"),
    call!(epoll_ctl, SYS_epoll_ctl, When::Always, "what leaves the control loop"),
    call!(read, SYS_read, When::Always, "keys, signals, timers, counters of KVM"),
    call!(pread64, SYS_pread64, When::Always, "counters of KVM"),
    call!(recvfrom, SYS_recvfrom, When::Always, "signals"),
    call!(close, SYS_close, When::Always, "the end of a machine"),
    call!(ioctl, SYS_ioctl, When::OneOf { arg: 1, values: ioctls::WATCH }, "the terminal's mode; counters of KVM"),
    call!(rt_sigaction, SYS_rt_sigaction, When::Always, "a signal after the guest's end does what it does by default"),
    call!(timerfd_settime, SYS_timerfd_settime, When::Always, "how long a guest may take to power off"),
    call!(accept4, SYS_accept4, When::Always, "programs that ask for fresh counters"),
    call!(shutdown, SYS_shutdown, When::Always, "the end of a connection to the guest"),
    call!(pidfd_send_signal, SYS_pidfd_send_signal, When::Always, "the end of passt, which is named by a descriptor"),
    call!(
        waitid,
        SYS_waitid,
        When::OneOf { arg: 0, values: &[libc::P_PIDFD] },
        "the end of passt, whose ports are free then"
    ),
    call!(mprotect, SYS_mprotect, NO_EXEC, "the heap"),
    call!(getrandom, SYS_getrandom, When::Always, "seeds of hash tables"),
    call!(clock_nanosleep, SYS_clock_nanosleep, When::Always, "waiting for another process at the machine's folder"),
    call!(openat, SYS_openat, When::Always, "how the machine ended, in its folder"),
    call!(statx, SYS_statx, When::Always, "the machine's folder"),
    call!(newfstatat, SYS_newfstatat, When::Always, "the machine's folder"),
    call!(fstat, SYS_fstat, When::Always, "the machine's folder"),
    call!(lseek, SYS_lseek, When::Always, "the log of the guest's kernel"),
    call!(fcntl, SYS_fcntl, When::Always, "the machine's folder"),
    call!(getdents64, SYS_getdents64, When::Always, "the machine's folder"),
    call!(flock, SYS_flock, When::Always, "the machine's folder"),
    call!(rename, SYS_rename, When::Always, "how the machine ended, as a whole or not at all"),
    call!(unlink, SYS_unlink, When::Always, "sockets of the machine"),
    call!(unlinkat, SYS_unlinkat, When::Always, "the machine's folder, where it goes"),
    call!(rmdir, SYS_rmdir, When::Always, "the machine's folder, where it goes"),
    call!(mkdir, SYS_mkdir, When::Always, "the machine's folder"),
];

/// All that a role may do.
pub fn allowed(role: Role) -> impl Iterator<Item = Allowed> {
    let own: &[&[Allowed]] = match role {
        Role::Vcpu => &[VCPU],
        Role::Devices => &[LOOP, DEVICES],
        Role::Queue => &[LOOP, QUEUE],
        Role::Files => &[LOOP, FILES],
        Role::Session => &[SESSION],
        Role::Watch => &[WATCH],
        Role::Control => &[CONTROL],
    };
    let debug = if cfg!(debug_assertions) && !own.iter().copied().flatten().any(|call| call.number == libc::SYS_fcntl) {
        DEBUG
    } else {
        &[]
    };
    own.iter().copied().chain([EVERY, debug]).flatten().copied()
}

/// The name of a call that any role may make, and of those that a thread with too many rights would make first.
pub fn name_of(number: i64) -> Option<&'static str> {
    const OTHERS: &[(i64, &str)] = &[
        (libc::SYS_clone, "clone"),
        (libc::SYS_clone3, "clone3"),
        (libc::SYS_execve, "execve"),
        (libc::SYS_fork, "fork"),
        (libc::SYS_io_uring_setup, "io_uring_setup"),
        (libc::SYS_kill, "kill"),
        (libc::SYS_ptrace, "ptrace"),
    ];
    let in_table = Role::ALL.into_iter().flat_map(allowed).find(|allowed| allowed.number == number);
    in_table.map(|allowed| allowed.name).or_else(|| OTHERS.iter().find(|other| other.0 == number).map(|other| other.1))
}
