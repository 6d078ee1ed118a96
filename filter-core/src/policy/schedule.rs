//! Hours at which a profile is another one: takes a minute of the week, tells whether they are now.

use crate::octets::Octets;
use crate::rule::{Action, CategorySet};

/// Days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(u8);

impl Days {
    /// All seven.
    pub const ALL: Days = Days(0x7F);

    /// Those among Monday, 0, to Sunday, 6.
    pub fn of(days: impl IntoIterator<Item = u8>) -> Days {
        Days(days.into_iter().fold(0, |set, day| set | 1u8.checked_shl(day.into()).unwrap_or(0)))
    }

    fn contain(self, day: u16) -> bool {
        self.0.checked_shr(day.into()).unwrap_or(0) & 1 == 1
    }
}

/// Categories that are blocked, or not blocked, at some hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Index of the profile it changes.
    pub profile: u8,
    /// What is done with the categories.
    pub action: Action,
    /// The categories.
    pub categories: CategorySet,
    /// The days on which it begins.
    pub days: Days,
    /// The minute of such a day at which it begins.
    pub from: u16,
    /// The minute before which it ends: of the next day, when it is not behind `from`.
    pub to: u16,
}

impl Schedule {
    /// Whether it holds in this minute of the week, counted from Monday at midnight.
    pub fn holds(&self, minute_of_week: u16) -> bool {
        let (day, minute) = (minute_of_week / MINUTES_OF_DAY, minute_of_week % MINUTES_OF_DAY);
        let yesterday = if day == 0 { 6 } else { day - 1 };
        if self.from < self.to {
            return self.days.contain(day) && (self.from..self.to).contains(&minute);
        }
        (self.days.contain(day) && minute >= self.from)
            || (self.days.contain(yesterday) && minute < self.to)
    }

    pub(super) fn read(octets: &mut Octets<'_>) -> Option<Schedule> {
        let profile = octets.u8()?;
        let action = match octets.u8()? {
            0 => Action::Block,
            1 => Action::Allow,
            _ => return None,
        };
        let (days, from, to) = (Days(octets.u8()?), octets.u16()?, octets.u16()?);
        if from >= MINUTES_OF_DAY || to > MINUTES_OF_DAY {
            return None;
        }
        let categories = CategorySet(octets.u32()?);
        Some(Schedule { profile, action, categories, days, from, to })
    }

    #[cfg(feature = "build")]
    pub(super) fn write(&self, octets: &mut std::vec::Vec<u8>) {
        octets.extend([self.profile, u8::from(self.action == Action::Allow), self.days.0]);
        octets.extend(self.from.to_le_bytes());
        octets.extend(self.to.to_le_bytes());
        octets.extend(self.categories.0.to_le_bytes());
    }
}

const MINUTES_OF_DAY: u16 = 24 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(days: Days, from: u16, to: u16) -> Schedule {
        let categories = CategorySet::of(14);
        Schedule { profile: 0, action: Action::Block, categories, days, from, to }
    }

    #[test]
    fn hours_end_on_the_day_they_began_or_the_next() {
        let (monday, tuesday, sunday) = (0, 1440, 6 * 1440);
        let school = schedule(Days::of(0..5), 8 * 60, 16 * 60);
        assert!(school.holds(monday + 480) && school.holds(monday + 959));
        assert!(!school.holds(monday + 479) && !school.holds(monday + 960));
        assert!(!school.holds(sunday + 600));
        // From Sunday at 21:00 to Monday at 6:30.
        let night = schedule(Days::of([6]), 21 * 60, 390);
        assert!(night.holds(sunday + 1260) && night.holds(sunday + 1439) && night.holds(monday));
        assert!(night.holds(389) && !night.holds(390) && !night.holds(tuesday));
        assert!(!night.holds(sunday));
        // The whole day.
        let day = schedule(Days::of([1]), 0, 0);
        assert!(day.holds(tuesday) && day.holds(tuesday + 1439));
        assert!(!day.holds(monday + 1439) && !day.holds(tuesday + 1440));
        let day = schedule(Days::of([1]), 0, 1440);
        assert!(day.holds(tuesday + 1439) && !day.holds(tuesday + 1440));
    }
}
