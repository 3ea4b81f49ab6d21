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
    User::find(Some(name), &Files)
}

#[test]
fn nobody_named_is_root_without_a_look_at_the_files() {
    struct Unread;
    impl Accounts for Unread {
        fn passwd(&self) -> String {
            unreachable!()
        }
        fn group(&self) -> String {
            unreachable!()
        }
    }
    assert_eq!(User::find(None, &Unread), Ok(User::root()));
    assert_eq!(User::find(Some("0"), &Unread), Ok(User::root()));
}

#[test]
fn a_user_has_the_groups_that_list_it() {
    let ada = User { uid: 1000, gid: 100, groups: vec![100, 36], home: "/home/ada".to_owned() };
    assert_eq!(find("ada"), Ok(ada.clone()));
    assert_eq!(find("1000"), Ok(ada));
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
    assert!(find("").is_err());
}

#[test]
fn an_entry_without_a_home_has_the_root_folder() {
    assert_eq!(find("nobody").unwrap().home, "/");
}
