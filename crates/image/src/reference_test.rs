#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use proptest::prelude::*;

use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn reference(text: &str) -> Reference {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn what_people_leave_out_is_filled_in() {
    let full = |text: &str| reference(text).to_string();
    assert_eq!(full("debian"), "docker.io/library/debian:latest");
    assert_eq!(full("debian:12"), "docker.io/library/debian:12");
    assert_eq!(full("docker.io/debian:12"), "docker.io/library/debian:12");
    assert_eq!(full("index.docker.io/library/debian:12"), "docker.io/library/debian:12");
    assert_eq!(full("bitnami/redis"), "docker.io/bitnami/redis:latest");
    assert_eq!(full("quay.io/a/b/c:v1"), "quay.io/a/b/c:v1");
    assert_eq!(full("localhost:5000/x:y"), "localhost:5000/x:y");
    assert_eq!(full("localhost/x"), "localhost/x:latest");
    assert_eq!(full("[::1]:5000/x"), "[::1]:5000/x:latest");
    assert_eq!(full(&format!("debian@{DIGEST}")), format!("docker.io/library/debian@{DIGEST}"));
    assert_eq!(full(&format!("debian:12@{DIGEST}")), format!("docker.io/library/debian:12@{DIGEST}"));
}

#[test]
fn a_digest_wins_over_a_tag() {
    assert_eq!(reference(&format!("debian:12@{DIGEST}")).manifest(), DIGEST);
    assert_eq!(reference("debian:12").manifest(), "12");
}

#[test]
fn docker_hub_answers_under_another_name() {
    assert_eq!(reference("debian").api_host(), "registry-1.docker.io");
    assert_eq!(reference("localhost:5000/x").api_host(), "localhost:5000");
}

#[test]
fn this_host_is_local_and_no_other() {
    for local in ["localhost/x", "localhost:5000/x", "127.0.0.1:5000/x", "127.1.2.3:1/x", "[::1]/x", "[::1]:5000/x"] {
        assert!(reference(local).is_local(), "{local}");
    }
    for far in
        ["debian", "localhost.example.org/x", "127.0.0.1.example.org/x", "192.168.0.1:5000/x", "[fe80::1]:5000/x"]
    {
        assert!(!reference(far).is_local(), "{far}");
    }
}

#[test]
fn the_familiar_name_leaves_out_what_goes_without_saying() {
    assert_eq!(reference("debian:12").familiar(), "debian:12");
    assert_eq!(reference("a/b").familiar(), "a/b:latest");
    assert_eq!(reference("quay.io/a/b:c").familiar(), "quay.io/a/b:c");
    assert_eq!(reference("docker.io/quay.io/a:c").familiar(), "docker.io/quay.io/a:c");
}

#[test]
fn what_names_no_image_is_refused() {
    let long = "a".repeat(300);
    for text in [
        "",
        ":",
        "@",
        "/",
        "Debian",
        "debian:",
        "debian:-1",
        "debian: 12",
        "debian@12",
        "debian@sha256:12",
        "a//b",
        "a/../b",
        "../b",
        "-a",
        "a-",
        "a___b",
        "a..b",
        "a b",
        "é",
        "a\0b",
        "host:port/x",
        "host.org:99999/x",
        "[::1/x",
        "[zz]/x",
        "[::1]x/y",
        "a/",
        "/a",
        "-x.org/a",
        "x..org/a",
        "a:b:c",
        "https://a/b",
        &long,
    ] {
        assert!(text.parse::<Reference>().is_err(), "{text:?} is {:?}", text.parse::<Reference>());
    }
}

#[test]
fn the_message_says_what_is_wrong() {
    let error = "Debian:12".parse::<Reference>().unwrap_err().to_string();
    assert!(error.starts_with("'Debian:12' names no image: repositories have lower-case"), "{error}");
}

proptest! {
    /// Whatever is accepted reads back as the same, in its full and in its familiar form.
    #[test]
    fn a_name_reads_as_it_is_written(
        registry in prop_oneof![Just(""), Just("quay.io/"), Just("localhost:5000/"), Just("[::1]:80/")],
        path in r"[a-z0-9]{1,4}((_|__|-{1,3})[a-z0-9]{1,3}){0,2}(/[a-z0-9]{1,3}\.?[a-z0-9]){0,2}",
        tag in proptest::option::of("[A-Za-z0-9_][A-Za-z0-9._-]{0,20}"),
        digest in any::<bool>(),
    ) {
        let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = if digest { format!("@{DIGEST}") } else { String::new() };
        let one = reference(&format!("{registry}{path}{tag}{digest}"));
        prop_assert_eq!(&reference(&one.to_string()), &one);
        prop_assert_eq!(&reference(&one.familiar()), &one);
    }

    #[test]
    fn any_text_ends_with_a_value(text in ".{0,40}") {
        if let Ok(one) = text.parse::<Reference>() {
            prop_assert_eq!(&reference(&one.to_string()), &one);
            prop_assert!(!one.repository().contains(".."));
        }
    }
}
