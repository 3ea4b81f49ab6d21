//! The middle of repeated measurements, and how far it can be trusted.

/// Quartile `n` of 4: 2 is the median.
pub fn quartile(values: &mut [f64], n: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() * n / 4).copied().unwrap_or(f64::NAN)
}

/// The median with its confidence interval of 95 %, whatever the values' distribution: each value is below the true
/// median with a chance of one half, so that the ranks which enclose it follow from the binomial distribution.
pub fn median(values: &mut [f64]) -> [f64; 3] {
    let middle = quartile(values, 2);
    let (half, reach) = (values.len() as f64 / 2.0, 0.98 * (values.len() as f64).sqrt());
    let (low, high) = ((half - reach).floor().max(0.0) as usize, (half + reach).ceil() as usize);
    let last = values.len().saturating_sub(1);
    let at = |rank: usize| values.get(rank.min(last)).copied().unwrap_or(f64::NAN);
    [at(low), middle, at(high)]
}

#[cfg(test)]
#[path = "spread_test.rs"]
mod tests;
