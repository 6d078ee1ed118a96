//! Looks behind names: takes an answer and what the filter says about the name asked for, gives
//! what it says about the chain of names that name leads to. A name may be a mask for another
//! one (*cloaking*): an innocent CNAME, or the target of an HTTPS record.

use super::Context;
use super::answer::Answer;
use crate::policy::Policy;
use crate::verdict::{Hit, Tier, Verdict};

/// What is to be done with an answer.
pub(super) enum Inspection {
    /// Pass it on.
    Pass,
    /// The name asked for is blocked, or (`is_cloaked`) leads to one that is.
    Block(Hit, bool),
}

/// Inspects an answer. `own` is the verdict about the name asked for.
///
/// The first name of the chain about which something is said decides, so who allows a name
/// allows what it leads to. A mandated block wins wherever it stands.
///
/// Cost: one check for each CNAME, SVCB and HTTPS record.
pub(super) fn inspect<D: AsRef<[u8]>>(
    answer: &Answer<'_>,
    own: Verdict,
    policy: &Policy,
    context: &Context<'_, D>,
) -> Inspection {
    let mut is_allowed = false;
    match own {
        Verdict::Block(hit) => return Inspection::Block(hit, false),
        Verdict::Allow(_) => is_allowed = true,
        Verdict::Pass => {}
    }
    // Ends because a message has finitely many records.
    for record in answer.records() {
        let Ok(Some(target)) = record.target() else { continue };
        match context.check(&target, policy) {
            Verdict::Block(hit) if !is_allowed || hit.tier == Tier::Mandated => {
                return Inspection::Block(hit, true);
            }
            Verdict::Allow(_) => is_allowed = true,
            Verdict::Block(_) | Verdict::Pass => {}
        }
    }
    Inspection::Pass
}
