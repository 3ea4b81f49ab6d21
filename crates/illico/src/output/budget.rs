//! What a guest spent beyond its budget, for people.

use std::fmt::Write;

use crate::budget::Excess;

/// A line for each limit that was passed, after one that says so; nothing where none was.
pub fn lines(excess: &[Excess]) -> String {
    let mut out = String::new();
    if excess.is_empty() {
        return out;
    }
    let _ = writeln!(out, "illico: the guest spent more exits than its budget allows");
    let _ = writeln!(out, "{:<20} {:>12} {:>12} {:>12}", "limit", "allowed", "spent", "excess");
    for Excess { name, allowed, spent } in excess {
        let _ = writeln!(out, "{name:<20} {allowed:>12} {spent:>12} {:>12}", format!("+{}", spent - allowed));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_that_was_kept_needs_no_words() {
        assert_eq!(lines(&[]), "");
    }

    #[test]
    fn each_excess_is_a_line_with_both_figures() {
        let excess = [Excess { name: "port".into(), allowed: 10, spent: 65546 }];
        let said = lines(&excess);
        assert!(said.ends_with("port                           10        65546       +65536\n"), "{said}");
        assert_eq!(said.lines().count(), 3);
    }
}
