use super::*;

#[test]
fn a_clock_that_reads_0_starts_now() {
    let spans = Spans::since(Instant::now());
    let before = spans.now() as i64;
    let zero = guest_clock_zero(&spans, || Some(0)).unwrap();
    assert!((before..=spans.now() as i64).contains(&zero));
}

#[test]
fn a_clock_that_cannot_be_read_has_no_zero() {
    assert_eq!(guest_clock_zero(&Spans::since(Instant::now()), || None), None);
}
