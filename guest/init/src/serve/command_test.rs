use super::*;

fn user() -> User {
    User { uid: 1, gid: 1, groups: vec![], home: "/home/ada".to_owned() }
}

fn exec(env: &[&str]) -> Exec {
    Exec { env: env.iter().map(|&word| word.into()).collect(), ..Exec::new(["true"]) }
}

fn of<'a>(env: &'a [(OsString, OsString)], name: &str) -> Vec<&'a str> {
    env.iter().filter(|(known, _)| known == name).filter_map(|(_, value)| value.to_str()).collect()
}

#[test]
fn expected_variables_are_added_and_given_ones_stay() {
    let env = environment(&exec(&[]), &user());
    assert_eq!((of(&env, "PATH"), of(&env, "HOME")), (vec![DEFAULT_PATH], vec!["/home/ada"]));
    assert!(of(&env, "TERM").is_empty());
    let env = environment(&exec(&["HOME=/tmp", "PATH=", "TERM=dumb"]), &user());
    assert_eq!((of(&env, "HOME"), of(&env, "PATH"), of(&env, "TERM")), (vec!["/tmp"], vec![""], vec!["dumb"]));
}

#[test]
fn the_last_of_two_values_holds() {
    let env = environment(&exec(&["A=1", "A=b=c", "EMPTY"]), &user());
    assert_eq!((of(&env, "A"), of(&env, "EMPTY")), (vec!["b=c"], vec![""]));
}

#[test]
fn programs_are_sought_in_the_order_of_the_path() {
    let folder = tempfile::tempdir().unwrap();
    for (name, mode) in [("a/tool", 0o644), ("b/tool", 0o755), ("a/plain", 0o644)] {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }
    let found = |name: &str| find(OsStr::new(name), OsStr::new("a:b"), folder.path());
    assert_eq!(found("tool"), Ok(folder.path().join("b/tool")));
    assert!(matches!(found("plain"), Err(Ending::CannotExecute(_))));
    assert!(matches!(found("absent"), Err(Ending::NotFound(_))));
    assert!(matches!(found(""), Err(Ending::NotFound(_))));
    assert_eq!(found("./tool"), Ok(PathBuf::from("./tool")));
}

#[test]
fn a_missing_interpreter_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    fs::write(&script, "#! /no/such/shell -e\n").unwrap();
    let error = io::Error::from_raw_os_error(2);
    let told = |program: &Path| cannot_execute(program.as_os_str(), program, Path::new("/"), &error);
    let expected = format!("{}: /no/such/shell is missing", script.display());
    assert_eq!(told(&script), Ending::CannotExecute(expected));
    assert!(matches!(told(&folder.path().join("absent")), Ending::NotFound(_)));
}
