use super::*;

/// One test: the recorder is the process's.
#[test]
fn spans_are_kept_while_it_is_on_and_counted_where_they_do_not_fit() {
    drop(span("before it is on"));
    mark("before it is on");
    assert!(!is_on());

    let zero = Instant::now();
    begin(zero);
    let answer = timed("outer", || {
        timed_with("inner", || "slot 0".to_owned(), || ());
        42
    });
    assert_eq!(answer, 42);
    mark("moment");
    pair_guest_clock(|| Some(0));
    for _ in 0..MOST {
        mark("many");
    }
    let Recorded { spans, left_out, guest_clock_zero, exits, .. } = take();

    assert_eq!((spans.len(), left_out), (MOST, 3));
    let [inner, outer, moment] = &spans[..3] else { panic!("{spans:?}") };
    assert_eq!((&*inner.name, &*inner.detail, &*outer.name), ("inner", "slot 0", "outer"));
    assert!(outer.begin <= inner.begin && inner.begin <= inner.end && inner.end <= outer.end);
    assert!(outer.end <= moment.begin && moment.begin == moment.end);
    assert!(guest_clock_zero.is_some_and(|zero| zero >= moment.end as i64), "a clock that reads 0 starts now");
    assert!(exits.is_none());

    assert!(!is_on());
    mark("after it was taken");
    assert!(take().spans.is_empty());
}
