use proptest::prelude::*;

use super::*;

fn bearer(realm: &str, service: Option<&str>) -> Challenge {
    Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned), scope: None }
}

#[test]
fn one_challenge_is_read() {
    let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a,b:pull""#;
    let scope = Some("repository:a,b:pull".to_owned());
    let (realm, service) = ("https://auth.docker.io/token".to_owned(), Some("registry.docker.io".to_owned()));
    assert_eq!(challenges([hub]), [Challenge::Bearer { realm, service, scope }]);
    assert_eq!(challenges([r#"bearer service=x , Realm="a\"b""#]), [bearer("a\"b", Some("x"))]);
    assert_eq!(challenges([r#"Basic realm="me""#]), [Challenge::Basic]);
    assert_eq!(challenges(["BASIC"]), [Challenge::Basic]);
    assert_eq!(challenges(["Bearer realm=https://x/y?z=1,service=s"]), [bearer("https://x/y?z=1", Some("s"))]);
    assert_eq!(challenges(["BEARER\t Realm = \"r\"\t, , SERVICE=  s ,"]), [bearer("r", Some("s"))]);
}

#[test]
fn what_breaks_the_grammar_is_no_challenge() {
    for text in [
        "",
        ",",
        "Bearer",
        "Digest realm=\"x\"",
        "Bearer realm=\"x",
        "Bearer realm",
        "Bearer service=\"x\"",
        "Bearer realm=",
        "\"Basic\"",
        "Basic\u{e4}",
    ] {
        assert_eq!(challenges([text]), [], "{text}");
    }
}

#[test]
fn several_challenges_are_told_apart() {
    let both = [bearer("r", Some("s")), Challenge::Basic];
    for headers in [
        &["Basic realm=\"x\", Bearer realm=\"r\",service=\"s\""][..],
        &["Bearer realm=\"r\",service=\"s\", Basic realm=\"x\""],
        &["Bearer realm=\"r\",service=\"s\",Basic"],
        &["Basic, Bearer realm=\"r\", service=s"],
        &["Negotiate", "Basic realm=\"x\"", "Bearer realm=\"r\",service=\"s\""],
        &["Negotiate YWJj==, Basic realm=x,NTLM , Bearer  service=s,realm=r"],
        &[
            "Digest qop=\"auth, Basic\", nonce=\"\\\"Bearer realm=x\", Basic charset=\"UTF-8\"",
            "Bearer realm=r,service=s",
        ],
        &[",, ,Basic  ,, Bearer realm=r , , service=s"],
        // What is wrong with one does not hide the other.
        &["Bearer service=x, Basic, Bearer realm=r, service=s"],
        &["= , Basic , Bearer realm=r, service=s"],
    ] {
        assert_eq!(challenges(headers.iter().copied()), both, "{headers:?}");
    }
}

#[test]
fn a_token_has_one_of_two_names() {
    assert_eq!(token(br#"{"token":"a"}"#).ok(), Some("a".into()));
    assert_eq!(token(br#"{"access_token":"b","expires_in":1}"#).ok(), Some("b".into()));
    assert_eq!(token(br#"{"token":"","access_token":"b"}"#).ok(), Some("b".into()));
    assert!(token(b"{}").is_err());
}

/// A word in some letter case.
fn cased(word: &'static str) -> impl Strategy<Value = String> {
    any::<u64>().prop_map(move |bits| {
        let letters = word.chars().enumerate();
        letters.map(|(at, letter)| if bits >> at & 1 == 1 { letter.to_ascii_uppercase() } else { letter }).collect()
    })
}

/// A value as a token or quoted, with quoted pairs where the bits say so.
fn written(value: &str, bits: u64) -> String {
    let is_token = !value.is_empty() && value.chars().all(|letter| letter.is_ascii_alphanumeric());
    if is_token && bits & 1 == 1 {
        return value.to_owned();
    }
    let mut text = String::from("\"");
    for (at, letter) in value.chars().enumerate() {
        if matches!(letter, '"' | '\\') || bits >> (at % 64) & 2 == 2 {
            text.push('\\');
        }
        text.push(letter);
    }
    text + "\""
}

/// A challenge, and one way to write it.
fn challenge() -> impl Strategy<Value = (Option<Challenge>, String)> {
    let spaces = || "[ \t]{0,2}";
    let value = || r#"[ -~]{0,12}"#;
    let parameter = |name: &'static str| (cased(name), value(), any::<u64>(), spaces(), spaces());
    let write = |(name, value, bits, before, after): (String, String, u64, String, String)| {
        let text = format!("{name}{before}={after}{}", written(&value, bits));
        (value, text)
    };
    let bearer = (
        cased("bearer"),
        parameter("realm"),
        parameter("service"),
        parameter("error"),
        "[ ]{1,3}",
        "[ \t]{0,2},[ ,\t]{0,3}",
    );
    let bearer = bearer.prop_map(move |(scheme, realm, service, error, space, comma)| {
        let ((realm, one), (service, two), (_, three)) = (write(realm), write(service), write(error));
        let text = format!("{scheme}{space}{three}{comma}{two}{comma}{one}");
        (Some(Challenge::Bearer { realm, service: Some(service), scope: None }), text)
    });
    let basic = (cased("basic"), parameter("realm"), "[ ]{1,3}")
        .prop_map(move |(scheme, realm, space)| (Some(Challenge::Basic), format!("{scheme}{space}{}", write(realm).1)));
    let others =
        prop_oneof![Just("Negotiate"), Just("NTLM abc+/=="), Just("Digest qop=\"a, Basic\""), Just("X-Key a=1 ,b=2"),];
    prop_oneof![bearer, basic, others.prop_map(|text| (None, text.to_owned()))]
}

proptest! {
    #[test]
    fn challenges_are_read_however_they_are_written(
        headers in proptest::collection::vec(proptest::collection::vec((challenge(), "[ \t]{0,2},[ ,\t]{0,3}"), 0..4), 0..4)
    ) {
        let mut wanted: Vec<Challenge> = headers.iter().flatten().filter_map(|((one, _), _)| one.clone()).collect();
        wanted.sort_by_key(|one| *one == Challenge::Basic);
        let written: Vec<String> = headers.iter().map(|header| {
            header.iter().map(|((_, text), comma)| format!("{text}{comma}")).collect()
        }).collect();
        prop_assert_eq!(challenges(written.iter().map(String::as_str)), wanted, "{:?}", written);
    }

    #[test]
    fn any_header_ends_with_a_value(header in any::<String>(), grammar in "[Bbasic earlm=\",\\\\ ]{0,60}") {
        let _ = challenges([&*header, &*grammar]);
    }
}
