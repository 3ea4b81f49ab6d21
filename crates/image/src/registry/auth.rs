//! How a registry asks who wants to know (RFC 9110 section 11.6.1; the distribution project's token authentication).

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use serde::Deserialize;
use serde::de::Error as _;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) scheme: Scheme,
}

/// In which way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scheme {
    /// User and password with every request.
    Basic,
    /// A token, which another server gives.
    Bearer { realm: String, service: Option<String> },
}

impl Challenge {
    /// Reads the value of `WWW-Authenticate`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, parameters) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self { scheme: Scheme::Basic });
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut realm = None;
        let mut service = None;
        let mut rest = parameters.trim_start();
        while !rest.is_empty() {
            let (name, value, behind) = parameter(rest)?;
            match name.to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value),
                "service" => service = Some(value),
                _ => {}
            }
            rest = behind;
        }
        Some(Self { scheme: Scheme::Bearer { realm: realm?, service } })
    }
}

/// `name="value"` or `name=value`, and what follows the comma.
fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = text.split_once('=')?;
    let (value, rest) = match rest.strip_prefix('"') {
        Some(quoted) => {
            let mut value = String::new();
            let mut escaped = false;
            let mut end = None;
            for (at, letter) in quoted.char_indices() {
                match letter {
                    '"' if !escaped => {
                        end = Some(at);
                        break;
                    }
                    '\\' if !escaped => escaped = true,
                    letter => {
                        value.push(letter);
                        escaped = false;
                    }
                }
            }
            (value, quoted.split_at_checked(end?)?.1.strip_prefix('"')?)
        }
        None => {
            let end = rest.find(',').unwrap_or(rest.len());
            let (value, rest) = rest.split_at_checked(end)?;
            (value.trim().to_owned(), rest)
        }
    };
    let rest = rest.trim_start();
    let rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    Some((name.trim(), value, rest))
}

/// The token in an answer of the token server, under either of its names.
pub(super) fn token(bytes: &[u8]) -> Result<String, serde_json::Error> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(bytes)?;
    answer.token.or(answer.access_token).ok_or_else(|| serde_json::Error::custom("neither token nor access_token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(text: &str) -> Option<(String, Option<String>)> {
        match Challenge::parse(text)?.scheme {
            Scheme::Bearer { realm, service } => Some((realm, service)),
            Scheme::Basic => None,
        }
    }

    #[test]
    fn challenges_are_read() {
        let hub =
            r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a,b:pull""#;
        assert_eq!(bearer(hub), Some(("https://auth.docker.io/token".into(), Some("registry.docker.io".into()))));
        assert_eq!(bearer(r#"bearer service=x , Realm="a\"b""#), Some(("a\"b".into(), Some("x".into()))));
        assert_eq!(Challenge::parse(r#"Basic realm="me""#), Some(Challenge { scheme: Scheme::Basic }));
        for text in ["", "Bearer", "Digest realm=\"x\"", "Bearer realm=\"x", "Bearer realm", "Bearer service=\"x\""] {
            assert_eq!(Challenge::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_token_has_one_of_two_names() {
        assert_eq!(token(br#"{"token":"a"}"#).ok(), Some("a".into()));
        assert_eq!(token(br#"{"access_token":"b","expires_in":1}"#).ok(), Some("b".into()));
        assert!(token(b"{}").is_err());
    }
}
