use super::*;
use crate::show::live::QueueRates;

fn machine(name: &str, vcpus: u8, queues: usize) -> MachineRates {
    let vcpu = |number| VcpuRates {
        number,
        exits: Some(123_456_789.0),
        reasons: std::array::from_fn(|index| 1000.0 * index as f64),
        shares: Shares { guest: 99.6, kernel: 100.0, monitor: 3.2 },
    };
    let queue = |number| QueueRates {
        device: "disk0".into(),
        number,
        kicks: 1500.0,
        requests: 1000.0,
        to_guest: 4_096_000.0,
        ..QueueRates::default()
    };
    MachineRates {
        name: name.to_owned(),
        exits: 2500.0,
        requests: 1000.0,
        bytes: 4_194_304.0,
        shares: Shares { guest: 6400.0, kernel: 0.0, monitor: 12.5 },
        vcpus: (0..vcpus).map(vcpu).collect(),
        queues: (0..queues).map(queue).collect(),
        ..MachineRates::default()
    }
}

fn texts(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|line| line.text.trim_end()).collect()
}

#[test]
fn numbers_take_five_characters_at_most() {
    for (value, text) in [
        (0.0, "0"),
        (0.5, "0.5"),
        (7.0, "7"),
        (123.4, "123"),
        (999.4, "999"),
        (999.6, "1.0k"),
        (12_345.0, "12.3k"),
        (123_456.0, "123k"),
        (999_600.0, "1.0M"),
        (2.5e12, "2.5T"),
    ] {
        assert_eq!(number(value), text);
        assert!(number(value).len() <= 5);
    }
    assert_eq!((size(4096.0).as_str(), size(1023.0).as_str()), ("4.0K", "1.0K"));
    assert_eq!((ratio(3.0, 2.0).as_str(), ratio(30.0, 2.0).as_str(), ratio(3.0, 0.0).as_str()), ("1.50", "15", "-"));
}

#[test]
fn every_screen_fits_and_ends_with_the_keys() {
    let machines: Vec<_> =
        (0..30).map(|n| machine(&format!("a-machine-with-a-name-of-40-letters-{n:04}"), 4, 5)).collect();
    for (width, height) in [(80, 24), (120, 40), (40, 10), (200, 60), (10, 3), (1, 1)] {
        for count in [0, 1, 30] {
            let lines = screen(Some(&machines[..count]), &machines[17].name, Duration::from_secs(2), width, height);
            assert_eq!(lines.len(), height, "{width}x{height}");
            assert!(lines.iter().all(|line| line.text.chars().count() <= width), "{width}x{height}: {lines:#?}");
            assert!(lines.last().unwrap().text.starts_with('q'));
        }
    }
}

#[test]
fn at_80_columns_no_figure_is_cut_off() {
    let lines = screen(Some(&[machine("web", 2, 3)]), "", Duration::from_secs(2), 80, 24);
    let texts = texts(&lines);
    assert_eq!(texts[0], "illico top: 1 machine, in a second, over 2 s");
    assert!(texts[1].ends_with("GST  KRN  MON") && texts[1].len() <= 80, "{}", texts[1]);
    assert!(texts[2].contains("2.50") && texts[2].ends_with('%'), "{}", texts[2]);
    assert!(texts[4].starts_with("vCPU") && texts[4].contains("WIN") && texts[4].contains("REST"), "{}", texts[4]);
    assert!(texts[5].starts_with("0 ") && texts[5].contains("123M") && texts[5].ends_with("100%   3%"), "{}", texts[5]);
    assert!(texts.iter().any(|line| line.starts_with("disk0/2") && line.ends_with("1.50     384")), "{texts:#?}");
}

#[test]
fn a_wide_terminal_tells_all_reasons_apart() {
    let lines = screen(Some(&[machine("web", 1, 1)]), "", Duration::from_secs(2), 120, 40);
    let head = lines.iter().find(|line| line.text.starts_with("vCPU")).unwrap();
    for name in ["HCALL", "NMI", "SIG", "EOI"] {
        assert!(head.text.contains(name), "{}", head.text);
    }
    assert!(!head.text.contains("REST"));
}

#[test]
fn the_chosen_machine_is_marked_and_in_sight() {
    let machines: Vec<_> = (0..30).map(|n| machine(&format!("m{n}"), 1, 1)).collect();
    for chosen in ["m0", "m17", "m29"] {
        let lines = screen(Some(&machines), chosen, Duration::from_secs(2), 80, 24);
        let marked: Vec<_> = lines.iter().filter(|line| line.look == Look::Chosen).collect();
        assert_eq!(marked.len(), 1);
        assert!(marked[0].text.starts_with(&format!("{chosen} ")), "{}", marked[0].text);
    }
}

#[test]
fn nothing_of_a_name_reaches_the_terminal_as_a_command() {
    let lines = all(&[machine("a\x1b[2J", 1, 1)], 120);
    assert!(lines.iter().all(|line| !line.text.contains('\x1b')));
}
