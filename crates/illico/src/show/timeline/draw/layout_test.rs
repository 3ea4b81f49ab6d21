use super::*;

const WIDTH: f64 = 1000.0;

/// Numbers without a pattern, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn scale() -> Scale {
    Scale::new(0..1_000_000, WIDTH)
}

fn items(seed: u64, count: u64) -> Vec<Item> {
    let mut numbers = Numbers(seed);
    let mut item = |_| {
        let begin = numbers.below(1_000_001);
        let reach = [10, 1000, 100_000, 1_000_000][numbers.below(4) as usize];
        let end = (begin + numbers.below(reach)).min(1_000_000);
        let letter = if numbers.below(5) == 0 { "漢" } else { "x" };
        Item { begin, end, label: letter.repeat(numbers.below(200) as usize) }
    };
    (0..count).map(&mut item).collect()
}

#[test]
fn whatever_the_spans_nothing_overlaps_and_nothing_is_outside() {
    for seed in 0..60 {
        let items = items(seed, 1 + seed * 3);
        let placed = pack(&items, &scale());
        assert_eq!(placed.len(), items.len());
        for one in &placed {
            let (from, to) = one.extent();
            assert!(from >= -1e-6 && to <= WIDTH + 1e-6, "seed {seed}: {one:?}");
            assert!(one.width >= NARROWEST, "seed {seed}: {one:?}");
        }
        for (index, one) in placed.iter().enumerate() {
            for other in placed[index + 1..].iter().filter(|other| other.row == one.row) {
                let ((a, b), (c, d)) = (one.extent(), other.extent());
                assert!(b < c || d < a, "seed {seed}: {one:?} and {other:?}");
            }
        }
    }
}

#[test]
fn a_label_is_on_a_wide_bar_and_beside_a_narrow_one() {
    let item = |begin, end| Item { begin, end, label: "label".into() };
    let placed = pack(&[item(0, 500_000), item(600_000, 600_010), item(999_000, 1_000_000)], &scale());
    assert!(placed[0].inside);
    assert!(!placed[1].inside && placed[1].label.0 > placed[1].x);
    assert!(!placed[2].inside && placed[2].label.0 < placed[2].x);
    assert!(placed.iter().all(|one| one.row == 0 && one.label.1 == "label"));
}

#[test]
fn what_happens_within_something_else_is_below_it() {
    let item = |begin, end| Item { begin, end, label: "label".into() };
    let placed = pack(&[item(100_000, 200_000), item(0, 500_000)], &scale());
    assert_eq!(placed.iter().map(|one| (one.item, one.row)).collect::<Vec<_>>(), [(1, 0), (0, 1)]);
}

#[test]
fn ticks_are_round_and_apart() {
    for end in [1, 7, 100, 999, 12_345, 1_000_000, 6_789_012_345, u64::MAX / 4] {
        let scale = Scale::new(0..end, WIDTH);
        let ticks = scale.ticks(80.0);
        assert!(!ticks.is_empty() && ticks.len() <= 14, "{end}: {ticks:?}");
        assert!(
            ticks.windows(2).all(|pair| scale.x(pair[1]) - scale.x(pair[0]) >= 79.9 || end < 13),
            "{end}: {ticks:?}"
        );
    }
    assert_eq!(Scale::new(0..1000, 1000.0).ticks(100.0), [0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
    assert_eq!(Scale::new(30..1000, 1000.0).ticks(300.0), [500, 1000]);
}

#[test]
fn an_empty_scale_divides_by_nothing() {
    let scale = Scale::new(5..5, WIDTH);
    assert_eq!(scale.x(5), 0.0);
    assert_eq!(pack(&[Item { begin: 5, end: 5, label: "x".into() }], &scale).len(), 1);
}

#[test]
fn a_cut_says_so() {
    assert_eq!(cut("abcdef", 100.0), "abcdef");
    assert_eq!(cut("abcdef", 5.0 * CHARACTER), "abc…");
    assert_eq!(cut("abcdef", 1.0), "");
}
