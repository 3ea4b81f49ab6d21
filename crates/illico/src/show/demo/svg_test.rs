use super::super::view::{Bar, Chart, Whose};
use super::*;
use crate::show::demo::Spread;

fn bar(label: &str, parts: Vec<(&'static str, f64)>) -> Bar {
    Bar {
        label: label.to_owned(),
        line: String::new(),
        figure: "a figure".to_owned(),
        parts,
        spread: None,
        whose: Whose::Ours,
    }
}

/// Widths of the bars of a class.
fn widths(svg: &str, class: &str) -> Vec<f64> {
    let rects = svg
        .lines()
        .filter(|line| line.starts_with(&format!("<rect class=\"{class}\"")) && line.contains("height=\"18\""));
    rects.map(|line| line.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn lengths_are_to_each_other_as_the_values() {
    let svg = chart(&Chart { caption: "exits", bars: vec![bar("a", vec![("", 4.0)]), bar("b", vec![("", 1.0)])] });
    assert_eq!(widths(&svg, "ours"), [382.0, 95.5]);
}

#[test]
fn parts_stand_one_behind_the_other_and_are_explained() {
    let parts = |kick, register| vec![("kick", kick), ("register", register)];
    let svg = chart(&Chart { caption: "exits", bars: vec![bar("a", parts(1.0, 1.0)), bar("b", parts(1.0, 0.0))] });
    assert_eq!(widths(&svg, "kick"), [191.0, 191.0]);
    assert_eq!(widths(&svg, "register"), [191.0, 0.0]);
    assert!(svg.contains(">kick</text>") && svg.contains(">register</text>"), "{svg}");
}

#[test]
fn runs_that_have_no_place_are_counted() {
    let spread = Some(Spread::of(vec![1.0, 1.0, 1.0, 1.0, 50.0]));
    let svg = chart(&Chart { caption: "ms", bars: vec![Bar { spread, ..bar("a", vec![("", 1.0)]) }] });
    assert_eq!(svg.matches("<circle").count(), 4);
    assert!(svg.contains("(1 are further right)"), "{svg}");
}

#[test]
fn text_is_no_markup_and_a_reader_without_eyes_has_the_figures() {
    let svg = chart(&Chart { caption: "a<b", bars: vec![bar("\"x\" & y", vec![("", 1.0)])] });
    assert!(svg.contains("a&lt;b") && svg.contains("&quot;x&quot; &amp; y"), "{svg}");
    assert!(svg.contains("aria-label=\"&quot;x&quot; &amp; y: a figure\""), "{svg}");
}
