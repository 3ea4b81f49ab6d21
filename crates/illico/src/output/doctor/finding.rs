//! What a check found. Its JSON is documented in docs/doctor.md.

use serde::Serialize;

/// How good it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Guests run, with less than there could be.
    Warning,
    /// Guests do not run.
    Problem,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the check, which stays the same.
    pub check: &'static str,
    /// How good it is.
    pub verdict: Verdict,
    /// What was seen.
    pub text: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, text: text.into(), fix: None }
    }

    /// Guests run, with less than there could be.
    pub fn warning(check: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warning, text: text.into(), fix: Some(fix.into()) }
    }

    /// Guests do not run.
    pub fn problem(check: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Problem, text: text.into(), fix: Some(fix.into()) }
    }
}
