//! Numbers and bars as characters.

/// Three digits that matter, and a unit that suits them.
pub fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms < 0.000_999_5 => format!("{} ns", digits(ms * 1e6)),
        ms if ms < 0.999_5 => format!("{} µs", digits(ms * 1e3)),
        ms if ms < 999.5 => format!("{} ms", digits(ms)),
        ms => format!("{} s", digits(ms / 1e3)),
    }
}

/// Three digits that matter.
fn digits(value: f64) -> String {
    let decimals = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// A count with its thousands apart.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// An average count: what is almost nothing is nothing.
pub fn average(number: f64) -> String {
    if number < 0.005 { "0".to_owned() } else { format!("{number:.2}") }
}

/// So many characters at most, the end being cut off.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    kept.trim_end().to_owned() + "…"
}

/// A bar of at most `room` characters, in steps of an eighth of one. What is there at all is seen.
pub fn bar(value: f64, most: f64, room: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if value.is_nan() || value <= 0.0 || most <= 0.0 {
        return String::new();
    }
    let eighths = ((value / most).min(1.0) * (8 * room) as f64).round().max(1.0) as usize;
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_three_digits_and_a_unit() {
        for (ms, words) in [
            (0.000_000_5, "0.50 ns"),
            (0.000_215, "215 ns"),
            (0.312_4, "312 µs"),
            (0.999_6, "1.00 ms"),
            (7.051, "7.05 ms"),
            (83.26, "83.3 ms"),
            (4312.0, "4.31 s"),
        ] {
            assert_eq!(milliseconds(ms), words);
        }
    }

    #[test]
    fn thousands_are_apart() {
        assert_eq!([0, 999, 1_000, 65_536, 1_234_567].map(count), ["0", "999", "1,000", "65,536", "1,234,567"]);
    }

    #[test]
    fn the_longest_bar_fills_its_room_and_the_shortest_is_seen() {
        assert_eq!(bar(10.0, 10.0, 4), "████");
        assert_eq!(bar(5.0, 10.0, 3), "█▌");
        assert_eq!(bar(0.001, 10.0, 4), "▏");
        assert_eq!(bar(0.0, 10.0, 4), "");
        assert_eq!(bar(f64::NAN, 10.0, 4), "");
    }

    #[test]
    fn what_is_too_long_is_cut_and_shows_it() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("too long a text", 9), "too long…");
    }
}
