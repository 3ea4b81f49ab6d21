use serde::Deserialize;

use super::*;

crate::device_spec! {
    /// A lamp
    /// in the corner.
    ///
    /// Example: bulb=E27,dim
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Lamp {
        /// `bulb=TYPE`: what
        /// it takes.
        bulb: String,
        /// `dim`: less light.
        #[serde(default)]
        dim: bool,
        /// `near=WHAT`: needed, too.
        near: String,
        /// Set by other means.
        #[serde(default)]
        colour: u8,
    }
}

#[test]
fn summary_and_example_come_from_the_structs_comment() {
    let about = Lamp::DESCRIPTION;
    assert_eq!(about.summary(), "A lamp in the corner.");
    assert_eq!(about.example(), Some("bulb=E27,dim"));
}

#[test]
fn optional_keys_are_in_brackets() {
    assert_eq!(Lamp::DESCRIPTION.usage(), "bulb=TYPE[,dim],near=WHAT");
}

#[test]
fn keys_have_their_fields_comments() {
    let keys: Vec<_> = Lamp::DESCRIPTION.keys().collect();
    let wanted = [("bulb=TYPE", "what it takes."), ("dim", "less light."), ("near=WHAT", "needed, too.")];
    assert_eq!(keys, wanted.map(|(key, meaning)| (key, meaning.to_owned())));
}
