//! `path=disk.img,readonly,queues=2` as a serde format: the same structure that a configuration file
//! fills is filled from one word of the command line.
//!
//! A bare key is `true`. A value ends at a comma; `,,` is a comma in it.

use std::fmt;
use std::str::FromStr;

use serde::de::value::{MapDeserializer, StringDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};

/// What is wrong with the text, in words that name the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyValueError(String);

impl serde::de::Error for KeyValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Reads a structure from `key=value,key`.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, KeyValueError> {
    let mut pairs: Vec<(String, Value)> = Vec::new();
    for part in split(text) {
        let (key, value) = match part.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (part.as_str(), None),
        };
        if key.is_empty() {
            return Err(KeyValueError(format!("{text:?}: expected KEY=VALUE,KEY,...")));
        }
        if pairs.iter().any(|(other, _)| other == key) {
            return Err(KeyValueError(format!("{key:?} is given twice")));
        }
        pairs.push((key.to_owned(), Value { key: key.to_owned(), text: value }));
    }
    T::deserialize(MapDeserializer::new(pairs.into_iter()))
}

fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == ',' && letters.next_if_eq(&',').is_none() {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    parts
}

/// The value of one key, read as whatever type its field has.
struct Value {
    key: String,
    text: Option<String>,
}

impl Value {
    fn text(self) -> Result<String, KeyValueError> {
        let key = self.key;
        self.text.ok_or_else(|| KeyValueError(format!("{key:?} wants a value: {key}=...")))
    }

    fn parse<T: FromStr>(self, what: &str) -> Result<T, KeyValueError> {
        let key = self.key.clone();
        let text = self.text()?;
        text.parse().map_err(|_| KeyValueError(format!("{key}={text}: not {what}")))
    }
}

impl IntoDeserializer<'_, KeyValueError> for Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $number:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, KeyValueError> {
            visitor.$visit(self.parse::<$number>("a number that fits here")?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Value {
    type Error = KeyValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, KeyValueError> {
        match self.text {
            Some(text) => visitor.visit_string(text),
            None => visitor.visit_bool(true),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, KeyValueError> {
        match self.text.as_deref() {
            None | Some("true" | "on" | "yes") => visitor.visit_bool(true),
            Some("false" | "off" | "no") => visitor.visit_bool(false),
            Some(other) => Err(KeyValueError(format!("{}={other}: neither on nor off", self.key))),
        }
    }

    numbers! {
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, KeyValueError> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, KeyValueError> {
        let key = self.key.clone();
        let text = self.text()?;
        if !variants.contains(&text.as_str()) {
            return Err(KeyValueError(format!("{key}={text}: expected one of {}", variants.join(", "))));
        }
        StringDeserializer::new(text).deserialize_enum(name, variants, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, KeyValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, KeyValueError> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, KeyValueError> {
        self.deserialize_string(visitor)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct
        map struct identifier ignored_any
    }
}

/// A single value that is not `key=value`, such as that of a console.
pub fn word<T: DeserializeOwned>(option: &str, text: &str) -> Result<T, KeyValueError> {
    let value = Value { key: option.to_owned(), text: Some(text.to_owned()) };
    std::marker::PhantomData::<T>.deserialize(value)
}

#[cfg(test)]
#[path = "key_value_test.rs"]
mod tests;
