use std::fs::File;
use std::panic::catch_unwind;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OutputModes, Winsize, tcsetwinsize};

use super::*;

/// Both sides of a terminal.
fn terminal() -> (OwnedFd, OwnedFd) {
    let outside = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&outside).unwrap();
    unlockpt(&outside).unwrap();
    let name = ptsname(&outside, Vec::new()).unwrap();
    let inside = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    (outside, inside)
}

/// The modes that a person feels.
fn modes(terminal: &OwnedFd) -> (LocalModes, OutputModes) {
    let termios = tcgetattr(terminal).unwrap();
    (termios.local_modes, termios.output_modes)
}

fn is_raw(terminal: &OwnedFd) -> bool {
    let (local, output) = modes(terminal);
    !local.intersects(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG) && !output.contains(OutputModes::OPOST)
}

#[test]
fn a_terminal_is_raw_while_the_guard_lives_and_as_before_afterwards() {
    let (_outside, inside) = terminal();
    let before = modes(&inside);
    let raw = RawMode::enter(&inside).unwrap().expect("a terminal");
    assert!(is_raw(&inside));
    drop(raw);
    assert!(!is_raw(&inside));
    assert_eq!(modes(&inside), before);
}

#[test]
fn it_is_put_back_once_so_that_later_changes_stay() {
    let (_outside, inside) = terminal();
    let raw = RawMode::enter(&inside).unwrap().unwrap();
    raw.restore();
    let mut quiet = tcgetattr(&inside).unwrap();
    quiet.local_modes -= LocalModes::ECHO;
    tcsetattr(&inside, OptionalActions::Now, &quiet).unwrap();
    drop(raw);
    assert!(!modes(&inside).0.contains(LocalModes::ECHO));
}

#[test]
fn it_is_put_back_even_after_the_descriptor_was_closed() {
    let (_outside, inside) = terminal();
    let given = inside.try_clone().unwrap();
    let raw = RawMode::enter(&given).unwrap();
    drop(given);
    drop(raw);
    assert!(!is_raw(&inside));
}

#[test]
fn a_panic_puts_it_back_before_it_is_told() {
    let (_outside, inside) = terminal();
    let seen = inside.try_clone().unwrap();
    let was_raw = Arc::new(Mutex::new(None));
    let told = Arc::clone(&was_raw);
    panic::set_hook(Box::new(move |_| *told.lock().unwrap() = Some(is_raw(&seen))));
    let guard = RawMode::enter(&inside).unwrap();
    catch_unwind(|| panic!("as planned")).unwrap_err();
    assert_eq!(*was_raw.lock().unwrap(), Some(false));
    drop(guard);
}

#[test]
fn what_is_no_terminal_is_left_alone() {
    let file = File::open("/dev/null").unwrap();
    assert!(RawMode::enter(&file).unwrap().is_none());
    assert_eq!(size(&file), None);
}

#[test]
fn the_size_is_that_of_the_window() {
    let (outside, inside) = terminal();
    assert_eq!(size(&inside), None, "a window that was never sized");
    tcsetwinsize(&outside, Winsize { ws_col: 132, ws_row: 43, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    assert_eq!(size(&inside), Some(Size { columns: 132, rows: 43 }));
}
