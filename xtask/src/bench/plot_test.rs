use super::*;
use crate::bench::figures::Row;

fn table(values: &[f64]) -> Table {
    let row = |(index, value): (usize, &f64)| Row { name: format!("row <{index}>"), values: vec![Some(*value)] };
    Table {
        id: "t".to_owned(),
        title: "A & B".to_owned(),
        boundary: String::new(),
        columns: vec!["exits".to_owned()],
        rows: values.iter().enumerate().map(row).collect(),
        plotted: 0,
    }
}

fn widths(svg: &str) -> Vec<f64> {
    svg.split("rect class=\"illico\"")
        .skip(1)
        .map(|rest| rest.split("width=\"").nth(1).and_then(|text| text.split('"').next()).unwrap().parse().unwrap())
        .collect()
}

#[test]
fn bars_are_as_long_as_their_figures_say() {
    let widths = widths(&svg(&table(&[10.0, 5.0, 0.0])));
    assert_eq!(widths, [BARS, BARS / 2.0, 0.0]);
}

#[test]
fn figures_far_apart_are_drawn_to_a_logarithmic_scale_that_is_named() {
    let svg = svg(&table(&[1.0, 100_000.0]));
    let widths = widths(&svg);
    assert!(widths[0] > 0.0 && widths[1] == BARS, "{widths:?}");
    assert!(svg.contains("logarithmic"));
}

#[test]
fn names_cannot_break_the_picture() {
    let svg = svg(&table(&[1.0]));
    assert!(svg.contains("A &amp; B") && svg.contains("row &lt;0>"));
}
