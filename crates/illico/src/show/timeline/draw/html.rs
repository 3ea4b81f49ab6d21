//! The page: the picture, what it says in words, and all spans in a table. One file, nothing loaded from elsewhere.

use std::fmt::Write;

use super::svg;
use super::words::duration;
use crate::show::markup::escape;
use crate::show::timeline::story::Story;
use crate::show::timeline::why_slow;

const STYLE: &str = "\
body{margin:1.5rem;background:var(--paper);color:var(--ink);font:14px/1.45 system-ui,'DejaVu Sans',sans-serif}\
svg{max-width:100%;height:auto}h1{font-size:1.3rem}h2{font-size:1.05rem;margin-top:2rem}\
table{border-collapse:collapse;font-size:12px}th,td{padding:.15rem .6rem;border-bottom:1px solid var(--grid);text-align:left;vertical-align:top}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}td.d{color:var(--dim)}li{margin:.4rem 0}summary{cursor:pointer}";

/// Writes the page.
pub fn page(story: &Story) -> String {
    let mut out = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>illico: where the time went</title>\n",
    );
    let _ = writeln!(out, "<style>{STYLE}</style>\n<h1>Where the time went</h1>\n{}", svg::draw(story));
    let items = why_slow::largest(story);
    if !items.is_empty() {
        out.push_str("<h2>What took longest</h2>\n<ol>\n");
        for item in items {
            let (what, remedy) = (escape(&item.what), escape(&item.remedy));
            let _ = writeln!(out, "<li><b>{}</b>: {what}<br>{remedy}</li>", duration(item.took));
        }
        out.push_str("</ol>\n");
    }
    unnamed(story, &mut out);
    table(story, &mut out);
    out.push_str("</html>\n");
    out
}

fn unnamed(story: &Story, out: &mut String) {
    let accounted = &story.accounted;
    let _ = writeln!(
        out,
        "<h2>What has no name</h2>\n<p>{} of {} until {}; exec may have been up to {} earlier.",
        duration(accounted.total - accounted.named),
        duration(accounted.total),
        escape(&accounted.until),
        duration(story.exec_uncertain)
    );
    let gaps: Vec<_> = accounted
        .unnamed
        .iter()
        .take(5)
        .map(|gap| format!("{} from {} on", duration(gap.end - gap.begin), duration(gap.begin)))
        .collect();
    let _ = writeln!(
        out,
        "{}</p>",
        if gaps.is_empty() { String::new() } else { format!(" The largest: {}.", gaps.join("; ")) }
    );
}

fn table(story: &Story, out: &mut String) {
    let _ = writeln!(
        out,
        "<details><summary>All {} spans</summary>\n<table>\n<tr><th>lane<th>what<th class=\"n\">from<th class=\"n\">took",
        story.spans.len()
    );
    for span in &story.spans {
        let detail =
            if span.detail.is_empty() { String::new() } else { format!(" <span>({})</span>", escape(&span.detail)) };
        let _ = writeln!(
            out,
            "<tr><td class=\"d\">{}<td>{}{detail}<td class=\"n\">{:.3} ms<td class=\"n\">{:.3} ms",
            escape(&span.lane),
            escape(&span.name),
            span.begin as f64 / 1e6,
            span.took() as f64 / 1e6
        );
    }
    out.push_str("</table>\n</details>\n");
}
