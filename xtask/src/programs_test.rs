//! Libraries of this machine's own programs.

use std::path::{Path, PathBuf};

use super::{libraries, parse_ldd};

#[test]
fn ldd_names_libraries_and_the_loader() {
    let listing = "\tlinux-vdso.so.1 (0x00007ffd0)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f2)\n";
    let expected = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
    assert_eq!(parse_ldd(listing), expected);
}

#[test]
fn this_test_needs_the_c_library() {
    let own = std::env::current_exe().expect("the test knows its program");
    let found = libraries(&own).expect("ldd is there");
    assert!(found.iter().any(|path| path.ends_with("libc.so.6")), "{found:?}");
    assert!(found.iter().all(|path| path.is_file()), "{found:?}");
}

#[test]
fn a_file_that_is_no_program_needs_nothing() {
    assert_eq!(libraries(Path::new("/etc/passwd")).expect("readable"), Vec::<PathBuf>::new());
}
