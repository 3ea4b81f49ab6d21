//! Foreign `WWW-Authenticate` headers: reading them ends with a value, and what is read again is the same.

#![no_main]

use illico_image::auth::{Challenge, challenges};
use libfuzzer_sys::fuzz_target;

fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

fuzz_target!(|headers: Vec<String>| {
    let read = challenges(headers.iter().map(String::as_str));
    let written: Vec<String> = read
        .iter()
        .map(|challenge| match challenge {
            Challenge::Basic => "Basic".to_owned(),
            Challenge::Bearer { realm, service, scope } => {
                let parameter = |name: &str, value: &Option<String>| {
                    value.as_ref().map(|value| format!(", {name}={}", quoted(value))).unwrap_or_default()
                };
                let rest = [parameter("service", service), parameter("scope", scope)].concat();
                format!("Bearer realm={}{rest}", quoted(realm))
            }
        })
        .collect();
    assert_eq!(challenges([written.join(", ").as_str()]), read);
});
