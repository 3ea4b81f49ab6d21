//! The agent's loop as a whole, at the other end of socket pairs. It reaps every child of its process: each of these tests
//! needs a process of its own, which nextest gives it.

use std::borrow::Cow;
use std::io::Write;
use std::thread::{JoinHandle, spawn};

use illico_protocol::{HELLO, Reader, STDIN_WINDOW, Stream, WindowSize};

use super::*;

/// What the host sees of one connection.
struct Host {
    socket: UnixStream,
    reader: Reader<UnixStream>,
}

/// All that came until the end.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    stdout: String,
    stderr: String,
    ending: Ending,
}

impl Host {
    fn new(socket: UnixStream) -> Self {
        (&socket).write_all(&HELLO).unwrap();
        Self { reader: Reader::new(socket.try_clone().unwrap()), socket }
    }

    fn send(&mut self, frame: &illico_protocol::Frame<'_>) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes).unwrap();
        self.socket.write_all(&bytes).unwrap();
    }

    fn ask(&mut self, request: Request) {
        self.send(&illico_protocol::Frame::Request(Cow::Owned(request)));
    }

    /// Reads stdout until it contains this.
    fn await_output(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.reader.read().unwrap() {
                Some(illico_protocol::Frame::Started) => {}
                Some(illico_protocol::Frame::Stdout(data)) => seen.extend_from_slice(data),
                other => panic!("{other:?} after {}", String::from_utf8_lossy(&seen)),
            }
            if String::from_utf8_lossy(&seen).contains(text) {
                return String::from_utf8(seen).unwrap();
            }
        }
    }

    fn until_end(mut self) -> Seen {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let ending = loop {
            match self.reader.read().unwrap().expect("the agent says how it ended") {
                illico_protocol::Frame::Stdout(data) => stdout.extend_from_slice(data),
                illico_protocol::Frame::Stderr(data) => stderr.extend_from_slice(data),
                illico_protocol::Frame::Started | illico_protocol::Frame::Taken(_) => {}
                illico_protocol::Frame::End(ending) => break ending,
                other => panic!("{other:?}"),
            }
        };
        Seen {
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            ending,
        }
    }
}

fn shell(script: &str) -> Exec {
    let mut exec = Exec::new(["/bin/sh", "-c", script]);
    // Other users than who tests cannot be had without being root.
    exec.user = Some(format!("{}:{}", rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw()));
    exec
}

/// An agent whose first command is this. The listener is a unix socket of that path.
fn guest(exec: Exec, listener: Option<OwnedFd>) -> (Host, JoinHandle<()>) {
    let (here, there) = UnixStream::pair().unwrap();
    there.set_nonblocking(true).unwrap();
    let agent = spawn(move || {
        Agent::new(listener).unwrap().run(there.into(), exec, || ()).unwrap();
    });
    (Host::new(here), agent)
}

fn ran(exec: Exec) -> Seen {
    let (host, agent) = guest(exec, None);
    let seen = host.until_end();
    agent.join().unwrap();
    seen
}

/// Whether this process may become what the tests ask for: setgroups needs root.
fn seen(stdout: &str, stderr: &str, ending: Ending) -> Seen {
    Seen { stdout: stdout.to_owned(), stderr: stderr.to_owned(), ending }
}

#[test]
fn both_streams_and_the_status_arrive() {
    assert_eq!(ran(shell("echo out; echo err >&2; exit 3")), seen("out\n", "err\n", Ending::Exited(3)));
}

#[test]
fn a_signal_is_told_from_a_status() {
    assert_eq!(ran(shell("kill -9 $$")).ending, Ending::Signalled(9));
}

#[test]
fn what_is_not_there_is_127_and_what_does_not_run_126() {
    assert_eq!(
        ran(Exec { command: vec!["no-such-program".into()], ..shell("") }).ending,
        Ending::NotFound("no-such-program: command not found".to_owned())
    );
    assert_eq!(
        ran(Exec { command: vec!["/etc/passwd".into()], ..shell("") }).ending,
        Ending::CannotExecute("/etc/passwd: Permission denied".to_owned())
    );
    assert_eq!(
        ran(Exec { user: Some("no-such-user".to_owned()), ..shell("") }).ending,
        Ending::Failed("there is no user \"no-such-user\" in the guest's /etc/passwd".to_owned())
    );
}

#[test]
fn output_in_a_pipe_that_stays_open_comes_before_the_end() {
    let seen = ran(shell("sleep 1000 & head -c 300000 /dev/zero | tr '\\0' x; echo; echo $!"));
    let sleeper = seen.stdout.lines().nth(1).unwrap().parse().unwrap();
    kill_process(Pid::from_raw(sleeper).unwrap(), Signal::KILL).unwrap();
    assert_eq!(seen.stdout.lines().next().unwrap().len(), 300_000);
    assert_eq!(seen.ending, Ending::Exited(0));
}

#[test]
fn input_arrives_in_order_up_to_its_end() {
    let (mut host, agent) = guest(Exec { stdin: true, ..shell("cat; echo end") }, None);
    host.send(&illico_protocol::Frame::Stdin(b"one "));
    host.send(&illico_protocol::Frame::Stdin(b"two "));
    host.send(&illico_protocol::Frame::StdinEnd);
    assert_eq!(host.until_end(), seen("one two end\n", "", Ending::Exited(0)));
    agent.join().unwrap();
}

#[test]
fn a_command_that_reads_nothing_still_hears_signals() {
    let (mut host, agent) = guest(
        Exec { stdin: true, ..shell("trap 'echo got; exit 4' TERM; echo up; while :; do sleep 0.01; done") },
        None,
    );
    host.await_output("up");
    host.send(&illico_protocol::Frame::Stdin(&vec![b'x'; STDIN_WINDOW as usize]));
    host.send(&illico_protocol::Frame::Signal(15));
    let end = host.until_end();
    assert_eq!((end.stdout.as_str(), end.ending), ("got\n", Ending::Exited(4)));
    agent.join().unwrap();
}

#[test]
fn input_beyond_the_window_is_an_error() {
    let (mut host, agent) = guest(Exec { stdin: true, ..shell("echo up; exec sleep 1000") }, None);
    host.await_output("up");
    host.send(&illico_protocol::Frame::Stdin(&vec![b'x'; STDIN_WINDOW as usize]));
    host.send(&illico_protocol::Frame::Stdin(&vec![b'x'; STDIN_WINDOW as usize]));
    let Ending::Failed(reason) = host.until_end().ending else { panic!() };
    assert_eq!(reason, "more standard input than there is room for");
    agent.join().unwrap();
}

#[test]
fn nobody_reads_any_more_and_the_command_learns_of_it() {
    let (mut host, agent) = guest(shell("exec yes"), None);
    host.await_output("y\n");
    host.send(&illico_protocol::Frame::Closed(Stream::Stdout));
    assert_eq!(host.until_end().ending, Ending::Signalled(13));
    agent.join().unwrap();
}

#[test]
fn a_terminal_has_a_size_and_an_end_of_input() {
    let size = WindowSize { rows: 24, columns: 80 };
    let script = "trap 'stty size; echo resized' WINCH; stty size; \
        until read line; do :; done; echo read $line; read more || tty >/dev/null && echo end on a tty";
    let (mut host, agent) = guest(Exec { terminal: Some(size), stdin: true, ..shell(script) }, None);
    assert_eq!(host.await_output("80"), "24 80\r\n");
    host.send(&illico_protocol::Frame::Resize(WindowSize { rows: 50, columns: 132 }));
    assert!(host.await_output("resized").contains("50 132\r\n"));
    host.send(&illico_protocol::Frame::Stdin(b"word\n"));
    host.await_output("read word");
    host.send(&illico_protocol::Frame::StdinEnd);
    let end = host.until_end();
    assert!(end.stdout.ends_with("end on a tty\r\n"), "{end:?}");
    assert_eq!(end.ending, Ending::Exited(0));
    agent.join().unwrap();
}

#[test]
fn environment_and_folder_are_as_asked() {
    let mut exec = shell("echo $A $PATH $(pwd); env | wc -l");
    exec.env = vec!["A=1".into(), "A=2".into(), "PATH=/usr/bin:/bin".into(), "HOME=/".into()];
    exec.cwd = Some("/usr".into());
    // PWD is the shell's own.
    assert_eq!(ran(exec).stdout, "2 /usr/bin:/bin /usr\n4\n");
}

#[test]
fn a_command_has_no_files_of_ours() {
    let inherited = std::process::Command::new("/bin/ls").arg("/proc/self/fd").output().unwrap().stdout;
    assert_eq!(ran(shell("exec ls /proc/self/fd")).stdout.as_bytes(), inherited);
}

#[test]
fn orphans_are_reaped_while_the_command_goes_on() {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    let script = "(sh -c 'echo $$; exec sleep 0.01' &) | { read orphan; while test -e /proc/$orphan; do sleep 0.01; done; echo gone; }";
    assert_eq!(ran(shell(script)), seen("gone\n", "", Ending::Exited(0)));
}

/// A guest whose first command waits, with a listener, and what connects to it.
fn served() -> (Host, JoinHandle<()>, impl Fn() -> Host) {
    let (host, agent, connect) = served_raw();
    (host, agent, move || Host::new(connect()))
}

/// The same, with connections on which nothing was said yet.
fn served_raw() -> (Host, JoinHandle<()>, impl Fn() -> UnixStream) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut exec = shell("echo up; while :; do sleep 0.01; done");
    exec.env = vec!["FIRST=yes".into()];
    exec.cwd = Some("/usr".into());
    let (mut host, agent) = guest(exec, Some(listener.into()));
    host.await_output("up");
    (host, agent, move || {
        let _ = &folder;
        UnixStream::connect(&path).unwrap()
    })
}

#[test]
fn later_commands_run_beside_the_first_and_inherit_from_it() {
    let (mut host, agent, connect) = served();
    let mut slow = connect();
    slow.ask(Request::Exec(shell("yes")));
    // `slow` is not read from: its command fills what there is to fill and stands still.
    for number in 0..3 {
        let mut later = connect();
        later.ask(Request::Exec(shell(&format!("echo $FIRST $(pwd) {number}; exit {number}"))));
        assert_eq!(later.until_end(), seen(&format!("yes /usr {number}\n"), "", Ending::Exited(number)));
    }
    host.send(&illico_protocol::Frame::Signal(9));
    assert_eq!(host.until_end().ending, Ending::Signalled(9));
    agent.join().unwrap();
    slow.await_output("y\n");
}

#[test]
fn a_request_signals_the_first_command() {
    let (host, agent, connect) = served();
    let mut killer = connect();
    killer.ask(Request::Signal(15));
    assert_eq!(killer.until_end().ending, Ending::DONE);
    assert_eq!(host.until_end().ending, Ending::Signalled(15));
    agent.join().unwrap();
}

#[test]
fn who_speaks_another_language_is_told_so_and_hurts_nobody() {
    let (host, agent, connect) = served();
    let mut stranger = connect();
    stranger.send(&illico_protocol::Frame::StdinEnd);
    assert_eq!(stranger.until_end().ending, Ending::Failed("the first frame is not a request".to_owned()));
    let mut killer = connect();
    killer.ask(Request::Signal(9));
    killer.until_end();
    assert_eq!(host.until_end().ending, Ending::Signalled(9));
    agent.join().unwrap();
}

#[test]
fn files_are_copied_in_and_out() {
    let (host, agent, connect) = served();
    let folder = tempfile::tempdir().unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(200_000);
    header.set_mode(0o640);
    archive.append_data(&mut header, "name", &vec![7; 200_000][..]).unwrap();
    let mut copy = connect();
    copy.ask(Request::CopyIn { path: folder.path().join("renamed").into() });
    copy.send(&illico_protocol::Frame::Data(&archive.into_inner().unwrap()));
    copy.send(&illico_protocol::Frame::DataEnd);
    assert_eq!(copy.until_end().ending, Ending::DONE);
    assert_eq!(std::fs::read(folder.path().join("renamed")).unwrap(), vec![7; 200_000]);

    let mut copy = connect();
    copy.ask(Request::CopyOut { path: folder.path().join("renamed").into() });
    let mut bytes = Vec::new();
    loop {
        match copy.reader.read().unwrap().unwrap() {
            illico_protocol::Frame::Data(data) => bytes.extend_from_slice(data),
            illico_protocol::Frame::DataEnd => {}
            illico_protocol::Frame::End(ending) => break assert_eq!(ending, Ending::DONE),
            other => panic!("{other:?}"),
        }
    }
    let mut archive = tar::Archive::new(&bytes[..]);
    let entry = archive.entries().unwrap().next().unwrap().unwrap();
    assert_eq!((&*entry.path().unwrap(), entry.size()), (std::path::Path::new("renamed"), 200_000));

    let mut copy = connect();
    copy.ask(Request::CopyOut { path: "/no/such/file".into() });
    let Ending::Failed(reason) = copy.until_end().ending else { panic!() };
    assert!(reason.starts_with("/no/such/file: No such file"), "{reason}");
    drop(host);
    agent.join().unwrap();
}

/// How many bytes the child process of the next test writes.
const PAUSED_BYTES: &str = "ILLICO_TEST_PAUSED_BYTES";
/// Longer than any limit of time that the agent has had.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(7);

#[test]
fn a_reader_that_pauses_after_the_end_gets_every_byte() {
    if let Some(bytes) = std::env::var_os(PAUSED_BYTES) {
        return read_late(bytes.to_str().unwrap().parse().unwrap());
    }
    // Around the pipe, the socket's buffer, what the agent holds, and sums of them. Each agent has a process of its own.
    let (pipe, socket, held) = (64 << 10, 208 << 10, 256 << 10);
    let borders = [1, 4096, pipe, socket, held, pipe + held, socket + held, pipe + socket + held, 1 << 20];
    let sizes = borders.iter().flat_map(|&border| [border - 1, border, border + 1]);
    let name = std::thread::current().name().unwrap().to_owned();
    let children = sizes.map(|size: usize| {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        (size, child.args(["--exact", &name, "--nocapture"]).env(PAUSED_BYTES, size.to_string()).spawn().unwrap())
    });
    for (size, mut child) in children.collect::<Vec<_>>() {
        assert!(child.wait().unwrap().success(), "{size} bytes");
    }
}

/// A host that takes nothing of so many bytes until long after the command could have ended.
fn read_late(bytes: usize) {
    let (host, agent) = guest(shell(&format!("head -c {bytes} /dev/zero | tr '\\0' x; exit 3")), None);
    std::thread::sleep(PAUSE);
    let end = host.until_end();
    assert_eq!((end.stdout.len(), end.ending), (bytes, Ending::Exited(3)));
    agent.join().unwrap();
}

#[test]
fn a_host_that_is_gone_ends_the_wait_for_its_reader() {
    let (host, agent) = guest(shell("head -c 100000 /dev/zero"), None);
    std::thread::sleep(std::time::Duration::from_millis(100));
    drop(host);
    agent.join().unwrap();
}

#[test]
fn what_writes_on_after_the_command_does_not_delay_its_end() {
    let seen = ran(shell("yes & echo $! >&2; exit 4"));
    let writer = seen.stderr.trim().parse().unwrap();
    let _ = kill_process(Pid::from_raw(writer).unwrap(), Signal::KILL);
    assert_eq!(seen.ending, Ending::Exited(4));
}

#[test]
fn a_broken_connection_is_told_its_end_once() {
    let (host, agent, connect) = served();
    let mut stranger = connect();
    stranger.send(&illico_protocol::Frame::StdinEnd);
    stranger.socket.write_all(&[255; 16]).unwrap();
    assert!(matches!(stranger.reader.read(), Ok(Some(illico_protocol::Frame::End(Ending::Failed(_))))));
    for _ in 0..3 {
        stranger.socket.write_all(&[255; 16]).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    stranger.socket.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(matches!(stranger.reader.read(), Ok(None)));
    drop(host);
    agent.join().unwrap();
}

/// Open descriptors, zombies, and resident KiB of this process.
fn held() -> (usize, usize, usize) {
    let field = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix(name).map(str::trim).map(str::to_owned)).unwrap_or_default()
    };
    let own = std::process::id().to_string();
    let is_zombie = |folder: &std::path::Path| {
        let status = folder.join("status").display().to_string();
        field(&status, "PPid:") == own && field(&status, "State:").starts_with('Z')
    };
    let zombies = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| is_zombie(&entry.path())).count();
    let resident = field("/proc/self/status", "VmRSS:");
    let resident = resident.split_whitespace().next().unwrap_or("0").parse().unwrap();
    (std::fs::read_dir("/proc/self/fd").unwrap().count(), zombies, resident)
}

#[test]
fn commands_in_a_row_leave_nothing_in_the_agent() {
    let (host, agent, connect) = served();
    let run = |count: usize| {
        for _ in 0..count {
            let mut later = connect();
            later.ask(Request::Exec(Exec { command: vec!["/bin/true".into()], ..shell("") }));
            assert_eq!(later.until_end().ending, Ending::Exited(0));
        }
    };
    run(200);
    let (descriptors, _, resident) = held();
    run(1000);
    std::thread::sleep(std::time::Duration::from_millis(100));
    let (after, zombies, resident_after) = held();
    // The last connection may not be closed yet, nor its child reaped.
    assert!(after <= descriptors + 1 && zombies <= 1, "{descriptors} descriptors became {after}, {zombies} zombies");
    assert!(resident_after <= resident + 512, "{resident} KiB became {resident_after}");
    drop(host);
    agent.join().unwrap();
}

#[test]
fn five_hundred_commands_at_once_all_succeed() {
    let (host, agent, connect) = served();
    let mut all: Vec<_> = (0..500_u32).map(|number| (number, connect())).collect();
    for (number, host) in &mut all {
        host.ask(Request::Exec(shell(&format!("sleep 0.1; echo {number}; exit {}", *number % 100))));
    }
    for (number, host) in all {
        assert_eq!(host.until_end(), seen(&format!("{number}\n"), "", Ending::Exited((number % 100) as u8)));
    }
    drop(host);
    agent.join().unwrap();
}

#[test]
fn without_descriptors_accept_is_tried_again_and_does_not_spin() {
    let (host, agent, connect) = served_raw();
    // The agent's process is this one.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let few = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64 + 8;
    let lowered = rustix::process::Rlimit { current: Some(few), maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, lowered).unwrap();
    let mut fill = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        fill.push(file);
    }
    fill.pop();
    // It takes the last descriptor, and none is left for accept.
    let late = connect();
    let before = cpu_time();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let spent = cpu_time() - before;
    drop(fill);
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    assert!(spent < 100_000, "{spent} microseconds of 500,000 were spent");
    let mut late = Host::new(late);
    late.ask(Request::Exec(shell("exit 7")));
    assert_eq!(late.until_end().ending, Ending::Exited(7));
    drop(host);
    agent.join().unwrap();
}

/// Microseconds that this process has computed.
fn cpu_time() -> i64 {
    let time = rustix::time::clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec * 1_000_000 + time.tv_nsec / 1000
}

#[test]
fn limits_are_set_and_inherited_by_later_commands() {
    let limits = |text: &[&str]| text.iter().map(|text| text.parse().unwrap()).collect::<Vec<illico_protocol::Limit>>();
    let exec = Exec { limits: limits(&["nofile=100:200", "core=0"]), ..shell("ulimit -n; ulimit -Hn; ulimit -c") };
    assert_eq!(ran(exec).stdout, "100\n200\n0\n");
}

#[test]
fn a_limit_that_may_not_be_set_is_told() {
    let exec = Exec { limits: vec!["nofile=9000000000".parse().unwrap()], ..shell("true") };
    let Ending::CannotExecute(reason) = ran(exec).ending else { panic!() };
    assert_eq!(reason, "/bin/sh: Operation not permitted (os error 1)");
}
