//! Tables: columns as wide as what is in them, two spaces apart.

use std::fmt::Write;

use illico_memory::voice::printable;

/// A line for each row; nothing is cut off, and nothing of it is a command to the terminal.
pub fn lines<const N: usize>(rows: &[[String; N]]) -> String {
    let shown: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| printable(cell))).collect();
    let width = |column: usize| shown.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut out = String::new();
    for row in &shown {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// How long ago, in the unit that suits it.
pub fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_the_unit_that_suits_it() {
        let ages = [119, 120, 7_200, 172_800].map(age);
        assert_eq!(ages, ["119 s", "2 min", "2 h", "2 d"]);
    }
}
