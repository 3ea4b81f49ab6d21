//! Every verb whose output nobody reads ends without a word: no panic, no complaint, and a status that says what ended it.

mod illico;

use std::fs;
use std::io::pipe;
use std::path::Path;

use illico::illico;

/// Every verb that prints without a machine, and the helps of all verbs.
const PRINT: [&[&str]; 14] = [
    &["doctor"],
    &["doctor", "--json"],
    &["images", "--json"],
    &["images"],
    &["kernel", "ls"],
    &["kernel", "ls", "--json"],
    &["ps", "--all"],
    &["ps", "--json"],
    &["prune"],
    &["completions", "bash"],
    &["stats", "--prometheus"],
    &["top", "--once", "--interval", "1"],
    &["top", "--json", "--interval", "1"],
    &["import", "root", "name"],
];

#[test]
fn a_reader_that_left_is_no_error_of_any_verb() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("root")).unwrap();
    fs::write(folder.path().join("root/file"), "content").unwrap();
    for arguments in PRINT {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut program = illico(folder.path());
        for variable in ["HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"] {
            program.env(variable, folder.path());
        }
        let ended = program.args(arguments).stdout(writer).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        // An empty table is nothing to print, so nothing is missed.
        assert!(matches!(ended.status.code(), Some(0 | 141)), "{arguments:?}: {:?}: {said}", ended.status);
        assert_eq!(said, "", "{arguments:?}");
    }
}

/// The verbs, as the help lists them.
fn verbs(folder: &Path) -> Vec<String> {
    let help = String::from_utf8(illico(folder).arg("help").output().unwrap().stdout).unwrap();
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).map_while(|line| line.strip_prefix("  "));
    let verbs: Vec<_> = lines.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    let verbs: Vec<_> = verbs.into_iter().filter(|verb| !verb.is_empty() && verb != "help").collect();
    assert!(verbs.len() > 20, "{verbs:?}");
    verbs
}

#[test]
fn help_that_nobody_reads_is_help() {
    let folder = tempfile::tempdir().unwrap();
    for verb in verbs(folder.path()) {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let ended = illico(folder.path()).args(["help", &verb]).stdout(writer).output().unwrap();
        assert!(ended.status.success(), "{verb}: {:?}", ended.status);
        assert!(ended.stderr.is_empty(), "{verb}: {}", String::from_utf8_lossy(&ended.stderr));
    }
}

#[test]
fn the_help_of_every_verb_has_its_statuses() {
    let folder = tempfile::tempdir().unwrap();
    for verb in verbs(folder.path()) {
        let help = illico(folder.path()).args(["help", &verb]).output().unwrap().stdout;
        let help = String::from_utf8(help).unwrap();
        assert!(help.contains("\nStatus:") && help.contains("125"), "{verb}:\n{help}");
    }
}
