use std::fmt;

use super::*;

/// An error that says `text` and, below it, why.
#[derive(Debug)]
struct Layer(&'static str, Option<Box<Layer>>);

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Layer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|layer| layer as _)
    }
}

#[test]
fn reasons_follow_on_the_same_line_and_none_is_said_twice() {
    let inner = Layer("no such file", None);
    let transparent = Layer("cannot open it", Some(Box::new(Layer("cannot open it", Some(Box::new(inner))))));
    let error = Layer("--kernel", Some(Box::new(transparent)));
    assert_eq!(error_lines(&error), ["--kernel: cannot open it: no such file"]);
}

#[test]
fn several_mistakes_are_several_lines() {
    assert_eq!(error_lines(&Layer("--cpus: 0\n--memory: 0", None)), ["--cpus: 0", "--memory: 0"]);
}

#[test]
fn a_mistake_in_usage_is_one_line_with_the_tip() {
    let text = "error: unexpected argument '--dsk' found\n\n  tip: a similar argument exists: '--disk'\n\n\
                Usage: illico boot --disk <path=FILE>\n\nFor more information, try '--help'.\n";
    assert_eq!(
        usage_line(text),
        "unexpected argument '--dsk' found; tip: a similar argument exists: '--disk'; `illico help` explains"
    );
}
