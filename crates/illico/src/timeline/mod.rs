//! Where the time of a machine goes, from exec to its end: `--timeline`.
//!
//! - `origin.rs`: when exec was, as far as the kernel tells;
//! - `guest_log.rs`: what the lines of the guest's log say, and when by its clock;
//! - `clock.rs`: the guest's clock on the host's;
//! - `story.rs`: all of it on one axis, which is what the files show;
//!   `accounted.rs`: how much of it has a name.
//!
//! A verb makes a [`Recording`] first of all, shows it the configuration ([`Recording::ask_for_initcalls`]), makes the
//! file before the guest runs ([`Recording::create`]), and in the end calls [`Recording::finish`]. A program in the guest
//! that writes `illico: command started` to /dev/kmsg has a mark of that name.

pub mod accounted;
pub mod clock;
mod guest_log;
mod origin;
pub mod story;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use illico_machine::config::Config;
use illico_machine::timeline as recorder;
use illico_virtio::complaints::say;

use crate::cli::Timeline as Options;
use crate::commands::Failure;
use origin::Origin;
use story::Story;

/// A timeline in the making.
#[derive(Debug)]
pub struct Recording {
    file: PathBuf,
    open: Option<File>,
    initcalls: bool,
    origin: Origin,
}

impl Recording {
    /// Begins to record, if the options ask for it. `main_began` is when the process came to its `main`.
    pub fn begin(options: &Options, main_began: Instant) -> Result<Option<Self>, Failure> {
        let Options { timeline, timeline_initcalls } = options;
        let Some(file) = timeline.clone() else { return Ok(None) };
        if file.extension().is_none_or(|extension| extension != "json") {
            return Err(format!("--timeline: {}: the name must end in .json", file.display()).into());
        }
        let origin = Origin::before(main_began);
        recorder::begin(main_began);
        recorder::between("parse the options", main_began, Instant::now());
        Ok(Some(Self { file, open: None, initcalls: *timeline_initcalls, origin }))
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
        let refused = |error| {
            let path = self.file.display();
            format!("--timeline: cannot create {path}: {error}; name a file in a folder that exists")
        };
        self.open = Some(File::create(&self.file).map_err(refused)?);
        Ok(())
    }

    /// The machine has ended: writes the file, and says what took longest.
    pub fn finish(self) -> Result<(), Failure> {
        let end = recorder::now();
        let story = Story::tell(&recorder::take(), end, &self.origin);
        if let Some(mut file) = self.open {
            let refused = |error| format!("--timeline: writing {}: {error}", self.file.display());
            file.write_all((serde_json::to_string_pretty(&story)? + "\n").as_bytes()).map_err(refused)?;
        }
        Ok(())
    }
}
