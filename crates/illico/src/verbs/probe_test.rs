use super::*;

const LIMIT: Duration = Duration::from_secs(10);

fn kvm() -> Kvm {
    Kvm::open().expect("a usable /dev/kvm")
}

#[test]
fn an_experiment_is_heard_through_either_console() {
    for console in [Console::Uart, Console::Virtio] {
        let words = if console == Console::Uart { "console=uart probe=ring0" } else { "probe=ring0" };
        let config = Config { console, cmdline: words.to_owned(), ..config("") };
        let heard = run(&kvm(), &config, LIMIT).unwrap();
        assert_eq!(heard.end, End::PowerOff);
        assert!(heard.figure("ring0", "ratio").is_ok(), "{console:?}: {}", heard.said);
    }
}

#[test]
fn a_guest_that_never_ends_is_stopped() {
    let heard = run(&kvm(), &config("spin"), Duration::from_millis(1)).unwrap();
    assert_eq!(heard.end, End::Stopped);
    let error = heard.figure("spin", "cycles").unwrap_err().to_string();
    assert!(error.contains("took too long"), "{error}");
}

#[test]
fn an_error_shows_the_end_of_much_that_was_said() {
    let heard = run(&kvm(), &config("uart=4096"), LIMIT).unwrap();
    let error = heard.figure("uart", "colour").unwrap_err().to_string();
    assert!(error.len() < 500 && error.contains("probe: end"), "{error}");
}

#[test]
fn what_was_not_told_is_an_error_that_shows_what_was() {
    let heard = run(&kvm(), &config("exits=3"), LIMIT).unwrap();
    assert_eq!(heard.figure("exits", "count").unwrap(), 3);
    assert_eq!(heard.figure("exits", "port").unwrap(), 0x80);
    assert_eq!(heard.figures("exits", "count").unwrap(), [3]);
    let error = heard.figure("exits", "colour").unwrap_err().to_string();
    assert!(error.contains("colour") && error.contains("probe: exits count=3"), "{error}");
}
