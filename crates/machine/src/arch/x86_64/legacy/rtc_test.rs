use super::*;

/// Registers as a driver reads them.
fn register(rtc: &mut Rtc, index: u8) -> u8 {
    rtc.write(0, index);
    rtc.read(1)
}

fn registers(rtc: &mut Rtc) -> [u8; 8] {
    [CENTURY, YEAR, MONTH, DAY, DAY_OF_WEEK, HOURS, MINUTES, SECONDS].map(|index| register(rtc, index))
}

/// Sunday, 2000-12-31 23:59:58 UTC.
fn eve() -> u64 {
    978_307_198
}

#[test]
fn the_time_is_in_bcd_and_utc() {
    let mut rtc = Rtc::telling(eve);
    assert_eq!(registers(&mut rtc), [0x20, 0x00, 0x12, 0x31, 1, 0x23, 0x59, 0x58]);
}

#[test]
fn a_guest_that_prefers_binary_gets_binary() {
    let mut rtc = Rtc::telling(eve);
    rtc.write(0, REGISTER_B);
    rtc.write(1, HOURS_24 | BINARY);
    assert_eq!(register(&mut rtc, REGISTER_B), HOURS_24 | BINARY);
    assert_eq!(registers(&mut rtc), [20, 0, 12, 31, 1, 23, 59, 58]);
}

#[test]
fn a_guest_cannot_set_the_time() {
    let mut rtc = Rtc::telling(eve);
    for index in 0..=u8::MAX {
        rtc.write(0, index);
        rtc.write(1, 0x11);
    }
    assert_eq!(registers(&mut rtc), [0x20, 0x00, 0x12, 0x31, 1, 0x23, 0x59, 0x58]);
}

#[test]
fn the_status_says_that_the_time_is_valid_and_no_update_and_no_interrupt_pends() {
    let mut rtc = Rtc::telling(eve);
    assert_eq!([REGISTER_A, REGISTER_B, 0x0c, REGISTER_D].map(|index| register(&mut rtc, index)), [0x26, 2, 0, 0x80]);
}

#[test]
fn the_top_bit_of_the_index_is_not_part_of_it() {
    let mut rtc = Rtc::telling(eve);
    assert_eq!(register(&mut rtc, 0x80 | SECONDS), 0x58);
}

#[test]
fn it_tells_the_time_of_the_host() {
    let mut rtc = Rtc::new();
    let year = u64::from(bcd_value(register(&mut rtc, CENTURY))) * 100 + u64::from(bcd_value(register(&mut rtc, YEAR)));
    assert!((2024..2200).contains(&year), "{year}");
}

fn bcd_value(bcd: u8) -> u8 {
    (bcd >> 4) * 10 + (bcd & 15)
}

#[test]
fn seconds_become_dates() {
    let dates = [
        (0, (1970, 1, 1), 5),
        (951_782_400, (2000, 2, 29), 3),
        (951_868_800, (2000, 3, 1), 4),
        (1_709_164_800, (2024, 2, 29), 5),
        (4_107_456_000, (2100, 2, 28), 1),
        (4_107_542_400, (2100, 3, 1), 2),
        (13_574_563_200, (2400, 2, 29), 3),
    ];
    for (seconds, (year, month, day), day_of_week) in dates {
        let time = Time::of(seconds);
        assert_eq!((time.year, time.month, time.day, time.day_of_week), (year, month, day, day_of_week), "{seconds}");
    }
}

/// Counting days by the rule for leap years gives the same calendar.
#[test]
fn every_day_of_five_centuries_follows_the_one_before() {
    let (mut year, mut month, mut day) = (1970, 1, 1);
    for days in 0..500 * 366_u64 {
        let time = Time::of(days * 86_400 + 86_399);
        assert_eq!((time.year, time.month, time.day), (year, month, day));
        assert_eq!((time.hour, time.minute, time.second), (23, 59, 59));
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let last = match month {
            2 => 28 + u8::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        day += 1;
        if day > last {
            (month, day) = (month + 1, 1);
        }
        if month > 12 {
            (year, month) = (year + 1, 1);
        }
    }
}
