//! Durations and foreign text as they are written in pictures and pages.

/// A duration in the unit that suits it.
pub fn duration(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => three(ns as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => three(ns as f64 / 1e6, "ms"),
        _ => three(ns as f64 / 1e9, "s"),
    }
}

fn three(value: f64, unit: &str) -> String {
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

/// A moment of an axis whose step is known: as many digits as tell two apart.
pub fn moment(ns: u64, step: u64) -> String {
    let (unit, name) = match step {
        0..1_000_000 => (1_000, "µs"),
        1_000_000..500_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    if ns.is_multiple_of(unit) {
        format!("{} {name}", ns / unit)
    } else {
        format!("{:.1} {name}", ns as f64 / unit as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        let cases = [
            (999, "999 ns"),
            (1_500, "1.50 µs"),
            (12_345_678, "12.3 ms"),
            (123_456_789, "123 ms"),
            (6_727_452_587, "6.73 s"),
        ];
        for (ns, text) in cases {
            assert_eq!(duration(ns), text);
        }
    }

    #[test]
    fn moments_are_as_fine_as_their_axis() {
        assert_eq!(moment(1_500_000_000, 500_000_000), "1.5 s");
        assert_eq!(moment(40_000_000, 20_000_000), "40 ms");
        assert_eq!(moment(200_000, 100_000), "200 µs");
    }
}
