use super::*;

struct Files;

impl Accounts for Files {
    fn passwd(&self) -> String {
        "root:x:0:0:root:/root:/bin/bash\nbroken\nada:x:1000:100:Ada:/home/ada:/bin/sh\nnobody:x:65534:65534:::\n"
            .to_owned()
    }

    fn group(&self) -> String {
        "root:x:0:\nusers:x:100:ada\nkvm:x:36:bob,ada\nodd:x:many:ada\nwheel:x:10:adam\n".to_owned()
    }
}

fn find(name: &str) -> Result<User, String> {
    User::find(Some(name), true, &Files)
}

/// An image's files in which root has a home and groups of its own, and one group's entry is long.
struct Roots;

impl Accounts for Roots {
    fn passwd(&self) -> String {
        "root:x:0:0:root:/home/admin:/bin/sh\n".to_owned()
    }

    fn group(&self) -> String {
        let many: String = (100..300).map(|gid| format!("g{gid}:x:{gid}:root\n")).collect();
        format!("root:x:0:root\nbin:x:1:root,bin,daemon\n{many}")
    }
}

#[test]
fn root_has_the_home_and_groups_of_its_entry() {
    let groups: Vec<u32> = [0, 1].into_iter().chain(100..300).collect();
    let root = User { uid: 0, gid: 0, groups, home: "/home/admin".to_owned() };
    for name in [None, Some("root"), Some("0"), Some(""), Some("root:"), Some("0:")] {
        assert_eq!(User::find(name, true, &Roots), Ok(root.clone()), "{name:?}");
    }
    for (name, gid) in [(":bin", 1), (":7", 7), ("root:bin", 1), ("0:0", 0)] {
        assert_eq!(User::find(Some(name), true, &Roots), Ok(User { gid, groups: vec![], ..root.clone() }), "{name:?}");
    }
}

#[test]
fn without_files_there_are_only_numbers() {
    struct Nothing;
    impl Accounts for Nothing {
        fn passwd(&self) -> String {
            String::new()
        }
        fn group(&self) -> String {
            String::new()
        }
    }
    let root = User { uid: 0, gid: 0, groups: vec![], home: "/".to_owned() };
    assert_eq!(User::find(None, true, &Nothing), Ok(root.clone()));
    assert_eq!(User::find(Some("7:8"), true, &Nothing), Ok(User { uid: 7, gid: 8, ..root }));
    assert!(User::find(Some("root"), true, &Nothing).is_err());
}

#[test]
fn numbers_alone_need_no_look_at_the_files() {
    struct Unread;
    impl Accounts for Unread {
        fn passwd(&self) -> String {
            unreachable!()
        }
        fn group(&self) -> String {
            unreachable!()
        }
    }
    let user = User { uid: 0, gid: 7, groups: vec![], home: "/".to_owned() };
    assert_eq!(User::find(Some("0:7"), false, &Unread), Ok(user.clone()));
    assert_eq!(User::find(Some(":7"), false, &Unread), Ok(user));
}

#[test]
fn numbers_that_the_kernel_does_not_take_are_refused() {
    assert_eq!(find("4294967295").unwrap_err(), "the user 4294967295 is above 2147483647");
    assert_eq!(find("1:99999999999").unwrap_err(), "the group 99999999999 is above 2147483647");
}

#[test]
fn a_user_has_the_groups_that_list_it() {
    let ada = User { uid: 1000, gid: 100, groups: vec![100, 36], home: "/home/ada".to_owned() };
    assert_eq!(find("ada"), Ok(ada.clone()));
    assert_eq!(find("1000"), Ok(ada));
}

#[test]
fn all_of_many_groups_are_found() {
    let group: String = (0..300).map(|gid| format!("g{gid}:x:{gid}:ada,eve\n")).collect();
    assert_eq!(groups_of("ada", 100, &group).len(), 300);
}

#[test]
fn a_named_group_stands_alone() {
    let user = find("ada:kvm").unwrap();
    assert_eq!((user.gid, user.groups), (36, vec![]));
    assert_eq!(find("ada:7").unwrap().gid, 7);
}

#[test]
fn a_number_needs_no_entry_and_a_name_does() {
    assert_eq!(find("4242"), Ok(User { uid: 4242, gid: 0, groups: vec![], home: "/".to_owned() }));
    assert_eq!(find("eve").unwrap_err(), "there is no user \"eve\" in the guest's /etc/passwd");
    assert_eq!(find("ada:eve").unwrap_err(), "there is no group \"eve\" in the guest's /etc/group");
}

#[test]
fn an_entry_without_a_home_has_the_root_folder() {
    assert_eq!(find("nobody").unwrap().home, "/");
}
