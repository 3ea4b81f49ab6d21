use super::*;

#[test]
fn spans_are_kept_up_to_a_bound_and_then_counted() {
    let spans = Spans::since(Instant::now());
    let answer = spans.timed("outer", || {
        spans.timed_with("inner", || "slot 0".to_owned(), || ());
        42
    });
    assert_eq!(answer, 42);
    spans.mark("moment");
    for _ in 0..MAX_SPANS {
        spans.clone().mark("many");
    }
    let (kept, left_out) = spans.take();
    assert_eq!((kept.len(), left_out), (MAX_SPANS, 3));
    let [inner, outer, moment] = &kept[..3] else { panic!("{kept:?}") };
    assert_eq!((&*inner.name, &*inner.detail, &*outer.name), ("inner", "slot 0", "outer"));
    assert!(outer.begin <= inner.begin && inner.begin <= inner.end && inner.end <= outer.end);
    assert!(outer.end <= moment.begin && moment.begin == moment.end);
}

#[test]
fn without_a_collector_nothing_is_kept() {
    let spans = Spans::default();
    drop(spans.open("nothing"));
    spans.mark("nothing");
    assert_eq!(spans.timed_with("nothing", || unreachable!("nothing is kept"), || 7), 7);
    assert!(!spans.are_kept() && spans.now() == 0);
    assert_eq!(spans.take(), (Vec::new(), 0));
}

/// Two machines in one process must not see each other's time.
#[test]
fn two_collectors_do_not_share_spans() {
    let (one, two) = (Spans::since(Instant::now()), Spans::since(Instant::now()));
    one.mark("one");
    assert_eq!((one.take().0.len(), two.take().0.len()), (1, 0));
}
