//! Starting a command: as its user, in its folder, on pipes or on a terminal, found as a shell finds it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use illico_protocol::{Ending, Exec, Limit, Resource, Stream, WindowSize};
use rustix::fs::{Gid, Mode, OFlags, Uid, fchown, open};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::process::{Pid, Rlimit, fchdir, ioctl_tiocsctty, setrlimit, setsid};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

use crate::serve::user::{Etc, User};

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The group of terminals, as devpts is mounted.
const TTY_GROUP: u32 = 5;

/// A command that runs, and our ends of its streams, none of which waits.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) pid: Pid,
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) outputs: Vec<(Stream, OwnedFd)>,
    pub(crate) terminal: bool,
}

/// Starts it. If it cannot be started, that is how it ended.
pub(crate) fn start(exec: &Exec) -> Result<Started, Ending> {
    let failed = |what: &str, error: io::Error| Ending::Failed(format!("cannot {what}: {error}"));
    let needs_home = !exec.env.iter().any(|word| word.as_bytes().starts_with(b"HOME="));
    let user = User::find(exec.user.as_deref(), needs_home, &Etc).map_err(Ending::Failed)?;
    let env = environment(exec, &user);
    let cwd = exec.cwd.as_ref().map_or(Path::new("/"), |cwd| cwd.as_path());
    let folder = open(cwd, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| failed(&format!("enter the working directory {}", cwd.display()), errno.into()))?;

    let Some(name) = exec.command.first() else { return Err(Ending::Failed("no command was given".to_owned())) };
    let path = env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone()).unwrap_or_default();
    let program = find(name.as_os_str(), &path, cwd)?;
    let mut command = Command::new(&program);
    command.arg0(name.as_os_str()).args(exec.command.iter().skip(1).map(|word| word.as_os_str()));
    command.env_clear().envs(env);

    let terminal = match exec.terminal {
        Some(size) => Some(terminal(size, &user).map_err(|errno| failed("make a terminal", errno.into()))?),
        None => None,
    };
    if let Some((_, slave)) = &terminal {
        let stream = || slave.try_clone().map(Stdio::from).map_err(|error| failed("make a terminal", error));
        command.stdin(stream()?).stdout(stream()?).stderr(stream()?);
    } else {
        command.stdin(if exec.stdin { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    let on_terminal = terminal.is_some();
    // Made here, since nothing may be allocated in the new process.
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    let limits: Vec<_> = exec.limits.iter().map(rlimit).collect();
    let become_it = move || {
        for (resource, limit) in &limits {
            setrlimit(*resource, *limit)?;
        }
        become_user(&user, &groups, &folder, on_terminal)
    };
    // SAFETY: the closure makes system calls and nothing else: it allocates nothing and takes no lock.
    unsafe { command.pre_exec(become_it) };
    let mut child = command.spawn().map_err(|error| cannot_execute(name.as_os_str(), &program, cwd, &error))?;

    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| Ending::Failed("the command has no process number".to_owned()))?;
    let mut started = Started { pid, stdin: None, outputs: Vec::new(), terminal: on_terminal };
    if let Some((master, _)) = terminal {
        let output = master.try_clone().map_err(|error| failed("share a terminal", error))?;
        started.stdin = Some(master);
        started.outputs.push((Stream::Stdout, output));
    } else {
        started.stdin = child.stdin.take().map(OwnedFd::from);
        started.outputs.extend(child.stdout.take().map(|pipe| (Stream::Stdout, OwnedFd::from(pipe))));
        started.outputs.extend(child.stderr.take().map(|pipe| (Stream::Stderr, OwnedFd::from(pipe))));
    }
    for fd in started.stdin.iter().chain(started.outputs.iter().map(|(_, fd)| fd)) {
        ioctl_fionbio(fd, true).map_err(|errno| failed("read from the command", errno.into()))?;
    }
    Ok(started)
}

/// In the new process, before it becomes the program.
fn become_user(user: &User, groups: &[Gid], folder: &OwnedFd, on_terminal: bool) -> io::Result<()> {
    setsid()?;
    if on_terminal {
        ioctl_tiocsctty(rustix::stdio::stdin())?;
    }
    // Each step takes away what another order would still need.
    set_thread_groups(groups)?;
    set_thread_gid(Gid::from_raw(user.gid))?;
    set_thread_uid(Uid::from_raw(user.uid))?;
    fchdir(folder)?;
    Ok(())
}

/// A limit as the kernel takes it.
fn rlimit(limit: &Limit) -> (rustix::process::Resource, Rlimit) {
    use rustix::process::Resource as Kernel;
    let resource = match limit.resource {
        Resource::As => Kernel::As,
        Resource::Core => Kernel::Core,
        Resource::Cpu => Kernel::Cpu,
        Resource::Data => Kernel::Data,
        Resource::Fsize => Kernel::Fsize,
        Resource::Locks => Kernel::Locks,
        Resource::Memlock => Kernel::Memlock,
        Resource::Msgqueue => Kernel::Msgqueue,
        Resource::Nice => Kernel::Nice,
        Resource::Nofile => Kernel::Nofile,
        Resource::Nproc => Kernel::Nproc,
        Resource::Rss => Kernel::Rss,
        Resource::Rtprio => Kernel::Rtprio,
        Resource::Rttime => Kernel::Rttime,
        Resource::Sigpending => Kernel::Sigpending,
        Resource::Stack => Kernel::Stack,
    };
    (resource, Rlimit { current: limit.soft, maximum: limit.hard })
}

/// A terminal of this size: our end and the command's.
fn terminal(size: WindowSize, user: &User) -> Result<(OwnedFd, OwnedFd), Errno> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags)?;
    unlockpt(&master)?;
    let slave = ioctl_tiocgptpeer(&master, flags)?;
    let _ = fchown(&slave, Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(TTY_GROUP)));
    resize(&master, size)?;
    Ok((master, slave))
}

pub(crate) fn resize(terminal: &OwnedFd, size: WindowSize) -> Result<(), Errno> {
    tcsetwinsize(terminal, Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 })
}

/// What was asked for, and what every program expects beside.
fn environment(exec: &Exec, user: &User) -> Vec<(OsString, OsString)> {
    let mut env: Vec<(OsString, OsString)> = Vec::new();
    for word in &exec.env {
        let bytes = word.as_bytes();
        // A variable without `=` is one with an empty value.
        let end = bytes.iter().position(|&byte| byte == b'=').unwrap_or(bytes.len());
        let (name, value) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
        env.retain(|(known, _)| known.as_bytes() != name);
        env.push((OsStr::from_bytes(name).to_owned(), OsStr::from_bytes(value).to_owned()));
    }
    let defaults =
        [("PATH", DEFAULT_PATH, true), ("HOME", user.home.as_str(), true), ("TERM", "xterm", exec.terminal.is_some())];
    for (name, value, wanted) in defaults {
        if wanted && !env.iter().any(|(known, _)| known == name) {
            env.push((name.into(), value.into()));
        }
    }
    env
}

/// The file that `name` means: itself with a slash in it, or the first of that name in `path` that can be executed.
fn find(name: &OsStr, path: &OsStr, cwd: &Path) -> Result<PathBuf, Ending> {
    if name.as_bytes().contains(&b'/') {
        return Ok(PathBuf::from(name));
    }
    let mut not_executable = None;
    for folder in std::env::split_paths(path).filter(|_| !name.is_empty()) {
        let file = cwd.join(folder).join(name);
        match fs::metadata(&file) {
            Ok(data) if data.is_file() && data.permissions().mode() & 0o111 != 0 => return Ok(file),
            Ok(data) if data.is_file() => not_executable = Some(file),
            _ => {}
        }
    }
    Err(match not_executable {
        Some(file) => Ending::CannotExecute(format!("{}: Permission denied", file.display())),
        None => Ending::NotFound(format!("{}: command not found", name.display())),
    })
}

/// 126 for what is there and does not run, 127 for what is not there.
fn cannot_execute(name: &OsStr, program: &Path, cwd: &Path, error: &io::Error) -> Ending {
    let name = name.display();
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT) if fs::exists(cwd.join(program)).unwrap_or(false) => {
            let interpreter = interpreter(&cwd.join(program)).unwrap_or_else(|| "the loader it names".to_owned());
            Ending::CannotExecute(format!("{name}: {interpreter} is missing"))
        }
        Some(Errno::NOENT | Errno::NOTDIR) => Ending::NotFound(format!("{name}: No such file or directory")),
        Some(Errno::NOEXEC) => Ending::CannotExecute(format!("{name}: Exec format error")),
        Some(Errno::ACCESS) => Ending::CannotExecute(format!("{name}: Permission denied")),
        _ => Ending::CannotExecute(format!("{name}: {error}")),
    }
}

/// What a script's first line names.
fn interpreter(script: &Path) -> Option<String> {
    let mut start = [0; 128];
    let len = io::Read::read(&mut File::open(script).ok()?, &mut start).ok()?;
    let line = start.get(..len)?.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    Some(String::from_utf8_lossy(line).split_whitespace().next()?.to_owned())
}

#[cfg(test)]
#[path = "command_test.rs"]
mod tests;
