use super::*;

#[test]
fn statuses_are_those_of_a_shell() {
    assert_eq!(Ending::Exited(3).status(), 3);
    assert_eq!(Ending::Signalled(9).status(), 137);
    assert_eq!(Ending::CannotExecute(String::new()).status(), 126);
    assert_eq!(Ending::NotFound(String::new()).status(), 127);
    assert_eq!(Ending::Failed(String::new()).status(), 125);
}

#[test]
fn a_signal_that_does_not_exist_is_still_a_status() {
    assert_eq!(Ending::Signalled(200).status(), 255);
}

#[test]
fn a_long_reason_is_cut_between_characters() {
    let Ending::Failed(reason) = Ending::Failed("é".repeat(5000)).bounded() else { unreachable!() };
    assert_eq!(reason, "é".repeat(2048));
}
