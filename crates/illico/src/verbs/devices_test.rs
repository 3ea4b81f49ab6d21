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

const CONFIG_PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/config.md");

/// The page's table of keys that are not devices: the doc comments of the configuration, and its defaults.
fn fields() -> String {
    let defaults = serde_json::to_value(Config::default()).unwrap();
    let row = |(field, lines): &(&str, &[Option<&str>])| {
        let key = field.replace('_', "-");
        let words: Vec<_> = lines.iter().flatten().map(|line| line.trim()).collect();
        let default = match &defaults[&key] {
            serde_json::Value::Null => "none".to_owned(),
            value => format!("`{value}`"),
        };
        format!("| `{key}` | {} | {default} |\n", words.join(" "))
    };
    let rows: String = Config::FIELDS.iter().map(row).collect();
    format!("| key | meaning | default |\n| --- | --- | --- |\n{rows}")
}

/// The page's table of devices: the summaries of their specs.
fn devices() -> String {
    let row = |option: &DeviceOption| {
        let form = match (option.many, option.choices) {
            (true, _) => format!("`[[{}]]`", option.name),
            (false, None) => format!("`[{}]`", option.name),
            (false, Some(choices)) => format!("`{} = \"...\"`, {}", option.name, choices.replace('|', " or ")),
        };
        format!("| {form} | {} |\n", option.about.summary())
    };
    let rows: String = Config::DEVICE_OPTIONS.iter().map(row).collect();
    format!("| key | device |\n| --- | --- |\n{rows}")
}

/// With `ILLICO_WRITE_DOCS` set, writes the tables instead of comparing them.
#[test]
fn the_page_of_config_has_every_key_of_a_machine() {
    let mut page = fs::read_to_string(CONFIG_PAGE).unwrap();
    for (begin, table) in [
        ("<!-- keys of the machine: made from the configuration's doc comments -->\n", fields()),
        ("<!-- devices: made from the list of devices -->\n", devices()),
    ] {
        let start = page.find(begin).expect("a beginning") + begin.len();
        let end = start + page[start..].find("<!-- end -->").expect("an end");
        if std::env::var_os("ILLICO_WRITE_DOCS").is_some() {
            page.replace_range(start..end, &table);
        } else {
            assert_eq!(page[start..end], table, "run this test with ILLICO_WRITE_DOCS=1");
        }
    }
    if std::env::var_os("ILLICO_WRITE_DOCS").is_some() {
        fs::write(CONFIG_PAGE, page).unwrap();
    }
}

/// The example of the page is a machine.
#[test]
fn the_example_of_the_page_of_config_is_read() {
    let page = fs::read_to_string(CONFIG_PAGE).unwrap();
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let config: Config = toml::from_str(example).unwrap();
    assert_eq!((config.cpus, config.disk.len(), config.net[0].forward.len()), (2, 1, 1));
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
