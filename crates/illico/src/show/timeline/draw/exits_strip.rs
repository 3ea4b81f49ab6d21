//! Exits along the axis: a stack of reasons for each few pixels.

use std::fmt::Write;

use super::layout::{self, Scale};
use crate::show::markup::escape;
use crate::show::timeline::story::Exits;

const HEIGHT: f64 = 84.0;
const ROW: f64 = 17.0;
/// Pixels of a column.
const COLUMN: f64 = 4.0;

/// Draws it with its upper left corner at `left` and `top`; gives how high it is as well.
pub fn draw(exits: &Exits, scale: &Scale, left: f64, top: f64) -> (String, f64) {
    let columns = (scale.width() / COLUMN).ceil().max(1.0) as usize;
    let mut sums = vec![vec![0.0; exits.reasons.len()]; columns];
    for bucket in &exits.buckets {
        let (from, to) = (scale.x(bucket.begin) / COLUMN, scale.x(bucket.end) / COLUMN);
        spread(&mut sums, from, to, &bucket.all);
    }
    let time = scale.time();
    let milliseconds = (time.end - time.start) as f64 / 1e6 / scale.width() * COLUMN;
    let highest = sums.iter().map(|column| column.iter().sum::<f64>()).fold(0.0, f64::max);
    let mut out = String::new();
    let _ = writeln!(out, "<text class=\"l\" x=\"14\" y=\"{:.1}\">exits</text>", top + 11.0);
    let most = if milliseconds > 0.0 { highest / milliseconds } else { 0.0 };
    let _ = writeln!(out, "<text class=\"l\" x=\"14\" y=\"{:.1}\">≤ {}/ms</text>", top + 11.0 + ROW, rate(most));
    let base = top + HEIGHT;
    for (index, column) in sums.iter().enumerate() {
        let mut y = base;
        for (reason, &count) in column.iter().enumerate() {
            let high = if highest > 0.0 { count / highest * HEIGHT } else { 0.0 };
            if high > 0.05 {
                y -= high;
                let x = left + index as f64 * COLUMN;
                let wide = COLUMN.min(left + scale.width() - x);
                let _ = writeln!(
                    out,
                    "<rect class=\"c{}\" x=\"{x:.1}\" y=\"{y:.2}\" width=\"{wide:.1}\" height=\"{high:.2}\"/>",
                    colour(reason)
                );
            }
        }
    }
    let _ = writeln!(out, "<path class=\"grid\" d=\"M{left:.1} {base:.1}h{:.1}\"/>", scale.width());
    let (mut x, mut y) = (left, base + ROW);
    for (index, reason) in exits.reasons.iter().enumerate() {
        let total: u64 = exits.buckets.iter().filter_map(|bucket| bucket.all.get(index)).sum();
        if total == 0 {
            continue;
        }
        let text = format!("{} {total}", escape(reason));
        let wide = 14.0 + layout::width_of(&text) + 12.0;
        if x + wide > left + scale.width() {
            (x, y) = (left, y + ROW);
        }
        let _ = writeln!(
            out,
            "<rect class=\"c{}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\"/><text x=\"{:.1}\" y=\"{y:.1}\">{text}</text>",
            colour(index),
            y - 9.0,
            x + 14.0
        );
        x += wide;
    }
    (out, y - top + 6.0)
}

/// The first reasons are those that devices have to do with; the last is what no source explains.
fn colour(reason: usize) -> usize {
    [4, 0, 7, 1, 5, 3, 6, 2][reason % 8]
}

fn rate(a_millisecond: f64) -> String {
    if a_millisecond < 10.0 { format!("{a_millisecond:.1}") } else { format!("{a_millisecond:.0}") }
}

/// Divides counts among the columns from `from` to `to`, evenly.
fn spread(sums: &mut [Vec<f64>], from: f64, to: f64, counts: &[u64]) {
    let length = to - from;
    let last = sums.len() - 1;
    let (first, end) = ((from as usize).min(last), (to as usize).min(last));
    for (index, column) in sums.iter_mut().enumerate().take(end + 1).skip(first) {
        let part = (to.min(index as f64 + 1.0) - from.max(index as f64)).max(0.0);
        let share = if length > 0.0 { part / length } else { f64::from(u8::from(index == first)) };
        for (sum, &count) in column.iter_mut().zip(counts) {
            *sum += count as f64 * share;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_exit_is_lost_between_columns() {
        for (from, to) in [(0.0, 3.0), (0.5, 2.25), (1.2, 1.3), (2.0, 2.0), (2.9, 3.0), (3.0, 3.0)] {
            let mut sums = vec![vec![0.0]; 3];
            spread(&mut sums, from, to, &[100]);
            let sum: f64 = sums.iter().map(|column| column[0]).sum();
            assert!((sum - 100.0).abs() < 1e-6, "{from} to {to}: {sums:?}");
        }
    }
}
