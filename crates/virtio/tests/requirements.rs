//! The table of requirements in docs/devices.md names tests that exist.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// Names of all functions below a folder.
fn functions(folder: &Path, found: &mut HashSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.lines().filter_map(|line| line.trim_start().strip_prefix("fn ")?.split(['(', '<']).next());
            found.extend(names.map(str::to_owned));
        }
    }
}

#[test]
fn each_test_in_the_table_exists() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = HashSet::new();
    functions(crate_folder, &mut found);
    let page = fs::read_to_string(crate_folder.join("../../docs/devices.md")).unwrap();
    let (_, table) = page.split_once("| VirtIO 1.3 |").expect("the table");
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with('|')).skip(1).collect();
    assert!(rows.len() > 50);
    for row in rows {
        let tests = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
        let names: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test in {row}");
        for name in names {
            assert!(found.contains(name), "no test is called {name}: {row}");
        }
    }
}
