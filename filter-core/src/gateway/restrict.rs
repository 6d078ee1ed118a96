//! Sites that restrict themselves (*safe search*): takes a question, gives the one to ask instead,
//! and says what its answer means for the name that was asked for.
//!
//! A search engine that knows `www.engine.example` as `safe.engine.example` too leaves out there what
//! is not for children. So who asks for the one is told that it is an alias of the other (CNAME), with
//! the addresses of that. The chain between is left out: who asked has no use for it, and
//! the message stays short. A site that cannot restrict itself is not to be had where it must.

use domain::base::iana::exterr::ExtendedErrorCode;
use domain::base::iana::{OptRcode, Rtype};

use super::Context;
use super::answer::Answer;
use super::block::{explain, reason};
use super::pending::Origin;
use super::question::Question;
use super::reply::{Age, Alias, Content, Statement};
use crate::policy::Policy;
use crate::rewrites::Restricted;
use crate::rule::CategorySet;

/// What becomes of a question about such a site.
pub(super) enum Detour {
    /// This question is asked instead.
    Ask(Question),
    /// This is said.
    Say(Statement),
}

/// What becomes of a question, if it is about such a site.
pub(super) fn detour<D: AsRef<[u8]>>(
    question: &Question,
    policy: &Policy,
    context: &Context<'_, D>,
) -> Option<Detour> {
    let negative = || Statement::with_content(OptRcode::NOERROR, Content::Negative, policy.ttl_s);
    match context.filter.restricted(&question.name, policy.search, policy.video)? {
        Restricted::Unavailable => {
            let mut statement = negative().because(reason(CategorySet::EMPTY, policy));
            explain(&mut statement, "no safe search", policy);
            Some(Detour::Say(statement))
        }
        Restricted::Host(name) => match question.qtype {
            Rtype::A | Rtype::AAAA => Some(Detour::Ask(Question { name, ..question.clone() })),
            // There is no record that would lead around the alias.
            Rtype::HTTPS | Rtype::SVCB => {
                let mut statement = negative().because(ExtendedErrorCode::FORGED_ANSWER);
                explain(&mut statement, "safe search", policy);
                Some(Detour::Say(statement))
            }
            _ => None,
        },
    }
}

/// A name as a place keeps it. The builder of the image saw to it that it is short.
pub(super) fn origin(question: &Question) -> Option<Origin> {
    Origin::from_slice(question.name.as_wire()).ok()
}

/// What the answer about a host means for the name it stands for.
pub(super) fn alias(answer: &Answer<'_>, age: Age, policy: &Policy) -> Statement {
    let mut alias = Alias { host: Origin::new(), addresses: heapless::Vec::new() };
    // Both names are short.
    let _ = alias.host.extend_from_slice(answer.question.name.as_wire());
    let mut ttl_s = age.left_s.min(TTL_MAX_S);
    // Ends because a message has finitely many records.
    for record in answer.records().filter(|record| !record.is_authority) {
        let Some(address) = record.address() else { continue };
        ttl_s = ttl_s.min(record.ttl_s().saturating_sub(age.age_s));
        // Eight are plenty for one who wants to connect.
        let _ = alias.addresses.push(address);
    }
    let statement = Statement::with_content(OptRcode::NOERROR, Content::Alias(alias), ttl_s);
    let mut statement = statement.because(ExtendedErrorCode::FORGED_ANSWER);
    explain(&mut statement, "safe search", policy);
    statement
}

/// For how long an alias may be kept, so that who changes profile is soon out of it.
const TTL_MAX_S: u32 = 300;
