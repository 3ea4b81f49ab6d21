//! Text in HTML and SVG.

use illico_memory::voice::steers;

/// Text for between tags or in a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Not allowed in XML at all, or turning the order of what follows.
            c if steers(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guests_words_are_only_words() {
        assert_eq!(escape("<script>&\"'\x1b\0"), "&lt;script&gt;&amp;&quot;&#39;\u{fffd}\u{fffd}");
    }
}
