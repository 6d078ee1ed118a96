//! What the operator said since the image was made: takes a verdict, gives the one that holds.

use crate::name::Name;
use crate::rule::{Action, CategorySet, ListSet};
use crate::verdict::{Hit, Tier, Trigger, Verdict};

/// "Unblock this for an hour": a name, with all below it, allowed or blocked for a time.
///
/// It ranks with the operator's rules of the image ([`Tier::Local`]): below the law and the names
/// never to block, above all lists. Of two, the one for the name with more labels holds; of equal
/// ones, the later.
///
/// 272 octets, no heap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The name.
    pub name: Name,
    /// What is to be done about it.
    pub action: Action,
    /// The time, by the clock of the events, at which it is over; `None` for never.
    pub expires_ms: Option<u64>,
}

impl Override {
    /// Whether it still holds.
    pub fn holds(&self, now_ms: u64) -> bool {
        self.expires_ms.is_none_or(|expires_ms| now_ms < expires_ms)
    }

    /// The verdict about a name, when these were said since. O(overrides).
    pub fn revise(verdict: Verdict, name: &Name, overrides: &[Override], now_ms: u64) -> Verdict {
        let Some(decisive) = overrides
            .iter()
            .filter(|other| other.holds(now_ms) && name.is_within(&other.name))
            .max_by_key(|other| other.name.label_count())
        else {
            return verdict;
        };
        let labels = decisive.name.label_count();
        let stands = verdict.hit().is_some_and(|hit| match hit.tier {
            Tier::Mandated | Tier::NeverBlock => true,
            Tier::Local => depth(hit, name) > labels,
            Tier::Rule | Tier::Keyword => false,
        });
        if stands {
            return verdict;
        }
        let trigger = match name.label_count() == labels {
            true => Trigger::Exact,
            false => Trigger::Suffix { labels: labels as u8 },
        };
        let (categories, lists) = (CategorySet::LOCAL, ListSet::EMPTY);
        let hit = Hit { trigger, tier: Tier::Local, categories, covers_below: true, lists };
        match decisive.action {
            Action::Allow => Verdict::Allow(hit),
            Action::Block => Verdict::Block(hit),
        }
    }
}

/// How many labels the rule has that a verdict about a name comes from.
fn depth(hit: &Hit, name: &Name) -> usize {
    match hit.trigger {
        Trigger::Suffix { labels } => labels.into(),
        Trigger::Exact | Trigger::Keyword { .. } => name.label_count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::from_text(text).unwrap()
    }

    fn say(text: &str, action: Action, expires_ms: Option<u64>) -> Override {
        Override { name: name(text), action, expires_ms }
    }

    fn hit(tier: Tier, labels: u8) -> Hit {
        let (categories, lists) = (CategorySet::of(20), ListSet::EMPTY);
        let trigger = Trigger::Suffix { labels };
        Hit { trigger, tier, categories, covers_below: true, lists }
    }

    #[test]
    fn the_operator_is_above_lists_and_below_the_law() {
        let allow = [say("bet.example", Action::Allow, Some(1000))];
        let revise = |verdict, text, now_ms| Override::revise(verdict, &name(text), &allow, now_ms);
        let listed = Verdict::Block(hit(Tier::Rule, 1));
        assert_eq!(revise(listed, "www.bet.example", 999).word(), "allow");
        assert_eq!(revise(listed, "www.bet.example", 1000), listed);
        assert_eq!(revise(listed, "notbet.example", 0), listed);
        assert_eq!(revise(Verdict::Pass, "bet.example", 0).word(), "allow");
        let by_law = Verdict::Block(hit(Tier::Mandated, 2));
        assert_eq!(revise(by_law, "bet.example", 0), by_law);
        let deny = [say("help.example", Action::Block, None)];
        let help = Verdict::Allow(hit(Tier::NeverBlock, 2));
        assert_eq!(Override::revise(help, &name("help.example"), &deny, 0), help);
    }

    #[test]
    fn more_labels_win_and_then_the_later() {
        let said = [
            say("a.example", Action::Block, None),
            say("b.a.example", Action::Allow, None),
            say("c.example", Action::Block, None),
            say("c.example", Action::Allow, None),
        ];
        let word = |text| Override::revise(Verdict::Pass, &name(text), &said, 0).word();
        assert_eq!((word("a.example"), word("x.a.example")), ("block", "block"));
        assert_eq!((word("b.a.example"), word("x.b.a.example")), ("allow", "allow"));
        assert_eq!(word("c.example"), "allow");
        let deeper = Verdict::Block(hit(Tier::Local, 3));
        assert_eq!(Override::revise(deeper, &name("x.b.a.example"), &said[..1], 0), deeper);
        assert_eq!(Override::revise(deeper, &name("x.b.a.example"), &said, 0).word(), "allow");
    }
}
