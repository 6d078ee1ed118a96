//! How a blocked name is answered: takes the [`Hit`] of a verdict and a [`Policy`], gives a
//! [`Statement`].

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use domain::base::iana::exterr::ExtendedErrorCode;
use domain::base::iana::{OptRcode, Rtype};
use heapless::Vec;

use super::Context;
use super::query::Asker;
use super::question::Question;
use super::reply::{Content, Statement};
#[cfg(feature = "structured-errors")]
use super::structured::structured;
use crate::name::Name;
use crate::policy::{BlockAnswer, Policy, Reason};
use crate::rule::CategorySet;
use crate::verdict::Hit;

/// Makes a new statement what is said to someone about a question whose name is blocked, or
/// (`is_cloaked`) leads to a name that is. Where it stands, for it is long.
pub(super) fn block<D: AsRef<[u8]>>(
    statement: &mut Statement,
    question: &Question,
    asker: &Asker,
    hit: &Hit,
    is_cloaked: bool,
    policy: &Policy,
    context: &Context<'_, D>,
) {
    let answer = match policy.answer(hit.categories) {
        BlockAnswer::NxDomain
            if !is_all_blocked_below(question, hit, is_cloaked, policy, context) =>
        {
            BlockAnswer::NoData
        }
        answer => answer,
    };
    let rcode = match answer {
        BlockAnswer::NxDomain => OptRcode::NXDOMAIN,
        BlockAnswer::Refused => OptRcode::REFUSED,
        BlockAnswer::NoData | BlockAnswer::NullAddress | BlockAnswer::Page => OptRcode::NOERROR,
    };
    // An HTTPS or SVCB record would lead around the address.
    let address: Option<IpAddr> = match (answer, question.qtype) {
        (BlockAnswer::NullAddress, Rtype::A) => Some(Ipv4Addr::UNSPECIFIED.into()),
        (BlockAnswer::NullAddress, Rtype::AAAA) => Some(Ipv6Addr::UNSPECIFIED.into()),
        (BlockAnswer::Page, Rtype::A) => policy.page.ipv4.map(IpAddr::from),
        (BlockAnswer::Page, Rtype::AAAA) => policy.page.ipv6.map(IpAddr::from),
        _ => None,
    };
    let is_structured = asker.wants_structured_errors();
    statement.rcode = rcode;
    let reason = reason(hit.categories, policy);
    let _ = statement.reasons.push(reason);
    if rcode != OptRcode::REFUSED {
        statement.ttl_s = policy.ttl_s;
        statement.content = match address {
            // Who is told why needs no address that is none (section 5.2 of the draft).
            Some(address) if !is_structured => {
                let _ = statement.reasons.push(ExtendedErrorCode::FORGED_ANSWER);
                Content::Address(address)
            }
            _ => Content::Negative,
        };
    }
    statement.blocked = hit.categories;
    let category = category(hit.categories, context);
    match is_structured {
        #[cfg(feature = "structured-errors")]
        true => statement.text = structured(category, reason, policy),
        _ => explain(statement, category, policy),
    }
}

/// Whether what is said about the name holds for every name below it as well, so that it may be
/// said not to exist (RFC 8020).
fn is_all_blocked_below<D: AsRef<[u8]>>(
    question: &Question,
    hit: &Hit,
    is_cloaked: bool,
    policy: &Policy,
    context: &Context<'_, D>,
) -> bool {
    if context.may_be_above_allowed(&question.name) {
        return false;
    }
    if hit.covers_below && !is_cloaked {
        return true;
    }
    // A rule for this very name may stop at it: a name below it tells, one that no list holds.
    let mut child: Vec<u8, { Name::MAX_LEN }> = Vec::new();
    let is_child = child.extend_from_slice(b"\x01*").is_ok()
        && child.extend_from_slice(question.name.as_wire()).is_ok();
    // The longest names have none below them.
    let child = Name::from_wire(&child).ok().filter(|_| is_child);
    child.is_none_or(|child| context.check(&child, policy).is_block())
}

/// Why: the law before the operator before the people who asked for it (RFC 8914 sections 4.16
/// to 4.18).
pub(super) fn reason(categories: CategorySet, policy: &Policy) -> ExtendedErrorCode {
    if categories.intersects(CategorySet::MANDATED) {
        return ExtendedErrorCode::CENSORED;
    }
    match policy.reason {
        Reason::Operator => ExtendedErrorCode::BLOCKED,
        Reason::Request => ExtendedErrorCode::FILTERED,
    }
}

/// The category of a name, as it is told. A mandated one is not named, and no list ever is: who could
/// ask which of them holds a name could read the lists out (Clayton, "Failures in a hybrid content
/// blocking system", 2005).
fn category<'c, D: AsRef<[u8]>>(categories: CategorySet, context: &'c Context<'_, D>) -> &'c str {
    if categories.intersects(CategorySet::MANDATED) {
        return "required by law";
    }
    let lowest = categories.iter().next();
    let name = lowest.and_then(|bit| context.filter.category_name(bit));
    cut(name.unwrap_or("blocked"), CATEGORY_LEN_MAX)
}

/// Whoever looks into the answer is told why, and by whom (RFC 8914): `category, operator`.
pub(super) fn explain(statement: &mut Statement, why: &str, policy: &Policy) {
    let separator = if policy.operator().is_empty() { "" } else { ", " };
    for part in [why, separator, policy.operator()] {
        // All of it fits.
        let _ = statement.text.push_str(part);
    }
}

const CATEGORY_LEN_MAX: usize = 46;

/// The beginning of a text, of at most so many octets, whole characters.
fn cut(text: &str, len_max: usize) -> &str {
    text.get(..text.floor_char_boundary(len_max)).unwrap_or("")
}
