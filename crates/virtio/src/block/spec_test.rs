use super::*;

fn parse(json: &str) -> Result<DiskSpec, serde_json::Error> {
    serde_json::from_str(json)
}

#[test]
fn a_path_is_all_that_is_needed() {
    assert_eq!(parse(r#"{"path": "a.img"}"#).unwrap(), DiskSpec::new("a.img"));
}

#[test]
fn every_field_has_its_name_and_comes_back() {
    let text =
        r#"{"path": "a.img", "readonly": true, "engine": "io_uring", "queues": 4, "poll": "adaptive", "id": "root"}"#;
    let spec = DiskSpec {
        path: "a.img".into(),
        readonly: true,
        engine: Some(EngineKind::IoUring),
        queues: 4,
        poll: Poll::Adaptive,
        id: Some("root".into()),
    };
    assert_eq!(parse(text).unwrap(), spec);
    assert_eq!(parse(&serde_json::to_string(&spec).unwrap()).unwrap(), spec);
    assert_eq!(parse(r#"{"path": "a.img", "engine": "sync", "poll": "off"}"#).unwrap().engine, Some(EngineKind::Sync));
}

#[test]
fn what_is_not_a_field_or_not_a_value_is_refused() {
    for text in
        [r#"{}"#, r#"{"path": "a", "speed": 1}"#, r#"{"path": "a", "engine": "aio"}"#, r#"{"path": "a", "poll": true}"#]
    {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn queues_and_id_have_bounds() {
    let spec = |queues, id: Option<&str>| DiskSpec { queues, id: id.map(Into::into), ..DiskSpec::new("a") }.check();
    for queues in [1, 64] {
        spec(queues, Some("12345678901234567890")).unwrap();
    }
    for queues in [0, 65] {
        assert_eq!(
            crate::device::DeviceError::from(spec(queues, None).unwrap_err()).to_string(),
            format!("queues={queues}: a disk has 1 to 64 queues")
        );
    }
    for id in ["", "123456789012345678901", "two words", "caf\u{e9}", "a\0b"] {
        assert!(matches!(spec(1, Some(id)), Err(DiskError::Id { .. })), "{id:?}");
    }
}
