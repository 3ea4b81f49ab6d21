//! What a device's spec says about itself: the doc comments of its struct and fields, kept for people to read.
//!
//! [`device_spec!`](crate::device_spec) declares the struct and keeps its doc comments, so that the help of an option
//! and the manual's tables of keys are made of them and there is no second copy. Conventions:
//!
//! - the struct's comment says what the device is; a line `Example: KEYS` gives one;
//! - a field's comment begins with how its key is written, in backquotes (`` `path=FILE`: the image ``). A field whose
//!   comment does not is set by other means than its key, and is left out.

/// A spec that can say what it is. Implemented by [`device_spec!`](crate::device_spec).
pub trait Described {
    /// Its doc comments.
    const DESCRIPTION: Description;
}

/// The doc comments of a spec.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    /// Lines of the struct's comment; other attributes are `None`.
    pub lines: &'static [Option<&'static str>],
    /// Its fields.
    pub fields: &'static [Field],
}

/// A field of a spec.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Lines of its comment; other attributes are `None`.
    pub lines: &'static [Option<&'static str>],
    /// Whether it may be left out.
    pub optional: bool,
}

/// Words of doc comment lines as one text.
fn joined(lines: &[Option<&str>]) -> String {
    let lines: Vec<_> = lines.iter().flatten().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    lines.join(" ")
}

const EXAMPLE: &str = "Example:";

impl Description {
    /// What the device is.
    pub fn summary(&self) -> String {
        let all = joined(self.lines);
        all.split(EXAMPLE).next().unwrap_or_default().trim().to_owned()
    }

    /// Keys as a person may write them.
    pub fn example(&self) -> Option<&'static str> {
        self.lines.iter().flatten().find_map(|line| line.trim().strip_prefix(EXAMPLE)).map(str::trim)
    }

    /// All keys in one line, those that may be left out in brackets: `path=FILE[,readonly]`.
    pub fn usage(&self) -> String {
        let mut usage = String::new();
        for (index, (key, field)) in self.keyed().enumerate() {
            match (index, field.optional) {
                (0, _) => usage.push_str(key),
                (_, true) => usage.push_str(&format!("[,{key}]")),
                (_, false) => usage.push_str(&format!(",{key}")),
            }
        }
        usage
    }

    /// Each key, and what it means.
    pub fn keys(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.keyed().map(|(key, field)| {
            let text = joined(field.lines);
            let meaning = text.trim_start_matches('`').trim_start_matches(key).trim_start_matches(['`', ':']);
            (key, meaning.trim().to_owned())
        })
    }

    fn keyed(&self) -> impl Iterator<Item = (&'static str, Field)> {
        self.fields.iter().filter_map(|field| {
            let first = field.lines.iter().flatten().next()?;
            let (key, _) = first.trim().strip_prefix('`')?.split_once('`')?;
            Some((key, *field))
        })
    }
}

/// Declares a spec, a struct whose doc comments are kept: see [`describe`](crate::describe).
#[macro_export]
macro_rules! device_spec {
    ($(#[$($about:tt)*])* $vis:vis struct $name:ident {
        $($(#[$($attribute:tt)*])* $field_vis:vis $field:ident: $type:ty),* $(,)?
    }) => {
        $(#[$($about)*])*
        $vis struct $name {
            $($(#[$($attribute)*])* $field_vis $field: $type),*
        }

        impl $crate::describe::Described for $name {
            const DESCRIPTION: $crate::describe::Description = $crate::describe::Description {
                lines: &[$($crate::doc_line!($($about)*)),*],
                fields: &[$($crate::describe::Field {
                    lines: &[$($crate::doc_line!($($attribute)*)),*],
                    optional: false $(|| $crate::is_optional!($($attribute)*))*,
                }),*],
            };
        }
    };
}

/// The text of an attribute that is a line of a doc comment.
#[doc(hidden)]
#[macro_export]
macro_rules! doc_line {
    (doc = $line:literal) => {
        Some($line)
    };
    ($($other:tt)*) => {
        None
    };
}

/// Whether an attribute gives a field a default.
#[doc(hidden)]
#[macro_export]
macro_rules! is_optional {
    (serde(default $($rest:tt)*)) => {
        true
    };
    ($($other:tt)*) => {
        false
    };
}

#[cfg(test)]
#[path = "describe_test.rs"]
mod tests;
