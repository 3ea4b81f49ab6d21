//! Signals by name and number, as people and images write them: `TERM`, `SIGTERM`, `15`.

use std::fmt;
use std::str::FromStr;

use rustix::process::Signal;

/// The signals of signal(7) that a program can be sent for a reason.
const NAMES: [(&str, Signal); 17] = [
    ("HUP", Signal::HUP),
    ("INT", Signal::INT),
    ("QUIT", Signal::QUIT),
    ("ABRT", Signal::ABORT),
    ("KILL", Signal::KILL),
    ("USR1", Signal::USR1),
    ("SEGV", Signal::SEGV),
    ("USR2", Signal::USR2),
    ("PIPE", Signal::PIPE),
    ("ALRM", Signal::ALARM),
    ("TERM", Signal::TERM),
    ("CONT", Signal::CONT),
    ("STOP", Signal::STOP),
    ("TSTP", Signal::TSTP),
    ("TTIN", Signal::TTIN),
    ("TTOU", Signal::TTOU),
    ("WINCH", Signal::WINCH),
];

/// A signal, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalName(pub Signal);

/// It is none that is known.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no signal; give a name such as TERM, or its number")]
pub struct UnknownSignal(String);

impl FromStr for SignalName {
    type Err = UnknownSignal;

    fn from_str(text: &str) -> Result<Self, UnknownSignal> {
        let upper = text.to_ascii_uppercase();
        let word = upper.strip_prefix("SIG").unwrap_or(&upper);
        let number: Option<i32> = word.parse().ok();
        let found = NAMES.iter().find(|(name, signal)| *name == word || Some(signal.as_raw()) == number);
        found.map(|(_, signal)| Self(*signal)).ok_or_else(|| UnknownSignal(text.to_owned()))
    }
}

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, signal)| *signal == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None => write!(f, "signal {}", self.0.as_raw()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_known_by_name_with_or_without_sig_and_by_number() {
        for text in ["TERM", "SIGTERM", "term", "15"] {
            assert_eq!(text.parse(), Ok(SignalName(Signal::TERM)), "{text}");
        }
        assert_eq!(SignalName(Signal::USR1).to_string(), "SIGUSR1");
        for text in ["", "SIG", "0", "-9", "65", "NOSUCH"] {
            assert_eq!(text.parse::<SignalName>(), Err(UnknownSignal(text.to_owned())));
        }
    }
}
