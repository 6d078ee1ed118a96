//! What a place does about verdicts: who is kept from what, when, and how that is answered.
//!
//! A [`Policy`] is what holds for one client now: plain values, read by the gateway at every query
//! and every answer. [`Policies`] are what an image brings for a whole place: profiles, the hours at
//! which they change, and which client has which. Whoever runs the gateway makes the one out of the
//! other, when the minute changes. An [`Override`] is what the operator said since.
//!
//! ```text
//! policy section ─► Policies ── profile, Clock ──► Policy ─┐
//!                       └────── address, MAC ────► profile ┼─► gateway
//!                                              Override ───┘
//! ```

#[cfg(feature = "build")]
mod build;
mod clients;
mod overrides;
mod schedule;
mod section;
mod time_zone;

use core::net::{Ipv4Addr, Ipv6Addr};

use heapless::String;

use crate::rewrites::Restriction;
use crate::rule::CategorySet;

#[cfg(feature = "build")]
pub use self::build::{PolicyBuilder, PolicyError};
pub use self::clients::ClientMatch;
pub use self::overrides::Override;
pub use self::schedule::{Days, Schedule};
pub use self::section::{Clock, Policies, Profile};
pub use self::time_zone::TimeZone;

/// How a blocked name is answered.
///
/// Each answer carries a reason (RFC 8914) for clients with EDNS, and a negative one an SOA
/// record, so that it is forgotten as soon as [`Policy::ttl_s`] says (RFC 2308).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockAnswer {
    /// The name does not exist. Above a name that is allowed the answer is
    /// [`NoData`](BlockAnswer::NoData), for whoever hears that a name does not exist may hold
    /// that nothing does below it (RFC 8020).
    NxDomain,
    /// The name exists, without data of this type.
    NoData,
    /// `0.0.0.0` and `::`, on which a connection fails at once; no data of other types.
    NullAddress,
    /// The address of a page that explains, [`Policy::page`]; no data of other types. Browsers
    /// show a certificate error instead when they came by HTTPS.
    Page,
    /// The query is refused. Many clients then ask another server.
    Refused,
}

/// Who wants names to be blocked, where no law does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The operator of the place or of the network: *Blocked*, EDE 15.
    Operator,
    /// Those who use it, a parent or a person, asked for it: *Filtered*, EDE 17.
    Request,
}

/// The addresses of a page that explains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// For A queries.
    pub ipv4: Option<Ipv4Addr>,
    /// For AAAA queries.
    pub ipv6: Option<Ipv6Addr>,
}

/// What is blocked for a client, and how that is answered.
///
/// ```
/// use filter_core::CategorySet;
/// use filter_core::policy::{BlockAnswer, Policy};
///
/// let mut school = Policy::new(CategorySet::of(20).union(CategorySet::of(2)));
/// school.set_operator("School of Example");
/// school.set_answer(CategorySet::of(20), BlockAnswer::NoData);
/// assert_eq!(school.answer(CategorySet::of(20)), BlockAnswer::NoData);
/// assert_eq!(school.answer(CategorySet::of(2)), BlockAnswer::NxDomain);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The categories that are blocked; the mandated ones always are.
    pub enabled: CategorySet,
    /// Who wants it.
    pub reason: Reason,
    /// Where [`BlockAnswer::Page`] leads.
    pub page: Page,
    /// For how many seconds clients may keep what is not an upstream's answer: short, so that what
    /// is allowed again works again.
    pub ttl_s: u32,
    /// Whether browsers and systems are told to stay with this resolver: Firefox's canary
    /// `use-application-dns.net` and Apple's relay names do not exist then.
    pub keeps_resolver: bool,
    /// Whether search engines are made to leave out what is not for children.
    pub search: Restriction,
    /// The same for video sites.
    pub video: Restriction,
    /// Whether nothing at all is answered but that this is not ready: what a place may want while
    /// there is no list to go by.
    pub is_closed: bool,
    operator: String<{ OPERATOR_LEN_MAX }>,
    contact: String<{ CONTACT_LEN_MAX }>,
    answers: [BlockAnswer; 32],
}

/// Octets of an operator's name that are shown.
const OPERATOR_LEN_MAX: usize = 48;
/// Octets of a contact.
const CONTACT_LEN_MAX: usize = 64;

impl Policy {
    /// Blocks these categories in the name of the operator, as names that do not exist, for 30
    /// seconds, and keeps the resolver.
    pub const fn new(enabled: CategorySet) -> Policy {
        Policy {
            enabled,
            reason: Reason::Operator,
            page: Page { ipv4: None, ipv6: None },
            ttl_s: 30,
            keeps_resolver: true,
            search: Restriction::Off,
            video: Restriction::Off,
            is_closed: false,
            operator: String::new(),
            contact: String::new(),
            answers: [BlockAnswer::NxDomain; 32],
        }
    }

    /// Who runs this place, as shown beside the category in the reason of a block.
    pub fn operator(&self) -> &str {
        &self.operator
    }

    /// Names who runs this place. At most 48 octets of it are kept, whole characters.
    pub fn set_operator(&mut self, operator: &str) {
        let end = operator.floor_char_boundary(OPERATOR_LEN_MAX);
        self.operator.clear();
        // It was cut to fit.
        let _ = self.operator.push_str(operator.get(..end).unwrap_or(""));
    }

    /// Where to appeal against a block: a `mailto:` or `tel:` URI, or nothing.
    pub fn contact(&self) -> &str {
        &self.contact
    }

    /// Tells where to appeal. One of more than 64 octets is left out, for half an address is none.
    pub fn set_contact(&mut self, contact: &str) {
        self.contact = String::try_from(contact).unwrap_or_default();
    }

    /// Answers names blocked in these categories this way.
    pub fn set_answer(&mut self, categories: CategorySet, answer: BlockAnswer) {
        for (bit, slot) in (0..).zip(&mut self.answers) {
            if categories.intersects(CategorySet::of(bit)) {
                *slot = answer;
            }
        }
    }

    /// How a name blocked in these categories is answered: that of the lowest bit decides.
    pub fn answer(&self, categories: CategorySet) -> BlockAnswer {
        let lowest = categories.iter().next().unwrap_or(0);
        self.answers.get(usize::from(lowest)).copied().unwrap_or(BlockAnswer::NxDomain)
    }
}
