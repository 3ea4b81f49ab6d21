use super::*;

fn find(text: &[u8], registry: &str) -> Option<Login> {
    kept(&serde_json::from_slice(text).ok()?, registry)
}

fn me() -> Option<Login> {
    Some(Login::Password { user: "me".to_owned(), password: "a:b".to_owned() })
}

#[test]
fn a_login_is_found_under_any_name_of_its_registry() {
    let file = |key: &str| format!(r#"{{"auths":{{"other":{{}},"{key}":{{"auth":"bWU6YTpi"}}}},"credsStore":"x"}}"#);
    assert_eq!(find(file("localhost:5000").as_bytes(), "localhost:5000"), me());
    assert_eq!(find(file("https://localhost:5000").as_bytes(), "localhost:5000"), me());
    assert_eq!(find(file(DOCKER_HUB).as_bytes(), "docker.io"), me());
    assert_eq!(find(file("quay.io").as_bytes(), "docker.io"), None);
    assert_eq!(find(file("other").as_bytes(), "x"), None);
}

#[test]
fn what_is_no_login_is_none() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"auths":null}"#,
        r#"{"auths":{"r":{}}}"#,
        r#"{"auths":{"r":{"auth":"%"}}}"#,
        r#"{"auths":{"r":{"auth":"bWU="}}}"#,
    ] {
        assert_eq!(find(text.as_bytes(), "r"), None, "{text}");
    }
}

#[test]
fn an_identity_token_is_kept_beside_a_password() {
    let text = br#"{"auths":{"r":{"auth":"bWU6YTpi","identitytoken":"refresh"}}}"#;
    assert_eq!(find(text, "r"), Some(Login::Identity("refresh".into())));
}

#[test]
fn a_login_is_told_in_base64() {
    assert_eq!(basic("me", "a:b"), "Basic bWU6YTpi");
}

#[test]
fn the_helper_of_a_registry_comes_before_the_one_for_all() {
    let file: File = serde_json::from_str(r#"{"credsStore":"all","credHelpers":{"gcr.io":"gcloud"}}"#).unwrap();
    assert_eq!(helper(&file, "gcr.io"), Some("gcloud"));
    assert_eq!(helper(&file, "quay.io"), Some("all"));
    let file: File = serde_json::from_str(r#"{"credsStore":"","credHelpers":null}"#).unwrap();
    assert_eq!(helper(&file, "gcr.io"), None);
}

#[test]
fn a_helper_that_is_no_program_name_is_not_run() {
    assert!(matches!(ask("../../bin/true", "r"), Err(HelperError::Run(_))));
    assert!(matches!(ask("that-nobody-has", "r"), Err(HelperError::Run(_))));
}
