//! The challenges of a registry: `WWW-Authenticate` (RFC 9110 section 11.6.1) and the distribution project's token
//! authentication. Unknown schemes are passed over, and so is a challenge that breaks the grammar.

use serde::Deserialize;
use serde::de::Error as _;

/// What a client may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// A token, which another server gives.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
    /// User and password with every request.
    Basic,
}

/// The known challenges of a response's `WWW-Authenticate` headers, tokens first: a token can be had without a login.
pub fn challenges<'a>(headers: impl IntoIterator<Item = &'a str>) -> Vec<Challenge> {
    let mut all: Vec<Challenge> = headers.into_iter().flat_map(of_header).collect();
    all.sort_by_key(|challenge| matches!(challenge, Challenge::Basic));
    all
}

/// `#challenge`, where `challenge = auth-scheme [ 1*SP ( token68 / #auth-param ) ]`. Commas separate both challenges and their
/// parameters: what has a `=` behind its name is a parameter.
fn of_header(header: &str) -> Vec<Challenge> {
    let mut rest = Cursor(header);
    let mut all = Vec::new();
    loop {
        rest.skip(" \t,");
        let scheme = rest.token();
        if rest.0.is_empty() && scheme.is_empty() {
            return all;
        }
        if scheme.is_empty() || !(rest.0.is_empty() || rest.0.starts_with([' ', '\t', ','])) {
            rest.skip_element();
            continue;
        }
        let mut parameters = Vec::new();
        let mut valid = true;
        if rest.skip(" \t") && !rest.skip_token68() {
            loop {
                match rest.parameter() {
                    Parameter::Some(name, value) => parameters.push((name, value)),
                    Parameter::None => break,
                    Parameter::Wrong => {
                        valid = false;
                        rest.skip_element();
                    }
                }
                rest.skip(" \t");
                if !rest.0.is_empty() && !rest.0.starts_with(',') {
                    valid = false;
                    rest.skip_element();
                }
                rest.skip(" \t,");
            }
        }
        let value = |name: &str| {
            parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        };
        if !valid {
            continue;
        }
        if scheme.eq_ignore_ascii_case("basic") {
            all.push(Challenge::Basic);
        } else if scheme.eq_ignore_ascii_case("bearer")
            && let Some(realm) = value("realm")
        {
            all.push(Challenge::Bearer { realm, service: value("service"), scope: value("scope") });
        }
    }
}

/// What is not read yet.
struct Cursor<'a>(&'a str);

/// What follows.
enum Parameter<'a> {
    Some(&'a str, String),
    /// A parameter without a value, or with a quote that does not end.
    Wrong,
    /// Something else: the next challenge, or nothing.
    None,
}

impl<'a> Cursor<'a> {
    /// Says whether there was any of it.
    fn skip(&mut self, letters: &str) -> bool {
        let rest = self.0.trim_start_matches(|letter| letters.contains(letter));
        let any = rest.len() < self.0.len();
        self.0 = rest;
        any
    }

    /// Up to the next comma outside of quotes.
    fn skip_element(&mut self) {
        let (mut quoted, mut escaped) = (false, false);
        let end = self.0.find(|letter| {
            match letter {
                '\\' if quoted && !escaped => {
                    escaped = true;
                    return false;
                }
                '"' if !escaped => quoted = !quoted,
                ',' if !quoted => return true,
                _ => {}
            }
            escaped = false;
            false
        });
        self.0 = end.and_then(|end| self.0.get(end..)).unwrap_or_default();
    }

    fn take(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|letter| !is_part(letter)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at_checked(end).unwrap_or_default();
        self.0 = rest;
        taken
    }

    fn token(&mut self) -> &'a str {
        self.take(|letter| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter))
    }

    /// `token68`: what Negotiate and others have instead of parameters. Says whether it was one.
    fn skip_token68(&mut self) -> bool {
        let mut after = Cursor(self.0);
        let any = !after.take(|letter| letter.is_ascii_alphanumeric() || "-._~+/".contains(letter)).is_empty();
        after.take(|letter| letter == '=');
        after.skip(" \t");
        // A single word could be a scheme without parameters only behind a comma.
        let is_one = any && (after.0.is_empty() || after.0.starts_with(','));
        if is_one {
            self.0 = after.0;
        }
        is_one
    }

    /// `token BWS "=" BWS ( token / quoted-string )`
    fn parameter(&mut self) -> Parameter<'a> {
        let mut after = Cursor(self.0);
        let name = after.token();
        after.skip(" \t");
        let Some(value) = after.0.strip_prefix('=').filter(|_| !name.is_empty()) else { return Parameter::None };
        after.0 = value;
        after.skip(" \t");
        let value = match after.0.strip_prefix('"') {
            Some(quoted) => {
                after.0 = quoted;
                after.quoted()
            }
            // Unquoted addresses break the grammar, and are common enough to be read.
            None => Some(after.take(|letter| !" \t,\"".contains(letter)).to_owned()).filter(|value| !value.is_empty()),
        };
        match value {
            Some(value) => {
                self.0 = after.0;
                Parameter::Some(name, value)
            }
            None => Parameter::Wrong,
        }
    }

    /// The rest of a quoted string, with `\X` for any `X`; `None` if it does not end.
    fn quoted(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut letters = self.0.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.0 = self.0.get(at.saturating_add(1)..)?;
                    return Some(value);
                }
                '\\' => value.push(letters.next()?.1),
                letter => value.push(letter),
            }
        }
        None
    }
}

/// The token in an answer of the token server, under either of its names.
pub(super) fn token(bytes: &[u8]) -> Result<String, serde_json::Error> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(bytes)?;
    let named = |token: Option<String>| token.filter(|token| !token.is_empty());
    named(answer.token)
        .or(named(answer.access_token))
        .ok_or_else(|| serde_json::Error::custom("neither token nor access_token"))
}

#[cfg(test)]
#[path = "auth_test.rs"]
mod tests;
