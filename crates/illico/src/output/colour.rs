//! Colour on a terminal, unless `NO_COLOR` says otherwise (no-color.org).

use std::ffi::OsString;
use std::io::{IsTerminal, stdout};

/// Whether standard output is to be coloured.
pub fn on_stdout() -> bool {
    stdout().is_terminal() && is_liked()
}

/// Whether a terminal is to be coloured.
pub fn is_liked() -> bool {
    wanted(true, std::env::var_os("NO_COLOR"))
}

fn wanted(terminal: bool, no_color: Option<OsString>) -> bool {
    terminal && no_color.is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_is_coloured_and_only_if_its_owner_likes_it() {
        assert!(wanted(true, None));
        assert!(wanted(true, Some("".into())));
        assert!(!wanted(true, Some("1".into())));
        assert!(!wanted(false, None));
    }
}
