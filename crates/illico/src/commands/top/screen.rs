//! The screen of `illico top`: draws what `output::top` writes, and takes keys.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Text};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::{MachineRates, Moment};
use crate::commands::Failure;
use crate::output::top::{self, Look};

/// Signals and keys are looked for this often.
const TURN: Duration = Duration::from_millis(200);

/// Shows machines until somebody leaves.
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
    shown?;
    Ok(restored?)
}

fn show(terminal: &mut DefaultTerminal, interval: Duration, first: Moment, ended: &AtomicBool) -> Result<(), Failure> {
    let mut before = first;
    let mut rates: Option<Vec<MachineRates>> = None;
    let mut chosen = String::new();
    let mut next = Instant::now() + Duration::from_secs(1).min(interval);
    loop {
        draw(terminal, rates.as_deref(), &chosen, interval)?;
        let left = next.saturating_duration_since(Instant::now());
        if event::poll(left.min(TURN)).or_else(quiet)? {
            match key(&event::read()?) {
                Some(Key::Leave) => return Ok(()),
                Some(Key::Move(by)) => chosen = moved(rates.as_deref().unwrap_or_default(), &chosen, by),
                None => {}
            }
        }
        if ended.load(Ordering::Relaxed) {
            return Ok(());
        }
        if Instant::now() >= next {
            let now = Moment::now()?;
            rates = Some(now.since(&before));
            before = now;
            next = Instant::now() + interval;
        }
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
        let lines = top::screen(rates, chosen, interval, area.width.into(), area.height.into());
        let line = |line: top::Line| Line::styled(line.text, style(line.look));
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
