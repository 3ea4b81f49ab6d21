//! What `illico doctor` found, for people.

mod finding;

use std::fmt::Write;

pub use finding::{Finding, Verdict};

/// A line for each finding, one for each fix, and the sum of it all.
pub fn lines(findings: &[Finding], colour: bool) -> String {
    let mut out = String::new();
    for Finding { check, verdict, text, fix } in findings {
        let (word, paint) = match verdict {
            Verdict::Ok => ("ok", "\x1b[32m"),
            Verdict::Warning => ("warning", "\x1b[33m"),
            Verdict::Problem => ("problem", "\x1b[31m"),
        };
        let (paint, plain) = if colour { (paint, "\x1b[0m") } else { ("", "") };
        let _ = writeln!(out, "{paint}{word:<8}{plain} {check:<12}  {text}");
        if let Some(fix) = fix {
            let _ = writeln!(out, "{:<8} {:<12}  fix: {fix}", "", "");
        }
    }
    let runs = findings.iter().all(|finding| finding.verdict != Verdict::Problem);
    out.push_str(if runs { "\nGuests can run here.\n" } else { "\nLinux guests cannot run here as it is.\n" });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_verdict_check_and_text_and_the_next_one_the_fix() {
        let findings = [Finding::ok("kvm", "it opens"), Finding::warning("tap", "it does not", "open it")];
        let expected = "ok       kvm           it opens\n\
                        warning  tap           it does not\n                       fix: open it\n\n\
                        Guests can run here.\n";
        assert_eq!(lines(&findings, false), expected);
    }

    #[test]
    fn a_problem_is_what_keeps_guests_from_running() {
        let problem = [Finding::problem("kvm", "it is not there", "load it")];
        assert!(lines(&problem, false).ends_with("cannot run here as it is.\n"));
        assert!(lines(&problem, true).starts_with("\x1b[31mproblem \x1b[0m kvm "));
    }
}
