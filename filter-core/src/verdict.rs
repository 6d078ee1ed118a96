//! What [`Filter::check`](crate::Filter::check) answers: the mechanism that matched, never
//! what to do about it (that is policy).

use crate::rule::{CategorySet, ListSet};

/// The outcome of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks about this name.
    Pass,
    /// Something lets this name through on purpose.
    Allow(Hit),
    /// Something keeps this name away.
    Block(Hit),
}

impl Verdict {
    /// What matched, unless nothing did.
    pub const fn hit(&self) -> Option<&Hit> {
        match self {
            Verdict::Pass => None,
            Verdict::Allow(hit) | Verdict::Block(hit) => Some(hit),
        }
    }

    /// Whether the name is to be kept away.
    pub const fn is_block(&self) -> bool {
        matches!(self, Verdict::Block(_))
    }

    /// `pass`, `allow` or `block`.
    pub const fn word(&self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Allow(_) => "allow",
            Verdict::Block(_) => "block",
        }
    }
}

/// What matched: where in the name, at which level of precedence, in which of the enabled
/// categories and by which lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The part of the name that matched.
    pub trigger: Trigger,
    /// The level of precedence that decided.
    pub tier: Tier,
    /// The enabled categories of the rule or keyword; empty for [`Tier::NeverBlock`].
    pub categories: CategorySet,
    /// Whether what matched is for every name below this one as well.
    pub covers_below: bool,
    /// The lists that hold the rule under an enabled category; empty for
    /// [`Tier::NeverBlock`] and [`Tier::Keyword`].
    pub lists: ListSet,
}

/// The part of the name that matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A rule for this very name.
    Exact,
    /// A rule for the parent made of the last `labels` labels.
    Suffix {
        /// How many labels the parent has, counted from the top-level domain.
        labels: u8,
    },
    /// Words in the registrable label.
    Keyword {
        /// Index of the word that weighed most, in the image's keyword table.
        word: u16,
    },
}

/// The levels of precedence, highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// A category the law obliges this place to block.
    Mandated,
    /// Help, health, reporting, connectivity and update names.
    NeverBlock,
    /// The operator's own rules.
    Local,
    /// The most specific rule of an enabled category.
    Rule,
    /// Words in the name.
    Keyword,
}

impl Tier {
    /// The word used in output: `mandated`, `never-block`, `local`, `rule` or `keyword`.
    pub const fn word(self) -> &'static str {
        match self {
            Tier::Mandated => "mandated",
            Tier::NeverBlock => "never-block",
            Tier::Local => "local",
            Tier::Rule => "rule",
            Tier::Keyword => "keyword",
        }
    }
}
