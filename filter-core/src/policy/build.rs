//! Writes a policy section: takes profiles, schedules and clients, gives what
//! [`Policies`](super::Policies) reads; the layout is told there.

use core::fmt;
use std::string::{String, ToString};
use std::vec::Vec;

use super::clients::ClientMatch;
use super::schedule::Schedule;
use super::section::BLOCK_ANSWERS;
use super::time_zone::TimeZone;
use super::{Policy, Reason};
use crate::rule::CategorySet;

/// Collects a place's policies. The first profile is that of clients nobody has listed, unless
/// another one is named.
#[derive(Clone, Debug)]
pub struct PolicyBuilder {
    profiles: Vec<(String, Policy)>,
    schedules: Vec<Schedule>,
    clients: Vec<(u8, ClientMatch)>,
    /// The index of the profile of clients that are not listed.
    pub usual_profile: u8,
    /// Whether schedules are taken lightly while the clock is unset.
    pub is_unset_clock_lenient: bool,
    /// Where the hours of schedules are told.
    pub time_zone: TimeZone,
}

impl PolicyBuilder {
    /// No profiles, in UTC, strict while the clock is unset.
    pub fn new() -> PolicyBuilder {
        PolicyBuilder {
            profiles: Vec::new(),
            schedules: Vec::new(),
            clients: Vec::new(),
            usual_profile: 0,
            is_unset_clock_lenient: false,
            time_zone: TimeZone::UTC,
        }
    }

    /// Adds a profile and gives its index.
    ///
    /// # Errors
    /// When there are 64 already, the id is taken, empty or longer than 255 octets.
    pub fn profile(&mut self, id: &str, policy: Policy) -> Result<u8, PolicyError> {
        let is_taken = self.profiles.iter().any(|(other, _)| other == id);
        if id.is_empty() || id.len() > 255 || is_taken {
            return Err(PolicyError::ProfileId(id.to_string()));
        }
        if self.profiles.len() == PROFILES_MAX {
            return Err(PolicyError::TooMany("profiles", PROFILES_MAX));
        }
        self.profiles.push((id.to_string(), policy));
        Ok(self.profiles.len() as u8 - 1)
    }

    /// Changes a profile at some hours; later ones go over earlier ones. Mandated categories cannot
    /// be allowed: they stay blocked.
    pub fn schedule(&mut self, schedule: Schedule) {
        self.schedules.push(schedule);
    }

    /// Gives a client a profile. A network card goes before an address, a smaller network before a
    /// larger one.
    pub fn client(&mut self, client: ClientMatch, profile: u8) {
        self.clients.push((profile, client));
    }

    /// Writes the section.
    ///
    /// # Errors
    /// When there is no profile, an index is of none, a time is none, or there are too many of
    /// something.
    pub fn finish(&self) -> Result<Vec<u8>, PolicyError> {
        let is_profile = |profile: u8| usize::from(profile) < self.profiles.len();
        let named = self.schedules.iter().map(|schedule| schedule.profile);
        let named = named.chain(self.clients.iter().map(|(profile, _)| *profile));
        if let Some(profile) = named.chain([self.usual_profile]).find(|&index| !is_profile(index)) {
            return Err(PolicyError::NoProfile(profile));
        }
        if self.schedules.iter().any(|schedule| schedule.from >= 1440 || schedule.to > 1440) {
            return Err(PolicyError::Time);
        }
        let mut section = Vec::from([self.usual_profile, self.is_unset_clock_lenient.into()]);
        section.extend(self.time_zone.to_octets());
        section.push(self.profiles.len() as u8);
        for (id, policy) in &self.profiles {
            write_profile(&mut section, id, policy);
        }
        let count = u8::try_from(self.schedules.len());
        section.push(count.map_err(|_| PolicyError::TooMany("schedules", u8::MAX.into()))?);
        self.schedules.iter().for_each(|schedule| schedule.write(&mut section));
        let count = u16::try_from(self.clients.len());
        let count = count.map_err(|_| PolicyError::TooMany("clients", u16::MAX.into()))?;
        section.extend(count.to_le_bytes());
        let mut clients = self.clients.clone();
        clients.sort_by_key(|(_, client)| u8::MAX - client.rank());
        for (profile, client) in &clients {
            section.push(*profile);
            client.write(&mut section);
        }
        Ok(section)
    }
}

impl Default for PolicyBuilder {
    fn default() -> Self {
        PolicyBuilder::new()
    }
}

const PROFILES_MAX: usize = 64;

fn write_profile(section: &mut Vec<u8>, id: &str, policy: &Policy) {
    write_text(section, id);
    section.extend(policy.enabled.union(CategorySet::MANDATED).0.to_le_bytes());
    let is_request = policy.reason == Reason::Request;
    section.extend([u8::from(is_request), policy.keeps_resolver.into()]);
    section.extend([policy.search as u8, policy.video as u8]);
    section.extend(policy.ttl_s.to_le_bytes());
    match policy.page.ipv4 {
        Some(address) => section.extend([&[4][..], &address.octets()].concat()),
        None => section.push(0),
    }
    match policy.page.ipv6 {
        Some(address) => section.extend([&[16][..], &address.octets()].concat()),
        None => section.push(0),
    }
    write_text(section, policy.operator());
    write_text(section, policy.contact());
    let code = |bit: u8| {
        let answer = policy.answer(CategorySet::of(bit));
        BLOCK_ANSWERS.iter().position(|&other| other == answer).unwrap_or(0) as u8
    };
    section.extend((0..16).map(|index| code(2 * index) | code(2 * index + 1) << 4));
}

/// Of at most 255 octets.
fn write_text(section: &mut Vec<u8>, text: &str) {
    section.push(text.len() as u8);
    section.extend(text.as_bytes());
}

/// Why there is no policy section.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyError {
    /// An id that is taken, empty or too long.
    ProfileId(String),
    /// More of something than there is room for.
    TooMany(&'static str, usize),
    /// An index that is of no profile.
    NoProfile(u8),
    /// A minute that no day has.
    Time,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PolicyError::ProfileId(id) => {
                write!(f, "profile id `{id}`: give each profile its own, of 1 to 255 octets")
            }
            PolicyError::TooMany(what, most) => write!(f, "more than {most} {what}"),
            PolicyError::NoProfile(index) => write!(f, "there is no profile {index}"),
            PolicyError::Time => f.write_str("a day has the minutes 0 to 1439"),
        }
    }
}

impl core::error::Error for PolicyError {}

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use super::super::{BlockAnswer, Clock, Days, Page, Policies};
    use super::*;
    use crate::rewrites::Restriction;
    use crate::rule::Action;

    const NIGHT: CategorySet = CategorySet::of(10);
    const GAMES: CategorySet = CategorySet::of(11);

    fn school() -> Policy {
        let mut policy = Policy::new(CategorySet::of(2).union(NIGHT));
        policy.reason = Reason::Request;
        policy.keeps_resolver = false;
        policy.search = Restriction::Strict;
        policy.video = Restriction::Moderate;
        policy.ttl_s = 60;
        policy.page = Page { ipv4: Some([192, 0, 2, 1].into()), ipv6: None };
        policy.set_operator("École d’exemple");
        policy.set_contact("mailto:direction@ecole.example");
        policy.set_answer(CategorySet::of(31), BlockAnswer::Refused);
        policy.set_answer(CategorySet::of(2), BlockAnswer::Page);
        policy
    }

    fn builder() -> PolicyBuilder {
        let mut builder = PolicyBuilder::new();
        let open = builder.profile("open", Policy::new(CategorySet::EMPTY)).unwrap();
        let school = builder.profile("school", self::school()).unwrap();
        let hours = |action, categories, from, to| Schedule {
            profile: school,
            action,
            categories,
            days: Days::ALL,
            from,
            to,
        };
        builder.schedule(hours(Action::Block, GAMES, 8 * 60, 16 * 60));
        builder.schedule(hours(Action::Allow, NIGHT, 12 * 60, 13 * 60));
        let network = |address: &str, len| ClientMatch::Network {
            address: address.parse::<IpAddr>().unwrap(),
            len,
        };
        builder.client(network("10.0.0.0", 8), school);
        builder.client(network("10.0.0.9", 32), open);
        builder.client(network("2001:db8::", 32), school);
        builder.client(ClientMatch::Mac([2, 0, 0, 0, 0, 7]), school);
        builder
    }

    #[test]
    fn what_is_written_is_read() {
        let section = builder().finish().unwrap();
        let policies = Policies::from_section(&section).unwrap();
        let mut expected = school();
        expected.enabled = expected.enabled.union(CategorySet::MANDATED);
        assert_eq!(policies.profiles().nth(1).unwrap().policy, expected);
        assert_eq!((policies.find("school"), policies.find("none")), (Some(1), None));
        let profile = |address: &str, mac| policies.profile_of(address.parse().unwrap(), mac);
        assert_eq!(profile("10.0.0.8", None), 1);
        assert_eq!(profile("::ffff:10.0.0.8", None), 1);
        assert_eq!(profile("10.0.0.9", None), 0);
        assert_eq!(profile("10.0.0.9", Some([2, 0, 0, 0, 0, 7])), 1);
        assert_eq!((profile("192.0.2.1", None), profile("2001:db8::1", None)), (0, 1));
    }

    #[test]
    fn schedules_change_a_profile_and_an_unset_clock_is_strict() {
        let enabled = |builder: &PolicyBuilder, clock| {
            let section = builder.finish().unwrap();
            Policies::from_section(&section).unwrap().policy(1, clock).unwrap().enabled
        };
        let mut builder = builder();
        let has = |clock, builder: &PolicyBuilder| {
            let enabled = enabled(builder, clock);
            (enabled.contains(GAMES), enabled.contains(NIGHT))
        };
        let at = |hour: i64| Clock::Unix(hour * 3600);
        assert_eq!(has(at(7), &builder), (false, true));
        assert_eq!(has(at(9), &builder), (true, true));
        assert_eq!(has(at(12), &builder), (true, false));
        assert_eq!(has(at(16), &builder), (false, true));
        assert_eq!(has(Clock::Unset, &builder), (true, true));
        builder.is_unset_clock_lenient = true;
        assert_eq!(has(Clock::Unset, &builder), (false, false));
    }

    #[test]
    fn mistakes_are_told() {
        let mut builder = builder();
        let taken = builder.profile("open", Policy::new(CategorySet::EMPTY));
        assert_eq!(taken, Err(PolicyError::ProfileId("open".into())));
        builder.client(ClientMatch::Mac([0; 6]), 9);
        assert_eq!(builder.finish(), Err(PolicyError::NoProfile(9)));
        assert_eq!(PolicyBuilder::new().finish(), Err(PolicyError::NoProfile(0)));
    }

    #[test]
    fn damaged_sections_do_no_harm() {
        let section = builder().finish().unwrap();
        for at in 0..section.len() {
            assert!(Policies::from_section(&section[..at]).is_none());
            for bit in 0..8 {
                let mut damaged = section.clone();
                damaged[at] ^= 1 << bit;
                let Some(policies) = Policies::from_section(&damaged) else { continue };
                for profile in 0..3 {
                    let _ = policies.policy(profile, Clock::Unix(1 << 33));
                }
                let _ = policies.profile_of([10, 0, 0, 9].into(), None);
            }
        }
    }
}
