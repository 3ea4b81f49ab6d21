use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Spec {
    path: String,
    #[serde(default)]
    readonly: bool,
    #[serde(default)]
    queues: Option<u16>,
    #[serde(default)]
    engine: Option<Engine>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Engine {
    Sync,
}

fn error(text: &str) -> String {
    from_str::<Spec>(text).unwrap_err().to_string()
}

#[test]
fn keys_fill_fields_of_their_types() {
    let spec: Spec = from_str("path=a=b,,c,readonly,queues=4,engine=sync").unwrap();
    assert_eq!(spec, Spec { path: "a=b,c".into(), readonly: true, queues: Some(4), engine: Some(Engine::Sync) });
    assert!(!from_str::<Spec>("path=x,readonly=off").unwrap().readonly);
}

#[test]
fn a_mistake_names_its_key() {
    assert!(error("path=x,sorbet=1").contains("unknown field `sorbet`"), "{}", error("path=x,sorbet=1"));
    assert_eq!(error("path=x,queues=many"), "queues=many: not a number that fits here");
    assert_eq!(error("path=x,queues=70000"), "queues=70000: not a number that fits here");
    assert_eq!(error("path=x,readonly=maybe"), "readonly=maybe: neither on nor off");
    assert_eq!(error("path=x,engine=steam"), "engine=steam: expected one of sync");
    assert_eq!(error("path"), "\"path\" wants a value: path=...");
    assert_eq!(error("path=x,path=y"), "\"path\" is given twice");
    assert!(error("readonly").contains("missing field `path`"));
    assert!(error("").contains("KEY=VALUE"));
}
