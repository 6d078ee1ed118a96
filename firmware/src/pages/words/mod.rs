//! What the pages say, in each language: plain sentences, which blame nobody. Whoever translates
//! changes one file.

mod ar;
mod en;
mod fr;
mod pt;
mod sw;

/// The languages, the usual one first.
pub(super) const ALL: [&Words; 5] = [&en::WORDS, &fr::WORDS, &ar::WORDS, &pt::WORDS, &sw::WORDS];

/// All there is to say.
pub(super) struct Words {
    /// The code of the language (RFC 5646).
    pub(super) code: &'static str,
    /// Which way it is written, as HTML calls it.
    pub(super) direction: &'static str,
    pub(super) block: Block,
    pub(super) sign_in: SignIn,
    pub(super) status: Status,
}

/// For whoever comes to a blocked site.
pub(super) struct Block {
    pub(super) title: &'static str,
    pub(super) text: &'static str,
    pub(super) who: &'static str,
    pub(super) who_text: &'static str,
    /// Before the operator's name.
    pub(super) operator: &'static str,
    pub(super) appeal: &'static str,
    pub(super) appeal_text: &'static str,
    pub(super) talk: &'static str,
    /// Before the number of a helpline.
    pub(super) talk_text: &'static str,
    /// Where none is known.
    pub(super) talk_none: &'static str,
    pub(super) report: &'static str,
    /// Before the address of the portal.
    pub(super) report_text: &'static str,
    /// The way to the status page.
    pub(super) owner: &'static str,
}

/// For an owner who is not known yet.
pub(super) struct SignIn {
    pub(super) title: &'static str,
    pub(super) choose: &'static str,
    pub(super) choose_text: &'static str,
    pub(super) pin: &'static str,
    pub(super) save: &'static str,
    pub(super) enter: &'static str,
    pub(super) wrong: &'static str,
    pub(super) wait: &'static str,
    pub(super) unfit: &'static str,
}

/// For the owner.
pub(super) struct Status {
    pub(super) protected: &'static str,
    pub(super) no_list_open: &'static str,
    pub(super) no_list_closed: &'static str,
    pub(super) no_upstream: &'static str,
    pub(super) list: &'static str,
    pub(super) serial: &'static str,
    pub(super) rules: &'static str,
    pub(super) counted: &'static str,
    pub(super) queries: &'static str,
    pub(super) asked: &'static str,
    pub(super) failed: &'static str,
    pub(super) by_law: &'static str,
    pub(super) upstreams: &'static str,
    pub(super) up: &'static str,
    pub(super) down: &'static str,
    pub(super) why: &'static str,
    pub(super) name: &'static str,
    pub(super) look: &'static str,
    pub(super) blocked: &'static str,
    pub(super) allowed: &'static str,
    pub(super) unlisted: &'static str,
    pub(super) no_name: &'static str,
    pub(super) category: &'static str,
    pub(super) rule: &'static str,
    pub(super) allow: &'static str,
    pub(super) allow_hour: &'static str,
    pub(super) too_many: &'static str,
    pub(super) minutes_left: &'static str,
    pub(super) end_now: &'static str,
    pub(super) profile: &'static str,
    pub(super) profile_text: &'static str,
    pub(super) change: &'static str,
    pub(super) helpline: &'static str,
    pub(super) source: &'static str,
    pub(super) sign_out: &'static str,
}
