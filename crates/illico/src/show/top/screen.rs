//! The screen of `illico top`: draws what `table` writes, and takes keys.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Text};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::failure::Failure;
use crate::show::live::{MachineRates, Moment};
use crate::show::top::table::{self, Look};

/// Signals and keys are looked for this often.
const TURN: Duration = Duration::from_millis(200);

/// Shows machines until the person leaves.
pub fn run(interval: Duration) -> Result<(), Failure> {
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&ended))?;
    }
    // What cannot be looked at is said on the screen that was there before.
    let first = Moment::now()?;
    let mut terminal = ratatui::try_init()?;
    let shown = show(&mut terminal, interval, first, &ended);
    let restored = ratatui::try_restore();
    match shown? {
        Left::Asked => Ok(restored?),
        // Nothing is there to be restored.
        Left::HungUp => Ok(()),
    }
}

/// Why the screen was left.
enum Left {
    /// By a key or a signal.
    Asked,
    /// The terminal has gone.
    HungUp,
}

fn show(
    terminal: &mut DefaultTerminal,
    interval: Duration,
    first: Moment,
    ended: &AtomicBool,
) -> Result<Left, Failure> {
    let keyboard = keyboard()?;
    let mut before = first;
    let mut rates: Option<Vec<MachineRates>> = None;
    let mut chosen = String::new();
    let mut next = Instant::now() + Duration::from_secs(1).min(interval);
    loop {
        draw(terminal, rates.as_deref(), &chosen, interval)?;
        let left = next.saturating_duration_since(Instant::now());
        if !is_there(&keyboard, left.min(TURN))? {
            return Ok(Left::HungUp);
        }
        // Not waiting: on a terminal that has gone it would read for ever.
        while event::poll(Duration::ZERO).or_else(quiet)? {
            match key(&event::read()?) {
                Some(Key::Leave) => return Ok(Left::Asked),
                Some(Key::Move(by)) => chosen = moved(rates.as_deref().unwrap_or_default(), &chosen, by),
                None => {}
            }
        }
        if ended.load(Ordering::Relaxed) {
            return Ok(Left::Asked);
        }
        if Instant::now() >= next {
            let now = Moment::now()?;
            rates = Some(now.since(&before));
            before = now;
            next = Instant::now() + interval;
        }
    }
}

/// Where crossterm takes keys from, too.
fn keyboard() -> io::Result<OwnedFd> {
    match io::stdin() {
        stdin if stdin.is_terminal() => stdin.as_fd().try_clone_to_owned(),
        _ => File::open("/dev/tty").map(OwnedFd::from),
    }
}

/// Waits for a key, but not long, and says whether the terminal is still there.
fn is_there(keyboard: &OwnedFd, longest: Duration) -> io::Result<bool> {
    let mut looked = [PollFd::new(keyboard, PollFlags::IN)];
    let longest = Timespec::try_from(longest).map_err(io::Error::other)?;
    match poll(&mut looked, Some(&longest)) {
        Ok(_) => Ok(!looked[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)),
        // A signal; the new size of the screen is one.
        Err(Errno::INTR) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// A signal between two keys is not an error.
fn quiet(error: io::Error) -> io::Result<bool> {
    if error.kind() == io::ErrorKind::Interrupted { Ok(false) } else { Err(error) }
}

enum Key {
    Leave,
    Move(isize),
}

fn key(event: &Event) -> Option<Key> {
    let Event::Key(key) = event else { return None };
    if key.kind == KeyEventKind::Release {
        return None;
    }
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Leave),
        KeyCode::Char('q') | KeyCode::Esc => Some(Key::Leave),
        KeyCode::Up | KeyCode::Char('k') => Some(Key::Move(-1)),
        KeyCode::Down | KeyCode::Char('j') => Some(Key::Move(1)),
        _ => None,
    }
}

/// The machine that is so many lines from the chosen one, which stays chosen by its name.
fn moved(rates: &[MachineRates], chosen: &str, by: isize) -> String {
    let at = rates.iter().position(|machine| machine.name == chosen).unwrap_or(0);
    let at = at.saturating_add_signed(by).min(rates.len().saturating_sub(1));
    rates.get(at).map_or_else(String::new, |machine| machine.name.clone())
}

fn draw(
    terminal: &mut DefaultTerminal,
    rates: Option<&[MachineRates]>,
    chosen: &str,
    interval: Duration,
) -> Result<(), Failure> {
    terminal.draw(|frame| {
        let area = frame.area();
        let lines = table::screen(rates, chosen, interval, area.width.into(), area.height.into());
        let line = |line: table::Line| Line::styled(line.text, style(line.look));
        frame.render_widget(Text::from_iter(lines.into_iter().map(line)), area);
    })?;
    Ok(())
}

/// No colours: bold, faint and reversed are seen by everybody, in every scheme.
fn style(look: Look) -> Style {
    match look {
        Look::Plain => Style::new(),
        Look::Head => Style::new().add_modifier(Modifier::BOLD),
        Look::Chosen => Style::new().add_modifier(Modifier::REVERSED),
        Look::Faint => Style::new().add_modifier(Modifier::DIM),
    }
}
