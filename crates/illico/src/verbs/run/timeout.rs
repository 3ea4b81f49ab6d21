//! `--timeout N[s|m|h]`.

use std::time::Duration;

use crate::failure::Failure;

/// How long a machine may live.
pub fn parse(text: &str) -> Result<Duration, Failure> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    let number: Option<u64> = digits.parse().ok().filter(|&number| number > 0);
    let seconds = unit.zip(number).and_then(|(unit, number)| number.checked_mul(unit));
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| format!("--timeout: {text:?} is not a time such as 90, 90s, 5m or 2h").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        for (text, seconds) in [("90", 90), ("1s", 1), ("5m", 300), ("2h", 7200)] {
            assert_eq!(parse(text).unwrap().as_secs(), seconds);
        }
        for text in ["", "0", "-1", "m", "1d", "1.5", "99999999999999999999", "9999999999999999999h"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
