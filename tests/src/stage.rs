//! A stage: one script with illico, kernels, files and disks at hand, run on this host or in the lab.
//!
//! Scripts are busybox's. They find everything by relative names: `kernels/6.12/vmlinux` and `vmlinuz`, files by their
//! own names, disks as `disk/NAME`. `boot NAME OPTIONS...` boots a guest with its console's output in `NAME.console`,
//! illico's own words in `NAME.messages`, its status in `NAME.status` and its exits in `NAME.json`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use xtask::lab::{Access, EXITS_FILE};
use xtask::project::{self, Profile};
use xtask::{Error, ExitHistogram, Lab};

use crate::direct;

/// `boot` and `count` for scripts. A guest that hangs is killed and has status 137.
const PRELUDE: &str = "
boot() {
    name=$1; shift
    timeout -s KILL ${LIMIT:-150} illico boot --exits-json $name.json \"$@\" >$name.console 2>$name.messages
    echo $? >$name.status
}
count() {
    count_name=$1; shift
    count-exits timeout -s KILL ${LIMIT:-150} illico boot --exits-json $count_name.json \"$@\" \\
        >$count_name.console 2>$count_name.messages
    echo $? >$count_name.status
    cp /tmp/exits.txt $count_name.exits
}
";

const PARTS: [&str; 4] = ["console", "messages", "status", "json"];

/// What is to be run.
#[derive(Debug)]
#[must_use]
pub struct Stage {
    pub(crate) script: String,
    pub(crate) files: Vec<(String, Source)>,
    pub(crate) disks: Vec<(String, PathBuf)>,
    modules: Vec<String>,
    guests: Vec<String>,
    pub(crate) fetch: Vec<String>,
    cpus: u32,
    memory_mib: u32,
    timeout: Duration,
    profile: Profile,
    instruction_clock: bool,
    /// Why it must be in the lab, if it must.
    only_in_the_lab: Option<&'static str>,
}

#[derive(Debug)]
pub(crate) enum Source {
    Host(PathBuf),
    Bytes(Vec<u8>),
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

impl Stage {
    pub fn new() -> Stage {
        Stage {
            script: PRELUDE.to_owned(),
            files: Vec::new(),
            disks: Vec::new(),
            modules: Vec::new(),
            guests: Vec::new(),
            fetch: Vec::new(),
            cpus: 1,
            memory_mib: 3072,
            timeout: Duration::from_secs(600),
            profile: Profile::Dev,
            instruction_clock: false,
            only_in_the_lab: None,
        }
    }

    /// Lines of the script.
    pub fn script(mut self, lines: &str) -> Stage {
        self.script.push_str(lines);
        self.script.push('\n');
        self
    }

    /// Boots a guest with these options, as the shell splits them.
    pub fn boot(self, name: &str, options: &str) -> Stage {
        self.script(&format!("boot {name} {options}")).guest(name)
    }

    /// Boots a guest and counts KVM's exits meanwhile, by the instruction clock.
    pub fn count(mut self, name: &str, options: &str) -> Stage {
        self.instruction_clock = true;
        self.only_in_the_lab = Some("that is where exits are compared");
        self.fetch.push(format!("{name}.exits"));
        self.script(&format!("count {name} {options}")).guest(name)
    }

    /// A guest that the script boots by itself.
    pub fn guest(mut self, name: &str) -> Stage {
        self.fetch.extend(PARTS.map(|part| format!("{name}.{part}")));
        self.guests.push(name.to_owned());
        self
    }

    pub fn bytes(mut self, name: &str, content: impl Into<Vec<u8>>) -> Stage {
        self.files.push((name.to_owned(), Source::Bytes(content.into())));
        self
    }

    /// A program of the host, to be started as `./NAME`.
    pub fn program(mut self, host: impl Into<PathBuf>) -> Stage {
        let host = host.into();
        let name = host.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.files.push((name, Source::Host(host)));
        self
    }

    /// A raw image of the host, which has what was written to it when the stage is left.
    pub fn disk(mut self, name: &str, image: impl Into<PathBuf>) -> Stage {
        self.disks.push((name.to_owned(), image.into()));
        self
    }

    /// A module of the kernel under illico.
    pub fn module(mut self, name: &str) -> Stage {
        self.modules.push(name.to_owned());
        self
    }

    pub fn fetch(mut self, name: &str) -> Stage {
        self.fetch.push(name.to_owned());
        self
    }

    /// CPUs of the lab, see `Lab::cpus`.
    pub fn cpus(mut self, cpus: u32) -> Stage {
        self.cpus = cpus;
        self
    }

    /// How long the script may take.
    pub fn timeout(mut self, timeout: Duration) -> Stage {
        self.timeout = timeout;
        self
    }

    /// Memory of the lab.
    pub fn memory_mib(mut self, mib: u32) -> Stage {
        self.memory_mib = mib;
        self
    }

    /// With a clock that counts the lab's instructions: timers fire as often on a busy host as on an idle one, so counts
    /// repeat. Only in the lab.
    pub fn instruction_clock(mut self) -> Stage {
        self.instruction_clock = true;
        self
    }

    /// Not on this host, because of this.
    pub fn only_in_the_lab(mut self, why: &'static str) -> Stage {
        self.only_in_the_lab = Some(why);
        self
    }

    /// With the release build: where the figure is about the program that is shipped.
    pub fn release(mut self) -> Stage {
        self.profile = Profile::Release;
        self
    }

    /// Runs it; a lab that hangs or dies, or a script that fails, is a panic.
    pub fn run(self) -> Ran {
        self.try_run().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs it; a lab that hangs or dies is an error.
    pub fn try_run(self) -> Result<Ran, Error> {
        let illico = project::illico(self.profile)?;
        let guests = self.guests.clone();
        let wanted = self.fetch.clone();
        let (status, output, files) = match direct::why_not(self.only_in_the_lab) {
            None => {
                eprintln!("on this host's /dev/kvm");
                direct::run(&self, &illico)?
            }
            Some(why) => {
                eprintln!("in the lab: {why}");
                self.in_the_lab(illico)?
            }
        };
        let output = String::from_utf8_lossy(&output).into_owned();
        let ran = Ran { output, files };
        for name in &guests {
            eprintln!("guest {name}: status {}", ran.text(&format!("{name}.status")).trim());
        }
        assert_eq!(status, 0, "the script failed:\n{}", ran.output);
        for name in &wanted {
            assert!(ran.files.contains_key(name), "the script left no {name}:\n{}", ran.output);
        }
        Ok(ran)
    }

    fn in_the_lab(self, illico: PathBuf) -> Result<Outcome, Error> {
        let script = format!("ln -s /kernels kernels\nln -s /dev/disk disk\n{}", self.script);
        let mut lab = Lab::script(script)
            .program(illico)
            .cpus(self.cpus)
            .memory_mib(self.memory_mib)
            .timeout(self.timeout)
            .fetch(EXITS_FILE);
        if self.instruction_clock {
            lab = lab.instruction_clock();
        }
        for (name, source) in self.files {
            let path = format!("/root/{name}");
            lab = match source {
                Source::Host(host) => lab.file(host, path),
                Source::Bytes(bytes) => lab.bytes(path, 0o644, bytes),
            };
        }
        for (name, image) in self.disks {
            lab = lab.disk(name, image, Access::ReadWrite);
        }
        for module in self.modules {
            lab = lab.module(module);
        }
        for name in &self.fetch {
            lab = lab.fetch(format!("/root/{name}"));
        }
        let outcome = lab.run()?;
        let file = |name: &String| {
            outcome.fetched(&format!("/root/{name}")).ok().map(|content| (name.clone(), content.to_vec()))
        };
        let files = self.fetch.iter().filter_map(file).collect();
        Ok((outcome.status, outcome.output, files))
    }
}

/// Status, output and files of a script.
pub(crate) type Outcome = (u8, Vec<u8>, BTreeMap<String, Vec<u8>>);

/// What a stage left behind.
#[derive(Debug)]
pub struct Ran {
    /// What the script wrote.
    pub output: String,
    files: BTreeMap<String, Vec<u8>>,
}

impl Ran {
    /// What became of a guest.
    pub fn guest(&self, name: &str) -> Guest {
        let status = self.text(&format!("{name}.status"));
        let exits = serde_json::from_slice(self.file(&format!("{name}.json"))).unwrap_or(Value::Null);
        let counted = self.files.get(&format!("{name}.exits"));
        Guest {
            name: name.to_owned(),
            status: status.trim().parse().unwrap_or_else(|_| panic!("{name} has status {status:?}")),
            console: self.text(&format!("{name}.console")),
            messages: self.text(&format!("{name}.messages")),
            counted: counted.map(|text| {
                ExitHistogram::parse(&String::from_utf8_lossy(text)).unwrap_or_else(|error| panic!("{error}"))
            }),
            exits,
        }
    }

    pub fn file(&self, name: &str) -> &[u8] {
        self.files.get(name).map(Vec::as_slice).unwrap_or_else(|| panic!("nothing left {name}:\n{}", self.output))
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(self.file(name)).into_owned()
    }
}

/// What became of one guest.
#[derive(Debug)]
pub struct Guest {
    pub name: String,
    /// illico's status; 137 if it had to be killed.
    pub status: u8,
    /// What the guest's console said.
    pub console: String,
    /// What illico said.
    pub messages: String,
    /// What `--exits-json` wrote; null if the guest did not come to its end.
    pub exits: Value,
    counted: Option<ExitHistogram>,
}

impl Guest {
    /// Ended as the guest wanted: power-off or reset.
    pub fn ended_well(self) -> Guest {
        assert_eq!(self.status, 0, "{self}");
        self
    }

    /// Whether its console has this line.
    pub fn says(&self, line: &str) -> bool {
        self.console.lines().any(|said| said.trim_end() == line)
    }

    /// Exits by KVM's tracepoint, of a guest that was counted.
    pub fn counted(&self) -> &ExitHistogram {
        self.counted.as_ref().unwrap_or_else(|| panic!("{} was not counted", self.name))
    }

    /// Exits of one reason in `--exits-json`, of all vCPUs, in the kernel and up to the monitor.
    pub fn reason(&self, reason: &str) -> u64 {
        let rows = self.array("/vcpus").flat_map(|vcpu| vcpu["reasons"].as_array().into_iter().flatten());
        rows.filter(|row| row["reason"] == reason)
            .map(|row| row["monitor"].as_u64().unwrap_or(0) + row["kernel"].as_u64().unwrap_or(0))
            .sum()
    }

    /// All exits in `--exits-json`.
    pub fn total(&self) -> u64 {
        self.array("/vcpus").map(|vcpu| vcpu["exits"].as_u64().unwrap_or(0)).sum()
    }

    /// A figure of one queue in `--exits-json`, such as `kicks`.
    pub fn queue(&self, device: &str, queue: usize, figure: &str) -> u64 {
        let device = self.array("/devices").find(|row| row["name"] == device);
        let device = device.unwrap_or_else(|| panic!("no device {device:?} in {}", self.exits));
        device["queues"][queue][figure].as_u64().unwrap_or_else(|| panic!("no {figure} in {device}"))
    }

    fn array(&self, pointer: &str) -> impl Iterator<Item = &Value> {
        self.exits.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
    }
}

impl std::fmt::Display for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "guest {} ended with status {}\n-- its console:\n{}\n-- illico:\n{}",
            self.name, self.status, self.console, self.messages
        )
    }
}
