//! Everything that is known of one machine's time, on one axis: nanoseconds since exec.
//!
//! This is what `--timeline FILE.json` writes (docs/timeline.md has the schema) and what pictures and words are made of.

use illico_machine::exit_samples::{ExitSamples, REASONS, Sample};
use illico_machine::spans;
use illico_machine::timeline::Timeline;
use serde::{Deserialize, Serialize};

use super::accounted::Accounted;
use super::clock::GuestClock;
use super::guest_log::{self, Entry, Initcall};
use super::origin::Origin;

/// Name and version of the JSON.
pub const SCHEMA: &str = "illico-timeline/1";

/// The lane of the monitor's main thread. Its other threads have lanes of their own names.
pub const MONITOR: &str = "monitor";
/// The lane of what the guest is at, in a few words.
pub const GUEST: &str = "guest";
/// The lane of the guest's log: a span from each line to the next.
pub const LOG: &str = "log";
/// The lane of the guest's initcalls.
pub const INITCALLS: &str = "initcalls";

/// What was collected while the process ran.
#[derive(Debug, Default)]
pub struct Recorded {
    /// What the monitor did when, in the order in which it ended.
    pub spans: Vec<spans::Span>,
    /// Spans that did not fit.
    pub left_out: u64,
    /// What the machine tells itself, if one ran.
    pub machine: Option<Timeline>,
}

/// A machine's time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// [`SCHEMA`].
    pub schema: String,
    /// When the last thing was seen.
    #[serde(rename = "end_ns")]
    pub end: u64,
    /// By how much more exec may have been earlier.
    #[serde(rename = "exec_uncertain_ns")]
    pub exec_uncertain: u64,
    /// How the guest's clock was found, if there was a log to find it by.
    pub guest_clock: Option<GuestClock>,
    /// How much of the time has a name.
    pub accounted: Accounted,
    /// Moments, in order.
    pub marks: Vec<Mark>,
    /// What took time, by lane, in order of their beginnings.
    pub spans: Vec<Span>,
    /// Spans that did not fit into the recorder.
    pub spans_left_out: u64,
    /// Exits, where there was a machine.
    pub exits: Option<Exits>,
}

/// A moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// What happened.
    pub name: String,
    /// When.
    #[serde(rename = "at_ns")]
    pub at: u64,
}

/// What took time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Whose time.
    pub lane: String,
    /// What it was.
    pub name: String,
    /// With what.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// When it began.
    #[serde(rename = "begin_ns")]
    pub begin: u64,
    /// When it was over.
    #[serde(rename = "end_ns")]
    pub end: u64,
}

impl Span {
    /// How long it took.
    pub fn took(&self) -> u64 {
        self.end.saturating_sub(self.begin)
    }
}

/// Exits along the axis.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Exits {
    /// Names of the columns of `all`: words of docs/exits.md.
    pub reasons: Vec<String>,
    /// Names of the columns of `came_up`.
    pub parties: Vec<String>,
    /// In order, without gaps.
    pub buckets: Vec<Bucket>,
    /// How KVM had mapped memory at the end: pages of 4 KiB and of 2 MiB.
    pub pages: Option<(u64, u64)>,
}

/// What happened between two looks at the counters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// The look before.
    #[serde(rename = "begin_ns")]
    pub begin: u64,
    /// This look.
    #[serde(rename = "end_ns")]
    pub end: u64,
    /// Exits by reason.
    pub all: Vec<u64>,
    /// Exits handled by the monitor, by device.
    pub came_up: Vec<u64>,
    /// How long vCPUs were halted.
    #[serde(rename = "halted_ns")]
    pub halted: u64,
}

/// The first vCPU is entered.
pub const FIRST_RUN: &str = "first KVM_RUN";
/// The machine has come to its end.
pub const ENDED: &str = "the guest ended";
/// The kernel starts its first program.
pub const INIT: &str = "init";
/// The root file system is there.
pub const ROOT_MOUNTED: &str = "root mounted";
/// What was asked for begins to run.
pub const COMMAND_STARTED: &str = "command started";

/// Marks at most that programs of a guest may set.
const MARKS: usize = 64;

/// Lines by which Linux says that something else begins, and what.
const PHASES: [(&str, &str); 5] = [
    ("Linux version ", "early set-up"),
    ("Dynamic Preempt: ", "CPUs"),
    ("devtmpfs: initialized", "initcalls"),
    ("Freeing unused kernel image", "freeing its own memory"),
    ("Run ", "init"),
];

impl Story {
    /// Puts together what the monitor recorded and what the guest said.
    pub fn tell(recorded: &Recorded, end: u64, origin: &Origin) -> Self {
        let main = origin.total().as_nanos() as u64;
        let mut story = Self {
            schema: SCHEMA.to_owned(),
            end: main + end,
            exec_uncertain: origin.uncertain.as_nanos() as u64,
            guest_clock: None,
            accounted: Accounted::default(),
            marks: Vec::new(),
            spans: vec![span(MONITOR, "exec and loading of the program", main - origin.named.as_nanos() as u64, main)],
            spans_left_out: recorded.left_out,
            exits: recorded.machine.as_ref().map(|machine| exits(&machine.exits, main)),
        };
        for one in &recorded.spans {
            let (begin, end) = (main + one.begin, main + one.end);
            if begin == end {
                story.marks.push(Mark { name: one.name.to_string(), at: begin });
                continue;
            }
            let lane = if one.thread == "main" { MONITOR } else { &one.thread };
            story.spans.push(Span { detail: one.detail.clone(), ..span(lane, &one.name, begin, end) });
        }
        if let (Some(first_run), Some(machine)) = (story.mark(FIRST_RUN), &recorded.machine) {
            story.guest(machine, first_run, main);
        }
        story.spans.sort_by(|a, b| (a.begin, b.end).cmp(&(b.begin, a.end)));
        story.marks.sort_by_key(|mark| mark.at);
        story.accounted = story.account();
        story
    }

    /// How much of the time until what was waited for has a name. All lanes count but the guest's phases, which are a
    /// coarser view of its log.
    fn account(&self) -> Accounted {
        let reached = |name: &'static str| self.mark(name).map(|at| (name, at));
        let (until, total) =
            [COMMAND_STARTED, INIT, ENDED].into_iter().find_map(reached).unwrap_or(("the end", self.end));
        let named = self.spans.iter().filter(|span| span.lane != GUEST);
        Accounted::of(until, total, named.map(|span| (span.begin, span.end)).collect())
    }

    /// When that was.
    pub fn mark(&self, name: &str) -> Option<u64> {
        self.marks.iter().find(|mark| mark.name == name).map(|mark| mark.at)
    }

    /// What the guest's log tells, between its first instruction and its end.
    fn guest(&mut self, machine: &Timeline, first_run: u64, main: u64) {
        let log = guest_log::read(&machine.log);
        if log.is_empty() {
            return;
        }
        let ended = self.mark(ENDED).unwrap_or(self.end).max(first_run);
        let zero = machine.guest_clock_zero.map(|zero| zero.saturating_add_unsigned(main));
        let clock = GuestClock::of(zero, first_run, &log);
        // A guest's clock says what the guest likes: nothing of it is before its beginning or after its end.
        let place = |at: u64| clock.place(at).clamp(first_run as i64, ended as i64) as u64;
        let begun = place(0);
        if first_run < begun {
            self.spans.push(span(LOG, "entered, before the kernel has a clock", first_run, begun));
        }
        self.steps(&log, place, ended);
        self.initcalls(&log, place);
        self.phases(&log, place, first_run, ended);
        let first = |name: &str, is_it: fn(&Entry) -> bool| {
            log.iter().find(|entry| is_it(entry)).map(|entry| Mark { name: name.to_owned(), at: place(entry.at) })
        };
        let seen = [first(INIT, is_init), first(ROOT_MOUNTED, |entry| entry.text.starts_with("VFS: Mounted root"))];
        self.marks.extend(seen.into_iter().flatten());
        let told = log.iter().filter_map(|entry| Some(Mark { name: entry.mark()?.to_owned(), at: place(entry.at) }));
        self.marks.extend(told.take(MARKS));
        self.guest_clock = Some(clock);
    }

    /// A span from each line to the next; of lines written in one microsecond the last has it.
    fn steps(&mut self, log: &[Entry], place: impl Fn(u64) -> u64, until: u64) {
        let shown: Vec<_> = log.iter().filter(|entry| entry.initcall().is_none() && !entry.is_probe()).collect();
        let ends = shown.iter().skip(1).map(|entry| place(entry.at)).chain([until]);
        for (entry, end) in shown.iter().zip(ends) {
            let (begin, end) = (place(entry.at), end.min(until));
            if begin < end {
                self.spans.push(span(LOG, &entry.text, begin, end));
            }
        }
    }

    fn initcalls(&mut self, log: &[Entry], place: impl Fn(u64) -> u64) {
        let mut open: Vec<(&str, u64)> = Vec::new();
        for entry in log {
            match entry.initcall() {
                Some(Initcall::Calling(name)) if open.len() < 64 => open.push((name, place(entry.at))),
                Some(Initcall::Returned(name)) => {
                    let Some(index) = open.iter().rposition(|&(known, _)| known == name) else { continue };
                    let (_, begin) = open.remove(index);
                    let end = place(entry.at);
                    if begin < end {
                        self.spans.push(span(INITCALLS, name, begin, end));
                    }
                }
                _ => {}
            }
        }
    }

    fn phases(&mut self, log: &[Entry], place: impl Fn(u64) -> u64, first_run: u64, ended: u64) {
        let begins = |&(line, name): &(&str, &'static str)| {
            let is_it = |entry: &&Entry| if name == INIT { is_init(entry) } else { entry.text.starts_with(line) };
            log.iter().find(is_it).map(|entry| (name, place(entry.at)))
        };
        let mut phases: Vec<_> = [("entry", first_run)].into_iter().chain(PHASES.iter().filter_map(begins)).collect();
        phases.sort_by_key(|&(_, begin)| begin);
        let ends: Vec<_> = phases.iter().skip(1).map(|&(_, begin)| begin).chain([ended]).collect();
        for ((name, begin), end) in phases.into_iter().zip(ends) {
            if begin < end {
                self.spans.push(span(GUEST, name, begin, end));
            }
        }
    }
}

fn is_init(entry: &Entry) -> bool {
    entry.text.starts_with("Run ") && entry.text.ends_with(" as init process")
}

fn span(lane: &str, name: &str, begin: u64, end: u64) -> Span {
    Span { lane: lane.to_owned(), name: name.to_owned(), detail: String::new(), begin, end }
}

fn exits(samples: &ExitSamples, main: u64) -> Exits {
    let pairs = samples.samples.iter().zip(samples.samples.iter().skip(1));
    let less = |after: &[u64], before: &[u64]| {
        after.iter().zip(before).map(|(after, before)| after.saturating_sub(*before)).collect()
    };
    let bucket = |(before, after): (&Sample, &Sample)| Bucket {
        begin: main + before.at,
        end: main + after.at,
        all: less(&after.reasons, &before.reasons),
        came_up: less(&after.parties, &before.parties),
        halted: after.halted.saturating_sub(before.halted),
    };
    Exits {
        reasons: REASONS.map(str::to_owned).to_vec(),
        parties: samples.parties.clone(),
        buckets: pairs.map(bucket).collect(),
        pages: samples.pages,
    }
}

#[cfg(test)]
#[path = "story_test.rs"]
mod tests;
