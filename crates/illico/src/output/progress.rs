//! Progress on standard error, where somebody sees it: on a terminal only.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use illico_image::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// One line, for one piece of work after the other.
#[derive(Debug)]
pub struct Bars {
    bar: Option<ProgressBar>,
    shown: bool,
}

impl Bars {
    /// Nothing is drawn if `quiet`, or where standard error is no terminal.
    pub fn new(quiet: bool) -> Self {
        Self { bar: None, shown: !quiet && stderr().is_terminal() }
    }

    /// Draws how far it is.
    pub fn tell(&mut self, progress: Progress<'_>) {
        if !self.shown {
            return;
        }
        match progress {
            Progress::Begin { what, bytes } => {
                let bar = match bytes {
                    Some(bytes) => ProgressBar::new(bytes).with_style(style("{msg} [{bar:30}] {bytes}/{total_bytes}")),
                    None => ProgressBar::new_spinner().with_style(style("{spinner} {msg} {bytes}")),
                };
                // Ten times a second is as much as anybody reads.
                bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
                bar.set_message(what.to_owned());
                self.bar = Some(bar);
            }
            Progress::Advance(bytes) => self.bar.iter().for_each(|bar| bar.inc(bytes)),
            Progress::End => self.clear(),
            Progress::Wait => {
                let bar = ProgressBar::new_spinner().with_message("another illico makes the same image");
                bar.enable_steady_tick(Duration::from_millis(100));
                self.bar = Some(bar);
            }
        }
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are those above; colours are left to terminals that have them, so NO_COLOR asks for nothing.
    ProgressStyle::with_template(template)
        .map_or_else(|_| ProgressStyle::default_bar(), |style| style.progress_chars("=> "))
}
