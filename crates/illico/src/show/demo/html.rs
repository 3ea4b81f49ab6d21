//! The page of `--html`: one file that needs nothing else, in the colours that its reader's browser prefers.

use std::fmt::Write;

use super::Findings;
use super::svg;
use super::view::{self, Section};
use super::words::milliseconds;
use crate::show::markup::escape;

/// Everything that was measured, as a page.
pub fn page(findings: &Findings) -> String {
    let Findings { host, seconds, compute, start, console, disk, wild, .. } = findings;
    let sections =
        [view::compute(compute), view::start(start), view::console(console), view::disk(disk), view::wild(wild)];
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>What a virtual machine costs</title>\n<style>\n{STYLE}</style>\n<main>\n\
         <h1>What a virtual machine costs</h1>\n\
         <p class=\"quiet\">Measured by <code>illico demo</code> in {} on {}, Linux {}.</p>\n",
        milliseconds(seconds * 1e3),
        escape(&host.processor),
        escape(&host.kernel)
    );
    for part in &sections {
        section(part, &mut out);
    }
    out.push_str("</main>\n</html>\n");
    out
}

fn section(section: &Section, out: &mut String) {
    // Writing to a string does not fail.
    let _ =
        writeln!(out, "<section>\n<h2>{}</h2>\n<p class=\"reason\">{}.</p>", section.title, sentence(section.reason));
    for chart in &section.charts {
        out.push_str(&svg::chart(chart));
    }
    if !section.events.is_empty() {
        out.push_str("<table>\n<tr><th>the guest …<th>what happened\n");
        for (did, happened) in &section.events {
            let _ = writeln!(out, "<tr><td>{}<td>{}", escape(did), escape(happened));
        }
        out.push_str("</table>\n");
    }
    let _ = writeln!(
        out,
        "<p>{}</p>\n<p class=\"quiet\">Again: <code>{}</code></p>\n</section>",
        escape(&section.told),
        escape(section.again)
    );
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first: String = letters.next().map(|letter| letter.to_uppercase().collect()).unwrap_or_default();
    escape(&(first + letters.as_str()))
}

const STYLE: &str = "\
:root { --back: #ffffff; --text: #1c2127; --quiet: #5b6570; --line: #d5dbe1; --ours: #1a8160; --other: #b8701c;
  --kick: #2b6cb0; --register: #c0503a; --halt: #8b949e; }
@media (prefers-color-scheme: dark) {
  :root { --back: #12161b; --text: #e4e8ec; --quiet: #9aa5b1; --line: #333c46; --ours: #3fb68b; --other: #dd9f52;
    --kick: #62a5ea; --register: #e77f68; --halt: #7b8591; }
}
body { margin: 0; background: var(--back); color: var(--text); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 0; }
section { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: 1.5rem; }
p { margin: .6rem 0; }
.reason { font-weight: 600; margin: .2rem 0 1rem; }
.quiet { color: var(--quiet); font-size: .9rem; }
code { font: .86em ui-monospace, monospace; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem 1rem .4rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--quiet); font-weight: normal; font-size: .9rem; }
svg { display: block; width: 100%; height: auto; margin: .4rem 0 .8rem; }
svg text { fill: var(--text); font: 14px system-ui, sans-serif; }
svg .quiet { fill: var(--quiet); font-size: 12px; }
svg .label { text-anchor: end; }
svg .axis { stroke: var(--line); stroke-width: 1; }
svg .ours { fill: var(--ours); } svg .other { fill: var(--other); }
svg .kick { fill: var(--kick); } svg .register { fill: var(--register); } svg .halt { fill: var(--halt); }
svg .run { fill: var(--text); fill-opacity: .28; }
";
