use super::*;

const BOUND: u64 = 200_000;

/// Completes a request at `now` and lets the next one come `gap` later. Whether a look that lasts as
/// long as the window says would have found it.
fn request(window: &mut Window, now: &mut u64, gap: u64) -> bool {
    let until = window.completed(*now);
    *now += gap;
    window.arrived(*now);
    until.is_some_and(|until| *now <= until)
}

#[test]
fn requests_that_follow_soon_are_looked_for_after_the_first() {
    let (mut window, mut now) = (Window::new(BOUND), 1_000_000);
    let found: Vec<bool> = (0..5).map(|_| request(&mut window, &mut now, 30_000)).collect();
    assert_eq!(found, [false, true, true, true, true]);
}

#[test]
fn a_multiple_of_what_it_took_lately_is_still_found() {
    let (mut window, mut now) = (Window::new(BOUND), 0);
    request(&mut window, &mut now, 20_000);
    for gap in [79_000, 10_000, 39_000, 77_000] {
        assert!(request(&mut window, &mut now, gap), "{gap}");
    }
}

#[test]
fn a_guest_that_thinks_for_long_is_soon_no_longer_looked_for() {
    let (mut window, mut now) = (Window::new(BOUND), 0);
    request(&mut window, &mut now, 100_000);
    let mut looked = Vec::new();
    for _ in 0..8 {
        let start = now;
        looked.push(window.completed(start).map_or(0, |until| until - start));
        now += 10_000_000;
        window.arrived(now);
    }
    assert_eq!(looked, [200_000, 100_000, 50_000, 25_000, 12_500, 6_250, 0, 0]);
}

#[test]
fn no_look_is_longer_than_the_bound() {
    let (mut window, mut now) = (Window::new(BOUND), 0);
    for gap in [BOUND, BOUND - 1, BOUND, 1, 0] {
        let until = window.completed(now);
        assert!(until.is_none_or(|until| until - now <= BOUND));
        now += gap;
        window.arrived(now);
    }
}

#[test]
fn requests_that_overlap_teach_nothing() {
    let (mut window, mut now) = (Window::new(BOUND), 0);
    request(&mut window, &mut now, 30_000);
    for _ in 0..10 {
        window.arrived(now + 50_000_000);
    }
    assert_eq!(window.completed(now), Some(now + 120_000));
}

#[test]
fn the_bound_is_what_looking_costs_on_this_host() {
    let ticking = |step: u64| {
        let now = std::sync::atomic::AtomicU64::new(0);
        Clock(Arc::new(move || now.fetch_add(step, std::sync::atomic::Ordering::Relaxed)))
    };
    assert_eq!(bound(&ticking(2_000)), 128_000, "64 looks in 2 us");
    assert_eq!(bound(&ticking(1)), 50_000);
    assert_eq!(bound(&ticking(1_000_000)), 10_000_000);
}
