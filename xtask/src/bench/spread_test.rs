use super::*;

#[test]
fn quartiles_are_values_that_were_measured() {
    let mut values = [5.0, 1.0, 4.0, 2.0, 3.0];
    assert_eq!([1, 2, 3].map(|n| quartile(&mut values, n)), [2.0, 3.0, 4.0]);
}

#[test]
fn the_interval_around_a_median_follows_from_the_number_of_values_alone() {
    let mut hundred: Vec<f64> = (0..100).map(f64::from).collect();
    // 50 - 1.96 * 10 / 2 and 50 + 1.96 * 10 / 2, and the whole ranks outside of them.
    assert_eq!(median(&mut hundred), [40.0, 50.0, 60.0]);
    let mut more: Vec<f64> = (0..10_000).map(f64::from).collect();
    assert_eq!(median(&mut more), [4_902.0, 5_000.0, 5_098.0]);
}

#[test]
fn few_values_are_their_own_interval() {
    assert_eq!(median(&mut [2.0, 1.0]), [1.0, 2.0, 2.0]);
    assert!(median(&mut []).iter().all(|value| value.is_nan()));
}
