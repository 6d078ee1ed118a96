//! What the clock on the wall shows: takes seconds since 1970, gives a weekday and a minute.
//!
//! A zone is what the last line of a time zone file says (RFC 9636 section 3.3, POSIX `TZ`): two
//! offsets and the days on which they change. That holds until a law changes; zones whose law names
//! other days each year, as Morocco's, are held to their usual offset.

use tz::TimeZoneRef;
use tz::timezone::{AlternateTime, LocalTimeType, MonthWeekDay, RuleDay, TransitionRule};

use crate::octets::Octets;

/// The offset from UTC and when it changes.
///
/// ```
/// use filter_core::policy::TimeZone;
/// assert_eq!(TimeZone::UTC.minute_of_week(0), Some(3 * 24 * 60)); // a Thursday
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeZone(TransitionRule);

impl TimeZone {
    /// No offset.
    pub const UTC: TimeZone = TimeZone(TransitionRule::Fixed(LocalTimeType::utc()));

    /// The zone of a rule. `None` when its days are counted and not named by month, week and
    /// weekday; no zone in use is like that.
    #[cfg(feature = "build")]
    pub fn new(rule: TransitionRule) -> Option<TimeZone> {
        let is_named = match &rule {
            TransitionRule::Fixed(_) => true,
            TransitionRule::Alternate(rule) => [rule.dst_start(), rule.dst_end()]
                .into_iter()
                .all(|day| matches!(day, RuleDay::MonthWeekDay(_))),
        };
        // Names of offsets are for people; an image has none, so they are no part of a zone.
        is_named.then(|| TimeZone::read(&mut Octets::new(&TimeZone(rule).to_octets())))?
    }

    /// Minutes since the week began, on Monday at midnight; `None` at the ends of time.
    pub fn minute_of_week(&self, unix_s: i64) -> Option<u16> {
        const DAY_S: i64 = 86_400;
        let rule = Some(self.0);
        let zone = TimeZoneRef::new(&[], &ZONE_OF_NOTHING, &[], &rule).ok()?;
        let offset_s = zone.find_local_time_type(unix_s).ok()?.ut_offset();
        let local_s = unix_s.checked_add(i64::from(offset_s))?;
        // 1970 began on a Thursday.
        let from_monday_s = local_s.checked_add(3 * DAY_S)?.rem_euclid(7 * DAY_S);
        u16::try_from(from_monday_s / 60).ok()
    }

    /// Offset (i32), 0; or offset, 1, offset in summer, and when summer begins and ends: month,
    /// week, weekday (u8 each), seconds of that day (i32).
    pub(super) fn read(octets: &mut Octets<'_>) -> Option<TimeZone> {
        let standard = LocalTimeType::with_ut_offset(octets.u32()? as i32).ok()?;
        match octets.u8()? {
            0 => Some(TimeZone(TransitionRule::Fixed(standard))),
            1 => {
                let summer = LocalTimeType::new(octets.u32()? as i32, true, None).ok()?;
                let mut change = || {
                    let [month, week, weekday] = octets.array()?;
                    let day = MonthWeekDay::new(month, week, weekday).ok()?;
                    Some((RuleDay::MonthWeekDay(day), octets.u32()? as i32))
                };
                let (begin, end) = (change()?, change()?);
                let rule =
                    AlternateTime::new(standard, summer, begin.0, begin.1, end.0, end.1).ok()?;
                Some(TimeZone(TransitionRule::Alternate(rule)))
            }
            _ => None,
        }
    }

    #[cfg(feature = "build")]
    pub(super) fn to_octets(self) -> std::vec::Vec<u8> {
        let mut octets = std::vec::Vec::new();
        match self.0 {
            TransitionRule::Fixed(local) => {
                octets.extend(local.ut_offset().to_le_bytes());
                octets.push(0);
            }
            TransitionRule::Alternate(rule) => {
                octets.extend(rule.std().ut_offset().to_le_bytes());
                octets.push(1);
                octets.extend(rule.dst().ut_offset().to_le_bytes());
                for (day, time_s) in [
                    (rule.dst_start(), rule.dst_start_time()),
                    (rule.dst_end(), rule.dst_end_time()),
                ] {
                    if let RuleDay::MonthWeekDay(day) = day {
                        octets.extend([day.month(), day.week(), day.week_day()]);
                    }
                    octets.extend(time_s.to_le_bytes());
                }
            }
        }
        octets
    }
}

/// A zone without transitions in a table has to name a type all the same.
const ZONE_OF_NOTHING: [LocalTimeType; 1] = [LocalTimeType::utc()];

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(
        standard_h: i32,
        summer_h: i32,
        begin: (u8, u8, u8, i32),
        end: (u8, u8, u8, i32),
    ) -> TimeZone {
        let hours = |hours: i32| (hours * 3600).to_le_bytes();
        let change = |(month, week, weekday, at): (u8, u8, u8, i32)| {
            [&[month, week, weekday][..], &hours(at)].concat()
        };
        let octets =
            [&hours(standard_h)[..], &[1], &hours(summer_h), &change(begin), &change(end)].concat();
        TimeZone::read(&mut Octets::new(&octets)).unwrap()
    }

    #[test]
    fn summer_begins_and_ends_when_the_rule_says() {
        // Central Europe: the last Sundays of March at 2 and of October at 3.
        let paris = zone(1, 2, (3, 5, 0, 2), (10, 5, 0, 3));
        let at = |unix_s| paris.minute_of_week(unix_s).unwrap();
        let sunday = 6 * 1440;
        // 2026-03-29 00:59:59 and 01:00:00 UTC, 2026-10-25 00:59:59 and 01:00:00 UTC.
        assert_eq!(at(1_774_745_999), sunday + 119);
        assert_eq!(at(1_774_746_000), sunday + 180);
        assert_eq!(at(1_792_889_999), sunday + 179);
        assert_eq!(at(1_792_890_000), sunday + 120);
    }

    #[test]
    fn south_of_the_equator_summer_spans_the_new_year() {
        // Chile: the first Sunday on or after 2 September and of April.
        let santiago = zone(-4, -3, (9, 1, 0, 24), (4, 1, 0, 24));
        // 2026-01-01 00:00 UTC is Wednesday, 21:00 there; 2026-07-01 00:00 UTC Tuesday, 20:00.
        assert_eq!(santiago.minute_of_week(1_767_225_600), Some(2 * 1440 + 21 * 60));
        assert_eq!(santiago.minute_of_week(1_782_864_000), Some(1440 + 20 * 60));
    }

    #[test]
    fn any_octets_and_any_time_end_well() {
        let mut octets = [0; 24];
        for seed in 0..100_000u32 {
            for (octet, number) in octets.iter_mut().zip(0..) {
                *octet = (seed.wrapping_mul(2_654_435_761).wrapping_add(number * 97) >> 13) as u8;
            }
            octets[4] = 1;
            if let Some(zone) = TimeZone::read(&mut Octets::new(&octets)) {
                for unix_s in [i64::MIN, -1, 0, 1 << 40, i64::MAX] {
                    let _ = zone.minute_of_week(unix_s);
                }
            }
        }
    }
}
