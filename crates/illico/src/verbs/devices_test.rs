use std::fs;
use std::path::Path;

use super::*;

const MANUAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/devices.md");

/// The manual's table of a device's keys, from its spec.
fn table(option: &DeviceOption) -> String {
    let rows = option.about.keys().map(|(key, meaning)| format!("| `{}` | {meaning} |\n", key.replace('|', "\\|")));
    format!("| key | meaning |\n| --- | --- |\n{}", rows.collect::<String>())
}

/// With `ILLICO_WRITE_DOCS` set, writes the tables instead of comparing them.
#[test]
fn the_manual_has_every_device_with_its_keys() {
    let mut manual = fs::read_to_string(MANUAL).unwrap();
    for option in Config::DEVICE_OPTIONS {
        let heading = format!("(`--{} {}`", option.name, option.usage());
        assert!(manual.contains(&heading), "docs/devices.md has no heading with {heading}");
        if option.choices.is_some() {
            continue;
        }
        let begin = format!("<!-- keys of {}: made from the spec -->\n", option.name);
        let start = manual.find(&begin).unwrap_or_else(|| panic!("docs/devices.md has no {begin}")) + begin.len();
        let end = start + manual[start..].find("<!-- end -->").expect("an end");
        if std::env::var_os("ILLICO_WRITE_DOCS").is_some() {
            manual.replace_range(start..end, &table(option));
        } else {
            assert_eq!(manual[start..end], table(option), "run this test with ILLICO_WRITE_DOCS=1");
        }
    }
    if std::env::var_os("ILLICO_WRITE_DOCS").is_some() {
        fs::write(Path::new(MANUAL), manual).unwrap();
    }
}

#[test]
fn every_device_option_has_help_and_an_example() {
    for option in Config::DEVICE_OPTIONS {
        assert!(!option.about.summary().is_empty(), "{}", option.name);
        assert!(option.about.example().is_some(), "{}", option.name);
        assert!(option.choices.is_some() || !option.usage().is_empty(), "{}", option.name);
    }
}

#[test]
fn values_keep_their_order_and_repeat() {
    let command = Devices::augment_args(Command::new("test"));
    let words = ["test", "--net", "tap=a", "--disk", "path=1", "--disk", "path=2"];
    let Devices(values) = Devices::from_arg_matches(&command.try_get_matches_from(words).unwrap()).unwrap();
    let values: Vec<_> = values.iter().map(|(name, text)| (*name, text.as_str())).collect();
    assert_eq!(values, [("disk", "path=1"), ("disk", "path=2"), ("net", "tap=a")]);
}
