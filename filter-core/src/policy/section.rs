//! The policy section of an image: takes its octets, gives [`Policies`].
//!
//! # Layout
//!
//! | what | octets |
//! |---|---|
//! | profile of clients not listed; whether an unset clock is taken lightly (0 or 1) | u8 each |
//! | time zone | offset (i32), 0; or offset, 1, offset in summer (i32), and for its begin and its end: month, week, weekday (u8 each), seconds of that day (i32) |
//! | profiles | count (u8); for each: id (text), categories (u32), reason, flags (bit 0: keeps the resolver), search, video (u8 each), time to live (u32), page for A (u8: 0 or 4, then the address), page for AAAA (u8: 0 or 16, then the address), operator (text), contact (text), answers (16 octets, four bits for each category, lowest first) |
//! | schedules | count (u8); for each: profile, action (0 block, 1 allow), days (u8 each, Monday lowest), from, to (u16, minutes), categories (u32) |
//! | clients | count (u16); for each: profile, kind (u8: 4, 6 or 48), bits that count (u8), address; the first that is meant counts |

use core::net::IpAddr;

use super::clients::ClientMatch;
use super::schedule::Schedule;
use super::time_zone::TimeZone;
use super::{BlockAnswer, Page, Policy, Reason};
use crate::octets::Octets;
use crate::rewrites::Restriction;
use crate::rule::{Action, CategorySet};

/// What a place wants done: profiles, when they change, and which client has which; read in place.
///
/// Holding one proves that everything in it can be read and that every index in it is of a profile.
///
/// ```
/// # #[cfg(feature = "build")] {
/// use filter_core::CategorySet;
/// use filter_core::policy::{ClientMatch, Clock, Policies, Policy, PolicyBuilder};
///
/// let mut builder = PolicyBuilder::new();
/// builder.profile("school", Policy::new(CategorySet::of(20)))?;
/// let staff = builder.profile("staff", Policy::new(CategorySet::EMPTY))?;
/// let desk = ClientMatch::Network { address: [10, 0, 0, 9].into(), len: 32 };
/// builder.client(desk, staff);
/// let section = builder.finish()?;
///
/// let policies = Policies::from_section(&section).unwrap();
/// assert_eq!(policies.profile_of([10, 0, 0, 9].into(), None), staff);
/// let other = policies.profile_of([10, 0, 0, 8].into(), None);
/// let policy = policies.policy(other, Clock::Unset).unwrap();
/// assert!(policy.enabled.contains(CategorySet::of(20)));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Policies<'a> {
    usual_profile: u8,
    is_unset_clock_lenient: bool,
    time_zone: TimeZone,
    profile_count: u8,
    profiles: Octets<'a>,
    schedule_count: u8,
    schedules: Octets<'a>,
    client_count: u16,
    clients: Octets<'a>,
}

/// What is known of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Nothing: a board without a battery before it has heard from a time server.
    Unset,
    /// Seconds since 1970 began, in UTC.
    Unix(i64),
}

/// A profile as it is when no schedule changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile<'a> {
    /// Short and stable: what clients are given by.
    pub id: &'a str,
    /// What it means.
    pub policy: Policy,
}

impl<'a> Policies<'a> {
    /// Reads a section; O(length). `None` when it is none.
    pub fn from_section(section: &'a [u8]) -> Option<Policies<'a>> {
        let mut octets = Octets::new(section);
        let (usual_profile, is_unset_clock_lenient) = (octets.u8()?, octets.u8()? != 0);
        let time_zone = TimeZone::read(&mut octets)?;
        let profile_count = octets.u8()?;
        let profiles = octets;
        // These end because a count does.
        for _ in 0..profile_count {
            read_profile(&mut octets)?;
        }
        let schedule_count = octets.u8()?;
        let schedules = octets;
        for _ in 0..schedule_count {
            Schedule::read(&mut octets).filter(|schedule| schedule.profile < profile_count)?;
        }
        let client_count = octets.u16()?;
        let clients = octets;
        for _ in 0..client_count {
            read_client(&mut octets).filter(|(profile, _)| *profile < profile_count)?;
        }
        (usual_profile < profile_count && octets.rest().is_empty()).then_some(Policies {
            usual_profile,
            is_unset_clock_lenient,
            time_zone,
            profile_count,
            profiles,
            schedule_count,
            schedules,
            client_count,
            clients,
        })
    }

    /// The profiles, in the order of their indices; at least one.
    pub fn profiles(&self) -> impl Iterator<Item = Profile<'a>> + use<'a> {
        let mut octets = self.profiles;
        (0..self.profile_count).map_while(move |_| read_profile(&mut octets))
    }

    /// The index of the profile with this id.
    pub fn find(&self, id: &str) -> Option<u8> {
        (0..).zip(self.profiles()).find(|(_, profile)| profile.id == id).map(|(index, _)| index)
    }

    /// What changes them at some hours.
    pub fn schedules(&self) -> impl Iterator<Item = Schedule> + use<'a> {
        let mut octets = self.schedules;
        (0..self.schedule_count).map_while(move |_| Schedule::read(&mut octets))
    }

    /// Who has another profile than the usual one, with its index.
    pub fn clients(&self) -> impl Iterator<Item = (u8, ClientMatch)> + use<'a> {
        let mut octets = self.clients;
        (0..self.client_count).map_while(move |_| read_client(&mut octets))
    }

    /// The index of the profile of clients that are not listed.
    pub fn usual_profile(&self) -> u8 {
        self.usual_profile
    }

    /// The index of a client's profile; O(clients listed).
    pub fn profile_of(&self, address: IpAddr, mac: Option<[u8; 6]>) -> u8 {
        let address = address.to_canonical();
        let listed = self.clients().find(|(_, client)| client.is(address, mac));
        listed.map_or(self.usual_profile, |(profile, _)| profile)
    }

    /// What a profile means now: its categories, and those that schedules add or take away, the
    /// later ones last. O(profiles and schedules); to be asked again when the minute is another.
    ///
    /// While nobody knows the time, everything is blocked that is at some hour; or nothing is that
    /// is not at all hours, when the place takes that lightly. `None` for no profile.
    pub fn policy(&self, profile: u8, clock: Clock) -> Option<Policy> {
        let mut policy = self.profiles().nth(profile.into())?.policy;
        let minute = match clock {
            Clock::Unset => None,
            Clock::Unix(unix_s) => self.time_zone.minute_of_week(unix_s),
        };
        for schedule in self.schedules().filter(|schedule| schedule.profile == profile) {
            let holds = match minute {
                Some(minute) => schedule.holds(minute),
                None => (schedule.action == Action::Allow) == self.is_unset_clock_lenient,
            };
            if holds {
                policy.enabled = match schedule.action {
                    Action::Block => policy.enabled.union(schedule.categories),
                    Action::Allow => policy.enabled.difference(schedule.categories),
                };
            }
        }
        Some(policy)
    }
}

fn read_profile<'a>(octets: &mut Octets<'a>) -> Option<Profile<'a>> {
    let id = octets.text()?;
    let mut policy = Policy::new(CategorySet(octets.u32()?));
    policy.reason = match octets.u8()? {
        0 => Reason::Operator,
        1 => Reason::Request,
        _ => return None,
    };
    policy.keeps_resolver = octets.u8()? & 1 == 1;
    policy.search = restriction(octets.u8()?)?;
    policy.video = restriction(octets.u8()?)?;
    policy.ttl_s = octets.u32()?;
    let ipv4 = if octets.u8()? == 4 { Some(octets.array::<4>()?.into()) } else { None };
    let ipv6 = if octets.u8()? == 16 { Some(octets.array::<16>()?.into()) } else { None };
    policy.page = Page { ipv4, ipv6 };
    policy.set_operator(octets.text()?);
    policy.set_contact(octets.text()?);
    for (index, pair) in (0u8..).zip(octets.array::<16>()?) {
        for (half, code) in [(0, pair & 0x0F), (1, pair >> 4)] {
            policy.set_answer(CategorySet::of(2 * index + half), block_answer(code)?);
        }
    }
    Some(Profile { id, policy })
}

fn read_client(octets: &mut Octets<'_>) -> Option<(u8, ClientMatch)> {
    Some((octets.u8()?, ClientMatch::read(octets)?))
}

fn restriction(code: u8) -> Option<Restriction> {
    [Restriction::Off, Restriction::Moderate, Restriction::Strict].get(usize::from(code)).copied()
}

/// The answers, in the order of their codes.
pub(super) const BLOCK_ANSWERS: [BlockAnswer; 5] = [
    BlockAnswer::NxDomain,
    BlockAnswer::NoData,
    BlockAnswer::NullAddress,
    BlockAnswer::Page,
    BlockAnswer::Refused,
];

fn block_answer(code: u8) -> Option<BlockAnswer> {
    BLOCK_ANSWERS.get(usize::from(code)).copied()
}
