use super::*;

fn case() -> Vec<u8> {
    CASE.iter().map(|byte| byte.unwrap_or(0x5a)).collect()
}

#[test]
fn the_store_and_nothing_else_is_replaced() {
    let original = [vec![0x41; 1000], case(), vec![0x89; 1000]].concat();
    let patched = patch(original.clone()).expect("one match");
    let changed: Vec<usize> = (0..original.len()).filter(|&at| original[at] != patched[at]).collect();
    assert!(changed.iter().all(|at| (1000 + STORE..1000 + STORE + 6).contains(at)), "{changed:?}");
    assert_eq!(patched[1000 + STORE..][..6], NO_OPERATION);
}

#[test]
fn a_build_without_or_with_two_matches_is_refused() {
    assert_eq!(patch(vec![0x41; 5000]), Err(0));
    assert_eq!(patch([case(), case()].concat()), Err(2));
}

#[test]
fn a_patched_program_is_not_patched_twice() {
    assert_eq!(patch(patch(case()).expect("one match")), Err(0));
}
