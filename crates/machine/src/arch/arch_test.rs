//! docs/porting.md is the list of what a second architecture gives: it must not fall behind the code.

const PAGE: &str = include_str!("../../../../docs/porting.md");

/// The last names in the lines of a `mod.rs` that give something to the rest of the crate.
fn given(source: &str) -> Vec<&str> {
    let lines = source.lines().filter_map(|line| {
        line.strip_prefix("pub use ").or_else(|| line.strip_prefix("pub(crate) use ")).or(line.strip_prefix("pub mod "))
    });
    let words = lines.flat_map(|line| line.split(['{', '}', ',', ';', ' ']));
    words.filter_map(|word| word.rsplit("::").next()).filter(|name| !name.is_empty()).collect()
}

#[test]
fn the_page_about_porting_has_every_name_that_is_given() {
    let sources =
        [include_str!("x86_64/mod.rs"), include_str!("x86_64/boot/mod.rs"), include_str!("x86_64/kvm/mod.rs")];
    let names: Vec<&str> = sources.into_iter().flat_map(given).collect();
    assert!(names.contains(&"enter_at") && names.contains(&"PowerRequest"), "{names:?}");
    let lacking: Vec<_> = names.into_iter().filter(|name| !PAGE.contains(*name)).collect();
    assert!(lacking.is_empty(), "docs/porting.md lacks {lacking:?}");
}
