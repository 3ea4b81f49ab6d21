//! The computation is a fixed function: a changed constant or shift would make host and guest of two versions differ.
use super::compute;

#[test]
fn no_rounds_fold_nothing() {
    assert_eq!(compute(0), 0);
}

#[test]
fn known_values_stay_known() {
    assert_eq!(compute(1), 8_359_755_829_403_592_089);
    assert_eq!(compute(1000), 14_295_609_364_607_395_553);
}
