//! Libraries neither print, nor end the process, nor read the command line: the program that uses them does.

use std::fs;
use std::path::{Path, PathBuf};

const LIBRARIES: [&str; 5] = ["launch", "machine", "virtio", "image", "memory"];
const FORBIDDEN: [&str; 5] = ["process::exit", "process::abort", "println!", "print!(", "env::args"];

/// Files of Rust below a folder that are no tests.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            sources(&path, found);
        } else if name.ends_with(".rs") && !name.ends_with("_test.rs") {
            found.push(path);
        }
    }
}

#[test]
fn libraries_do_not_print_exit_or_read_arguments() {
    let mut found = Vec::new();
    for library in LIBRARIES {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(library).join("src"), &mut found);
    }
    assert!(found.len() > 150, "only {} files", found.len());
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        for (number, line) in code {
            let line = line.split(" // ").next().unwrap_or_default();
            let bad = FORBIDDEN.iter().find(|word| line.contains(**word));
            assert!(bad.is_none(), "{}:{}: {line}", path.display(), number + 1);
        }
    }
}
