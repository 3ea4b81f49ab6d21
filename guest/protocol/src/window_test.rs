use super::*;

#[test]
fn a_window_closes_when_it_is_full_and_opens_as_it_is_taken() {
    let mut window = StdinWindow::new();
    assert!(window.sent(STDIN_WINDOW as usize));
    assert_eq!(window.room(), 0);
    assert!(!window.sent(1));
    assert!(window.taken(10));
    assert_eq!(window.room(), 10);
}

#[test]
fn nobody_takes_what_was_not_sent() {
    let mut window = StdinWindow::new();
    assert!(window.sent(3));
    assert!(!window.taken(4));
    assert_eq!(window.room(), STDIN_WINDOW as usize - 3);
    assert!(!window.sent(usize::MAX));
}
