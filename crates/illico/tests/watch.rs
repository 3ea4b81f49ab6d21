//! A machine that runs on this host's own /dev/kvm, watched by other processes: `illico exits` and `illico stats`.

mod illico;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use illico::illico;
use openmetrics_parser::openmetrics::parse_openmetrics;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A machine by the name of `echo`, which answers what is typed.
struct Machine {
    folder: TempDir,
    process: Child,
    keyboard: Option<ChildStdin>,
    screen: BufReader<ChildStdout>,
}

fn command(folder: &Path) -> Command {
    let mut command = illico(folder);
    command.env("XDG_STATE_HOME", folder.join("state")).env("XDG_RUNTIME_DIR", folder.join("run"));
    command
}

impl Machine {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("run")).unwrap();
        let mut process = command(folder.path())
            .args(["boot", "--name", "echo", "--kernel", ":probe:", "--memory", "64M", "--cmdline", "probe=echo"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (keyboard, screen) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        let mut machine = Self { folder, process, keyboard, screen };
        machine.echo("begin");
        machine
    }

    /// Types a line and waits for its answer.
    fn echo(&mut self, word: &str) {
        self.keyboard.as_mut().unwrap().write_all(format!("{word}\n").as_bytes()).unwrap();
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            assert_ne!(self.screen.read_line(&mut line).unwrap(), 0, "the guest has ended");
        }
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = command(self.folder.path()).args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn exits(&self, arguments: &[&str]) -> Value {
        let (status, said, wrong) = self.run(&[&["exits", "echo", "--json"], arguments].concat());
        assert_eq!((status, wrong.as_str()), (0, ""));
        serde_json::from_str(&said).unwrap()
    }

    fn sockets(&self) -> PathBuf {
        let mut folders = fs::read_dir(self.folder.path().join("run/illico")).unwrap();
        folders.next().unwrap().unwrap().path()
    }

    /// The first signal presses a button that the guest does not know.
    fn end(&mut self) {
        self.signal(Signal::TERM);
        self.echo("pressed");
        self.signal(Signal::TERM);
        self.process.wait().unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A process that does not outlive its test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn output(report: &Value, figure: &str) -> u64 {
    report["devices"][0]["queues"][1][figure].as_u64().unwrap()
}

#[test]
fn the_figures_of_a_machine_are_read_while_it_runs() {
    let mut machine = Machine::start();
    let page = fs::metadata(machine.sockets().join("counters")).unwrap();
    assert_eq!(page.permissions().mode() & 0o777, 0o400, "its user reads, and nobody writes");
    let before = machine.exits(&[]);
    assert_eq!(before["schema"], "illico-exits/2");
    assert!(output(&before, "requests") > 0 && output(&before, "kicks") > 0, "{before}");
    let exits = |report: &Value| report["vcpus"][0]["exits"].as_u64();
    let reasons = before["vcpus"][0]["reasons"].as_array().unwrap();
    let sum = |side: &str| reasons.iter().map(|row| row[side].as_u64().unwrap_or(0)).sum::<u64>();
    if let Some(all) = exits(&before) {
        let twice = before["vcpus"][0]["counted_twice"].as_u64().unwrap_or(0);
        assert_eq!(sum("kernel") + sum("monitor"), all + twice, "nothing is dropped: {before}");
    }
    fs::write(machine.folder.path().join("then.json"), before.to_string()).unwrap();
    for number in 0..10 {
        machine.echo(&format!("line {number}"));
    }
    let after = machine.exits(&[]);
    let more = machine.exits(&["--since", "then.json"]);
    assert!(output(&more, "requests") >= 10, "{more}");
    assert_eq!(output(&more, "requests"), output(&after, "requests") - output(&before, "requests"));
    assert_eq!(output(&more, "kicks"), output(&after, "kicks") - output(&before, "kicks"));
    assert!(exits(&after) >= exits(&before));
    let (status, table, _) = machine.run(&["exits", "echo"]);
    assert!(status == 0 && table.starts_with("vCPU 0: ") && table.contains("console"), "{table}");
    // The last figures are those that the machine ended with.
    machine.end();
    assert!(!machine.folder.path().join("run/illico").read_dir().unwrap().any(|_| true), "sockets go with the machine");
    let last = machine.exits(&[]);
    assert!(output(&last, "requests") >= output(&after, "requests"), "{last}");
    assert!(output(&last, "kicks") >= output(&after, "kicks"), "{last}");
}

#[test]
fn collectors_get_what_a_parser_of_theirs_understands() {
    let machine = Machine::start();
    let (status, text, wrong) = machine.run(&["stats", "--openmetrics"]);
    assert_eq!((status, wrong.as_str()), (0, ""));
    let families = parse_openmetrics(&text).unwrap_or_else(|error| panic!("{error:?} in:\n{text}")).families;
    assert!(families.contains_key("illico_vcpu_exits") && families.contains_key("illico_thread_seconds"));
    let line = text.lines().find(|line| line.starts_with("illico_queue_kicks_total{vm=\"echo\"")).unwrap();
    assert!(line.contains("device=\"console\""), "{line}");

    let listener = command(machine.folder.path()).args(["stats", "--listen", "m.sock"]).spawn().unwrap();
    let mut listener = Ends(listener);
    let socket = machine.folder.path().join("m.sock");
    let connect = || loop {
        match UnixStream::connect(&socket) {
            Ok(stream) => return stream,
            Err(_) => std::thread::yield_now(),
        }
    };
    let ask = |request: &str| {
        let mut stream = connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = ask("GET /metrics HTTP/1.1\r\nHost: illico\r\nAccept: */*\r\n\r\n");
    assert!(answer.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{answer}");
    assert!(answer.contains("\n# TYPE illico_vcpu_exits_total counter\n"), "{answer}");
    let answer = ask("GET /metrics HTTP/1.1\r\nHost: illico\r\nAccept: application/openmetrics-text\r\n\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    parse_openmetrics(body).unwrap_or_else(|error| panic!("{error:?} in:\n{body}"));
    assert!(body.contains("vm=\"echo\""));
    for (request, status) in [
        ("GET /else HTTP/1.1\r\n\r\n", "404"),
        ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
        ("nonsense\r\n\r\n", "400"),
        (&"x".repeat(8192), "400"),
    ] {
        assert!(ask(request).starts_with(&format!("HTTP/1.1 {status} ")), "{request:.20}");
    }
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o077, 0, "only its user connects");
    let (status, _, wrong) = machine.run(&["stats", "--listen", "m.sock"]);
    assert!(status == 125 && wrong.contains("--listen: cannot listen on m.sock: Address already in use"), "{wrong}");
    kill_process(Pid::from_child(&listener.0), Signal::TERM).unwrap();
    assert_eq!(listener.0.wait().unwrap().code(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn a_machine_that_was_killed_left_no_figures() {
    let mut machine = Machine::start();
    machine.process.kill().unwrap();
    machine.process.wait().unwrap();
    let (status, _, wrong) = machine.run(&["exits", "echo"]);
    assert!(status == 125 && wrong.starts_with("illico: echo does not run, and left no figures"), "{wrong}");
    let (status, _, wrong) = machine.run(&["stats", "echo", "--prometheus"]);
    assert!(status == 125 && wrong.lines().count() == 1, "{wrong}");
    assert!(machine.run(&["stats", "--prometheus"]).1.contains("\nillico_machines 0\n"));
}

/// A monitor that hangs is told from one that answers, and its own counters are read all the same.
#[test]
fn a_monitor_that_does_not_answer_holds_nobody_up() {
    let machine = Machine::start();
    machine.signal(Signal::STOP);
    let tasks = format!("/proc/{}/task", machine.process.id());
    let stands = |task: fs::DirEntry| fs::read_to_string(task.path().join("stat")).unwrap().contains(") T ");
    while !fs::read_dir(&tasks).unwrap().all(|task| stands(task.unwrap())) {
        std::thread::yield_now();
    }
    let (status, said, wrong) = machine.run(&["exits", "echo", "--json"]);
    machine.signal(Signal::CONT);
    assert!(status == 0 && wrong.contains("the monitor did not answer"), "{wrong}");
    assert!(output(&serde_json::from_str(&said).unwrap(), "requests") > 0, "{said}");
}

#[test]
fn what_cannot_be_shown_is_one_line() {
    let machine = Machine::start();
    let then = machine.exits(&[]).to_string().replace("\"requests\":", "\"requests\":99");
    fs::write(machine.folder.path().join("later.json"), then).unwrap();
    for (arguments, words) in [
        (&["exits", "nobody"][..], "there is no machine nobody"),
        (&["exits", "no/body"], "is no name for a machine"),
        (&["exits", "echo", "--since", "none"], "--since: none: No such file"),
        (&["exits", "echo", "--since", "later.json"], "is it a report of this machine, and an earlier one?"),
        (&["stats"], "required"),
        (&["stats", "--prometheus", "--listen", "x"], "cannot be used with"),
        (&["stats", "nobody", "--prometheus"], "there is no machine nobody"),
        (&["top"], "top needs a terminal; print once with --once"),
        (&["top", "--once", "--interval", "0"], "0 is not in 1..=3600"),
        (&["stats", "--listen", "none/m.sock"], "--listen: cannot listen on none/m.sock"),
    ] {
        let (status, said, wrong) = machine.run(arguments);
        assert_eq!((status, said.as_str(), wrong.lines().count()), (125, "", 1), "{arguments:?}: {wrong}");
        assert!(wrong.starts_with("illico: ") && wrong.contains(words), "{arguments:?}: {wrong}");
    }
}

#[test]
fn top_prints_what_happened_between_two_looks() {
    let machine = Machine::start();
    let (status, said, wrong) = machine.run(&["top", "--once", "--interval", "1"]);
    assert_eq!((status, wrong.as_str()), (0, ""));
    let first = |word: &str| said.lines().filter(|line| line.split_whitespace().next() == Some(word)).count();
    assert_eq!((first("MACHINE"), first("echo"), first("vCPU"), first("0"), first("QUEUE")), (1, 1, 1, 1, 1), "{said}");
    assert_eq!((first("console/0"), first("console/1"), first("entropy/0")), (1, 1, 1), "{said}");
}

#[test]
fn programs_read_a_line_of_json_for_each_look_until_they_have_enough() {
    let machine = Machine::start();
    let mut top = command(machine.folder.path())
        .args(["top", "--json", "--interval", "1"])
        .stdout(Stdio::piped())
        .spawn()
        .map(Ends)
        .unwrap();
    let mut lines = BufReader::new(top.0.stdout.take().unwrap()).lines();
    let look: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let seen = &look["machines"][0];
    assert_eq!((&look["schema"], &seen["name"]), (&"illico-top/1".into(), &"echo".into()), "{look}");
    assert_eq!(seen["vcpus"].as_array().map(Vec::len), Some(1), "{look}");
    assert!(seen["queues"].as_array().unwrap().iter().any(|queue| queue["device"] == "entropy"), "{look}");
    drop(lines);
    assert_eq!(top.0.wait().unwrap().code(), Some(0), "nobody reads any more");
}

/// A terminal that others wrote: tmux, which shows what a person would see.
struct Terminal {
    name: String,
}

impl Terminal {
    fn open(width: u16, height: u16, machine: &Machine) -> Self {
        let terminal = Self { name: format!("illico-test-{}-{width}", std::process::id()) };
        let top = command(machine.folder.path());
        let folder = machine.folder.path().display();
        let (state, run) = (format!("XDG_STATE_HOME={folder}/state"), format!("XDG_RUNTIME_DIR={folder}/run"));
        let program = top.get_program().to_str().unwrap();
        let (width, height) = (width.to_string(), height.to_string());
        let words = ["-f", "/dev/null", "new-session", "-d", "-x", &width, "-y", &height, "env", &state, &run, program];
        terminal.tmux(&[&words[..], &["top", "--interval", "1"]].concat()).expect("this test needs tmux");
        terminal
    }

    fn tmux(&self, words: &[&str]) -> Option<String> {
        let output = Command::new("tmux").args(["-L", &self.name]).args(words).output().ok()?;
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// The screen once it satisfies `good`.
    fn until(&self, good: impl Fn(&str) -> bool) -> String {
        let mut screen = String::new();
        for _ in 0..600 {
            screen = self.tmux(&["capture-pane", "-p"]).expect("the screen is there");
            if good(&screen) {
                return screen;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("it never came to be:\n{screen}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]);
    }
}

#[test]
fn top_fills_a_terminal_and_leaves_it_at_a_key() {
    let machine = Machine::start();
    for (width, height) in [(80, 24), (120, 40)] {
        let terminal = Terminal::open(width, height, &machine);
        let screen = terminal.until(|screen| screen.contains("console/1") && screen.contains("\nq leaves"));
        let lines: Vec<_> = screen.lines().collect();
        assert_eq!(lines.len(), usize::from(height), "{screen}");
        assert!(lines[0].starts_with("illico top: 1 machine"), "{screen}");
        assert!(lines[1].starts_with("MACHINE") && lines[1].contains("EX/REQ EX/MiB"), "{screen}");
        assert!(lines[2].starts_with("echo"), "{screen}");
        assert!(lines.iter().any(|line| line.starts_with("vCPU") && line.contains("UNACC")), "{screen}");
        assert_eq!(screen.contains("REST"), width == 80, "all reasons have room on a wide one:\n{screen}");
        assert!(lines.last().unwrap().starts_with("q leaves"), "{screen}");
        terminal.tmux(&["send-keys", "q"]).unwrap();
        for _ in 0..600 {
            if terminal.tmux(&["has-session"]).is_none() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert_eq!(terminal.tmux(&["has-session"]), None, "it left");
    }
}

#[test]
fn top_ends_with_its_terminal() {
    let machine = Machine::start();
    let terminal = Terminal::open(80, 25, &machine);
    terminal.until(|screen| screen.contains("console/1"));
    let top: u32 = terminal.tmux(&["display-message", "-p", "#{pane_pid}"]).unwrap().trim().parse().unwrap();
    drop(terminal);
    let process = format!("/proc/{top}/status");
    for _ in 0..600 {
        let status = std::fs::read_to_string(&process).unwrap_or_default();
        // Whoever adopted it may not have asked for its status yet.
        if status.is_empty() || status.contains("State:\tZ") {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("it goes on without a terminal: {}", std::fs::read_to_string(process).unwrap_or_default());
}
