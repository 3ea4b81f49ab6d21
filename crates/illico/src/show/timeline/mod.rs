//! Where the time of a machine goes, from exec to its end: `--timeline` and `--why-slow`.
//!
//! - `origin.rs`: when exec was, as far as the kernel tells;
//! - `guest_log.rs`: what the lines of the guest's log say, and when by its clock;
//! - `clock.rs`: the guest's clock on the host's;
//! - `story.rs`: all of it on one axis, which is what the files show;
//!   `accounted.rs`: how much of it has a name;
//! - `why_slow/`: what took longest, in words.
//!
//! A verb makes a [`Recording`] first of all, shows it the configuration ([`Recording::ask_for_initcalls`]), makes the
//! file before the guest runs ([`Recording::create`]), and in the end calls [`Recording::finish`]. A program in the guest
//! that writes `illico: command started` to /dev/kmsg has a mark of that name.

pub mod accounted;
pub mod clock;
pub mod draw;
mod guest_log;
mod options;
mod origin;
pub mod story;
pub mod why_slow;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use illico_machine::config::Config;
use illico_machine::spans::Spans;
use illico_machine::timeline::Timeline;
use illico_virtio::complaints::say;

use crate::failure::Failure;
pub use options::TimelineOptions;

use draw as output;
use origin::Origin;
use story::{Recorded, Story};

/// How a timeline is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Svg,
    Html,
    Json,
}

impl Format {
    fn of(path: &Path) -> Result<Self, Failure> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("svg") => Ok(Self::Svg),
            Some("html") => Ok(Self::Html),
            Some("json") => Ok(Self::Json),
            _ => Err(format!("--timeline: {}: the name must end in .svg, .html or .json", path.display()).into()),
        }
    }
}

/// A timeline in the making.
#[derive(Debug)]
pub struct Recording {
    file: Option<(PathBuf, Format)>,
    why_slow: bool,
    open: Option<File>,
    initcalls: bool,
    origin: Origin,
    spans: Spans,
}

impl Recording {
    /// Begins to record, if the options ask for it. `main_began` is when the process came to its `main`.
    pub fn begin(options: &TimelineOptions, main_began: Instant) -> Result<Option<Self>, Failure> {
        let TimelineOptions { timeline, timeline_initcalls, why_slow } = options;
        let file = timeline.as_ref().map(|path| Ok::<_, Failure>((path.clone(), Format::of(path)?))).transpose()?;
        if file.is_none() && !why_slow {
            if *timeline_initcalls {
                return Err("--timeline-initcalls: add --timeline FILE or --why-slow, which use what it tells".into());
            }
            return Ok(None);
        }
        let origin = Origin::before(main_began);
        let spans = Spans::since(main_began);
        spans.between("parse the options", main_began, Instant::now());
        Ok(Some(Self { file, why_slow: *why_slow, open: None, initcalls: *timeline_initcalls, origin, spans }))
    }

    /// What collects the monitor's spans; nothing is kept where nothing is recorded.
    pub fn spans(recording: Option<&Self>) -> Spans {
        recording.map_or_else(Spans::default, |recording| recording.spans.clone())
    }

    /// Asks a Linux guest for its initcalls, if they are wanted, and for a log that holds them. It is said, since it
    /// changes what is measured.
    pub fn ask_for_initcalls(&self, config: &mut Config) {
        if self.initcalls {
            const WORDS: &str = "initcall_debug log_buf_len=1M";
            say(&format!("timeline: the guest's kernel is told to log its initcalls: {WORDS}"));
            config.cmdline.push(' ');
            config.cmdline.push_str(WORDS);
        }
    }

    /// Makes the file, so that one that cannot be written is said before the guest runs.
    pub fn create(&mut self) -> Result<(), Failure> {
        if let Some((path, _)) = &self.file {
            let refused = |error| {
                let path = path.display();
                format!("--timeline: cannot create {path}: {error}; name a file in a folder that exists")
            };
            self.open = Some(File::create(path).map_err(refused)?);
        }
        Ok(())
    }

    /// The machine has ended, and tells this of its time: writes the file, and says what took longest.
    pub fn finish(self, machine: Option<Timeline>) -> Result<(), Failure> {
        let end = self.spans.now();
        let (spans, left_out) = self.spans.take();
        let story = Story::tell(&Recorded { spans, left_out, machine }, end, &self.origin);
        if let (Some((path, format)), Some(mut file)) = (self.file, self.open) {
            let text = match format {
                Format::Svg => output::draw(&story),
                Format::Html => output::page(&story),
                Format::Json => serde_json::to_string_pretty(&story)? + "\n",
            };
            let refused = |error| format!("--timeline: writing {}: {error}", path.display());
            file.write_all(text.as_bytes()).map_err(refused)?;
        }
        if self.why_slow {
            crate::output::to_stderr(&output::why_slow(&story));
        }
        Ok(())
    }
}
