//! A CMOS real-time clock, present only if the configuration asks for one: the time of day for kernels that know no other clock.
//!
//! The Motorola MC146818A (data sheet, "Address map" and "Registers") at ports 0x70 (index) and 0x71
//! (data), with the century where PCs have it. It tells the host's clock, in UTC: a guest that sets it
//! changes nothing. No alarm, no interrupts, no battery-backed memory; hours count to 24 always.
//!
//! The update-in-progress bit is never set. Seconds, minutes and so on are read one by one, and a second
//! may begin between two reads: as everywhere, a driver reads the seconds again at the end and starts
//! over if they changed.

use std::time::{SystemTime, UNIX_EPOCH};

/// The port of the index; the data is at the next one.
pub const PORT: u16 = crate::arch::acpi::RTC_PORT;
/// How many ports it has.
pub const PORTS: u16 = 2;

const SECONDS: u8 = 0x00;
const MINUTES: u8 = 0x02;
const HOURS: u8 = 0x04;
const DAY_OF_WEEK: u8 = 0x06;
const DAY: u8 = 0x07;
const MONTH: u8 = 0x08;
const YEAR: u8 = 0x09;
const REGISTER_A: u8 = 0x0a;
const REGISTER_B: u8 = 0x0b;
const REGISTER_D: u8 = 0x0d;
const CENTURY: u8 = crate::arch::acpi::RTC_CENTURY;

/// The index has seven bits; the eighth of its port masks NMIs, which there are none of.
const INDEX: u8 = 0x7f;
/// Register A: a 32,768 Hz time base, divided to 1,024 Hz. What every PC has there.
const TIME_BASE: u8 = 0x26;
/// Register B: the time in binary and not in BCD. The one bit that a guest may change.
const BINARY: u8 = 1 << 2;
/// Register B: 24 hours.
const HOURS_24: u8 = 1 << 1;
/// Register D: the clock has had power and is right.
const VALID: u8 = 1 << 7;

/// The clock.
#[derive(Debug)]
pub struct Rtc {
    /// Seconds since 1970 in UTC.
    now: fn() -> u64,
    index: u8,
    binary: bool,
}

impl Rtc {
    /// A clock that tells the host's time.
    pub fn new() -> Self {
        Self::telling(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }

    fn telling(now: fn() -> u64) -> Self {
        Self { now, index: 0, binary: false }
    }

    /// The guest reads a port, counted from the first.
    pub fn read(&self, offset: u8) -> u8 {
        if offset == 0 {
            // The index cannot be read back on a PC.
            return 0xff;
        }
        let time = Time::of((self.now)());
        let number = match self.index {
            SECONDS => time.second,
            MINUTES => time.minute,
            HOURS => time.hour,
            DAY_OF_WEEK => time.day_of_week,
            DAY => time.day,
            MONTH => time.month,
            YEAR => (time.year % 100) as u8,
            CENTURY => (time.year / 100) as u8,
            REGISTER_A => return TIME_BASE,
            REGISTER_B => return HOURS_24 | if self.binary { BINARY } else { 0 },
            REGISTER_D => return VALID,
            // Alarms, register C (no interrupt is pending), memory.
            _ => return 0,
        };
        if self.binary { number } else { bcd(number) }
    }

    /// The guest writes a port, counted from the first.
    pub fn write(&mut self, offset: u8, value: u8) {
        match (offset, self.index) {
            (0, _) => self.index = value & INDEX,
            (_, REGISTER_B) => self.binary = value & BINARY != 0,
            _ => {}
        }
    }
}

impl Default for Rtc {
    fn default() -> Self {
        Self::new()
    }
}

/// Binary-coded decimal, of a number below 100.
fn bcd(number: u8) -> u8 {
    ((number / 10) << 4) | (number % 10)
}

/// A moment in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Time {
    year: u64,
    /// From 1.
    month: u8,
    /// From 1.
    day: u8,
    /// From 1, which is Sunday.
    day_of_week: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

impl Time {
    /// The moment so many seconds after the beginning of 1970, in the Gregorian calendar.
    fn of(seconds: u64) -> Self {
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        // Counted from the 1st of March of the year 0, so that the leap day is the last of its year, and
        // every 400 years, which have 146,097 days, are alike.
        let days_from_march = days + 719_468;
        let (era, day) = (days_from_march / 146_097, days_from_march % 146_097);
        // Leap days that have passed: one in 1,460 days, but for centuries, but for this last one.
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day_of_year = day - (365 * year + year / 4 - year / 100);
        // From March on, months have 31, 30, 31, 30, 31 days, again and again: 153 in five.
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Self {
            year: 400 * era + year + u64::from(month <= 2),
            month: month as u8,
            day: (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u8,
            // The first day of 1970 was a Thursday.
            day_of_week: ((days + 4) % 7 + 1) as u8,
            hour: (second / 3_600) as u8,
            minute: (second / 60 % 60) as u8,
            second: (second % 60) as u8,
        }
    }
}

#[cfg(test)]
#[path = "rtc_test.rs"]
mod tests;
