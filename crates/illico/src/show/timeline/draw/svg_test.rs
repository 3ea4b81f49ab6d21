use super::*;
use crate::show::timeline::accounted::Accounted;
use crate::show::timeline::story::{Bucket, Exits, INIT, Mark, SCHEMA};

const MS: u64 = 1_000_000;

/// A run with so many steps in the guest's log, some of them long.
pub fn story(steps: u64) -> Story {
    let span = |lane: &str, name: String, begin: u64, end: u64| Span {
        lane: lane.into(),
        name,
        detail: String::new(),
        begin,
        end,
    };
    let mut spans = vec![
        span(MONITOR, "exec and loading of the program".into(), 0, 3 * MS),
        span(MONITOR, "load the guest".into(), 3 * MS, 9 * MS),
        span(MONITOR, "read the kernel".into(), 4 * MS, 8 * MS),
        span("devices", "KVM_GET_SUPPORTED_CPUID".into(), 3 * MS, 4 * MS),
        span(GUEST, "initcalls".into(), 10 * MS, 300 * MS),
    ];
    let mut at = 10 * MS;
    for step in 0..steps {
        let end = at + if step % 37 == 0 { 5 * MS } else { 200_000 };
        spans.push(span(LOG, format!("line <{step}> & \"what\" it says"), at, end));
        at = end;
    }
    let end = at + 10 * MS;
    let bucket = |n: u64| Bucket {
        begin: n * end / 50,
        end: (n + 1) * end / 50,
        all: vec![n, 3, 0],
        came_up: vec![],
        halted: 0,
    };
    let names = ["port", "mmio", "memory"].map(str::to_owned).to_vec();
    let mark = |name: &str, at| Mark { name: name.into(), at };
    Story {
        schema: SCHEMA.into(),
        end,
        exec_uncertain: 0,
        guest_clock: None,
        accounted: Accounted { until: INIT.into(), total: at, named: at, share: 1.0, unnamed: Vec::new() },
        marks: vec![mark(FIRST_RUN, 10 * MS), mark(INIT, at), mark(ENDED, end)],
        spans,
        spans_left_out: 0,
        exits: Some(Exits { reasons: names, parties: vec![], buckets: (0..50).map(bucket).collect(), pages: None }),
    }
}

/// Tags that are open at the end, and attributes, by a reader that knows of XML no more than that.
fn tags(svg: &str) -> Vec<&str> {
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "closes what is open"),
            None if tag.ends_with('/') => {}
            None => open.push(tag.split(' ').next().unwrap()),
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
    }
    open
}

#[test]
fn pictures_are_whole_at_any_number_of_spans() {
    for steps in [0, 1, 100, 1000, 4000] {
        let svg = draw(&story(steps));
        assert_eq!(tags(&svg), Vec::<&str>::new());
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{steps}");
    }
}

#[test]
fn a_guests_words_cannot_leave_their_place() {
    let svg = draw(&story(100));
    assert!(svg.contains("line &lt;0&gt; &amp; &quot;what&quot; it says"));
    assert!(!svg.contains("line <"));
}

#[test]
fn bars_stay_within_the_picture_and_are_wide_enough_to_be_seen() {
    let svg = draw(&story(1000));
    let number = |tag: &str, name: &str| -> f64 {
        let at = tag.find(&format!(" {name}=\"")).unwrap() + name.len() + 3;
        tag[at..].split('"').next().unwrap().parse().unwrap()
    };
    let mut bars = 0;
    for tag in svg.split('<').filter(|tag| tag.starts_with("rect class=\"c")) {
        let (x, width) = (number(tag, "x"), number(tag, "width"));
        assert!(x >= NAMES && x + width <= WIDTH - MARGIN + 0.2, "{tag}");
        assert!(width > 0.4, "{tag}");
        bars += 1;
    }
    assert!(bars > 50);
}

#[test]
fn more_spans_do_not_make_a_longer_picture() {
    let height = |steps| {
        let svg = draw(&story(steps));
        svg.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse::<f64>().unwrap()
    };
    assert!(height(1000) < height(100) + 200.0, "{} and {}", height(1000), height(100));
    assert!(height(4000) < 1500.0);
}

#[test]
fn both_colour_schemes_are_in_it_and_nothing_from_elsewhere() {
    let svg = draw(&story(10));
    assert!(svg.contains("prefers-color-scheme:dark"));
    let page = crate::show::timeline::draw::page(&story(10));
    for text in [&svg, &page] {
        for elsewhere in ["href", "src=", "url(", "@import", "<script"] {
            assert!(!text.contains(elsewhere), "{elsewhere}");
        }
    }
}

/// Writes the pictures to a folder: `ILLICO_PICTURES=folder cargo nextest run pictures_to_look_at`.
#[test]
fn pictures_to_look_at() {
    let Some(folder) = std::env::var_os("ILLICO_PICTURES").map(std::path::PathBuf::from) else { return };
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    for steps in [100, 1000] {
        write(&format!("{steps}.svg"), draw(&story(steps)));
        write(&format!("{steps}.html"), crate::show::timeline::draw::page(&story(steps)));
    }
    for entry in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_some_and(|extension| extension == "json") {
            let story: Story = serde_json::from_slice(&std::fs::read(&entry).unwrap()).unwrap();
            std::fs::write(entry.with_extension("svg"), draw(&story)).unwrap();
            std::fs::write(entry.with_extension("html"), crate::show::timeline::draw::page(&story)).unwrap();
            std::fs::write(entry.with_extension("txt"), crate::show::timeline::draw::why_slow(&story)).unwrap();
        }
    }
}
