//! `illico demo` on a terminal, as a person has one: tmux is the terminal, and what it shows is read back.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use xtask::packages;
use xtask::project::{self, Profile};

/// A tmux of its own, with a window for each size, in which the demo runs at once.
struct Terminal {
    socket: String,
    folder: tempfile::TempDir,
}

impl Terminal {
    fn new() -> Self {
        packages::require(&[("tmux", "tmux")]).expect("tmux");
        let terminal = Self {
            socket: format!("illico-demo-{}", std::process::id()),
            folder: tempfile::tempdir().expect("a folder"),
        };
        std::fs::write(terminal.folder.path().join("conf"), "set -g status off\n").expect("tmux's configuration");
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut tmux = Command::new("tmux");
        tmux.args(["-u", "-L", &self.socket, "-f"]).arg(self.folder.path().join("conf")).args(arguments);
        let output = tmux.env_remove("TMUX").env_remove("NO_COLOR").output().expect("tmux runs");
        assert!(output.status.success(), "tmux {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn start(&self, name: &str, columns: &str, rows: &str, variables: &str) {
        let illico = project::illico(Profile::Release).expect("illico builds");
        let command = format!("env {variables} {} demo; echo ended with $?; sleep 600", illico.display());
        self.tmux(&["new-session", "-d", "-s", name, "-x", columns, "-y", rows, &command]);
    }

    /// What is to be seen once the demo has ended, with or without its colours.
    fn shown(&self, name: &str, colours: bool) -> String {
        let end = Instant::now() + Duration::from_secs(120);
        while !self.tmux(&["capture-pane", "-p", "-t", name]).contains("ended with") {
            assert!(Instant::now() < end, "{}", self.tmux(&["capture-pane", "-p", "-t", name]));
            sleep(Duration::from_millis(100));
        }
        let colours: &[&str] = if colours { &["-e"] } else { &[] };
        self.tmux(&[&["capture-pane", "-p", "-t", name], colours].concat())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// All of it is on the screen at once, no line was broken, and nothing of what was shown meanwhile is left.
fn assert_complete(shown: &str, columns: usize) {
    let lines: Vec<&str> = shown.trim_end().lines().collect();
    assert!(lines[0].starts_with("What a virtual machine costs, measured here and now ("), "{shown}");
    assert_eq!(lines[lines.len() - 1], "ended with 0", "{shown}");
    let text: Vec<&&str> = lines.iter().filter(|line| !line.is_empty()).collect();
    assert_eq!(text.len(), 20, "a title, 18 lines and the status:\n{shown}");
    for title in ["Compute  ", "Start    ", "Console  ", "Disk     ", "Wild     "] {
        assert_eq!(lines.iter().filter(|line| line.starts_with(title)).count(), 1, "{title}:\n{shown}");
    }
    assert!(lines.iter().all(|line| line.chars().count() <= columns), "{shown}");
    assert!(!shown.contains("measuring"), "{shown}");
}

#[test]
fn the_demo_fits_on_one_screen_of_any_usual_size() {
    let terminal = Terminal::new();
    terminal.start("narrow", "80", "24", "LC_ALL=C.UTF-8");
    terminal.start("wide", "120", "40", "LC_ALL=C.UTF-8 NO_COLOR=1");
    for (name, columns) in [("narrow", 80), ("wide", 120)] {
        let shown = terminal.shown(name, false);
        eprintln!("{shown}");
        assert_complete(&shown, columns);
    }
    assert!(terminal.shown("narrow", true).contains("\x1b[32m"), "somebody sees it, so it is coloured");
    assert!(!terminal.shown("wide", true).contains('\x1b'), "NO_COLOR is heard");
    let gap = |name: &str| terminal.shown(name, false).trim_end().lines().filter(|line| line.is_empty()).count();
    assert_eq!((gap("narrow"), gap("wide")), (0, 5), "where there is room there are lines between sections");
}
