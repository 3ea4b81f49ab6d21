//! A figure that was measured several times: its median is what counts, its quartiles say how sure that is.

use serde::Serialize;

/// Measurements of one thing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spread {
    /// Half of the measurements are less.
    pub median: f64,
    /// A quarter of them are less.
    pub low: f64,
    /// Three quarters of them are less.
    pub high: f64,
    /// All of them, in the order in which they were made.
    pub samples: Vec<f64>,
}

impl Spread {
    /// Of at least one measurement.
    pub fn of(samples: Vec<f64>) -> Self {
        let mut sorted = samples.clone();
        sorted.sort_by(f64::total_cmp);
        let quarter = |n: usize| sorted.get(sorted.len() * n / 4).copied().unwrap_or(f64::NAN);
        Self { median: quarter(2), low: quarter(1), high: quarter(3), samples }
    }

    /// What this is of another one, pair by pair: measured in turns, both had the same disturbances.
    pub fn ratio(&self, other: &Self) -> Self {
        Self::of(self.samples.iter().zip(&other.samples).map(|(one, other)| one / other).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_was_disturbed_does_not_move_the_median() {
        let spread = Spread::of(vec![3.0, 1.0, 900.0, 2.0, 4.0]);
        assert_eq!((spread.low, spread.median, spread.high), (2.0, 3.0, 4.0));
        assert_eq!(spread.samples, [3.0, 1.0, 900.0, 2.0, 4.0]);
    }

    #[test]
    fn a_ratio_is_that_of_pairs() {
        let (one, other) = (Spread::of(vec![2.0, 40.0, 6.0]), Spread::of(vec![1.0, 20.0, 2.0]));
        assert_eq!(one.ratio(&other).samples, [2.0, 2.0, 3.0]);
    }
}
