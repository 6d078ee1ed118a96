//! The rules written for a name and its parents, and what became of each.

use filter_core::{Action, CategorySet, Hit, Name, Scope, Tier, Trigger, Verdict};

use crate::image::ImageFile;
use crate::why::WhyIndex;

/// A rule for the name in question or for one of its parents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The name it is written for.
    pub(super) name: Name,
    pub(super) scope: Scope,
    pub(super) action: Action,
    pub(super) important: bool,
    pub(super) categories: CategorySet,
    /// The lists that have it: one with the why-index, all with the image alone.
    pub(super) lists: Vec<String>,
    /// The file and the line in it; only the why-index knows.
    pub(super) place: Option<(String, u32)>,
    pub(super) effect: Effect,
}

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It makes the verdict.
    Decides,
    /// It says the same as the verdict.
    Agrees,
    /// It says the opposite, and loses.
    Overridden(Reason),
    /// It is for other names around.
    DoesNotCover,
    /// Its categories are not enabled.
    Disabled,
}

/// Why a rule loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Against a mandated category.
    Mandated,
    /// Against a never-block name.
    NeverBlock,
    /// Against a rule of the operator.
    Local,
    /// Against an important rule.
    Important,
    /// Against a rule for a longer name.
    Specific,
    /// Against an exception for the same name.
    Exception,
}

impl Effect {
    /// The word in JSON.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Effect::Decides => "decides",
            Effect::Agrees => "agrees",
            Effect::Overridden(_) => "overridden",
            Effect::DoesNotCover => "does-not-cover",
            Effect::Disabled => "disabled",
        }
    }
}

impl Reason {
    /// The word in JSON.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Reason::Mandated => "mandated",
            Reason::NeverBlock => "never-block",
            Reason::Local => "local",
            Reason::Important => "important",
            Reason::Specific => "more-specific",
            Reason::Exception => "exception",
        }
    }
}

/// What a verdict was about.
pub(super) struct Question<'a> {
    pub(super) name: &'a Name,
    pub(super) enabled: CategorySet,
    pub(super) verdict: Verdict,
}

impl Question<'_> {
    /// The name whose rule matched.
    pub(super) fn matched(&self) -> Option<Name> {
        match self.verdict.hit()?.trigger {
            Trigger::Exact => Some(self.name.clone()),
            Trigger::Suffix { labels } => self.name.suffix(labels.into()),
            Trigger::Keyword { .. } => None,
        }
    }

    /// The rules around the name, the longest name first.
    pub(super) fn findings(&self, image: &ImageFile, index: Option<&WhyIndex>) -> Vec<Finding> {
        let mut findings = match index {
            Some(index) => self.by_index(index),
            None => self.by_image(image),
        };
        // Names of the sealed category are in no image; should a tool have put one there, it
        // is not for any eye.
        findings.retain(|finding| !finding.categories.intersects(CategorySet::SEALED));
        let deciding: Vec<usize> =
            (0..findings.len()).filter(|&index| self.decides(&findings[index])).collect();
        // Where an important rule decides, others of that name only agree.
        let important = deciding.iter().any(|&index| findings[index].important);
        for (index, finding) in findings.iter_mut().enumerate() {
            let decides = deciding.contains(&index) && finding.important == important;
            finding.effect = match decides {
                true => Effect::Decides,
                false => self.effect(finding, important),
            };
        }
        findings
    }

    fn by_index(&self, index: &WhyIndex) -> Vec<Finding> {
        let finding = |evidence: crate::why::Evidence| Finding {
            name: evidence.name,
            scope: evidence.scope,
            action: evidence.action,
            important: evidence.important,
            categories: evidence.categories,
            lists: vec![evidence.list],
            place: Some((evidence.path, evidence.line)),
            effect: Effect::DoesNotCover,
        };
        index.evidence(self.name).into_iter().map(finding).collect()
    }

    /// Decodes the rules until those for the name have passed: O(rules), but once.
    fn by_image(&self, image: &ImageFile) -> Vec<Finding> {
        let is_around = |name: &Name| self.name.suffix(name.label_count()).as_ref() == Some(name);
        let mut findings: Vec<Finding> = Vec::new();
        for rule in image.filter().rules().filter(|rule| is_around(&rule.name)) {
            findings.extend(rule.facets().map(|facet| Finding {
                name: rule.name.clone(),
                scope: facet.scope,
                action: facet.action,
                important: facet.important,
                categories: facet.categories,
                lists: image.list_ids(facet.lists).into_iter().map(str::to_owned).collect(),
                place: None,
                effect: Effect::DoesNotCover,
            }));
            if rule.name == *self.name {
                break;
            }
        }
        // The set has parents first.
        findings.sort_by_key(|finding| usize::MAX - finding.name.label_count());
        findings
    }

    fn enabled(&self) -> CategorySet {
        self.enabled.union(CategorySet::MANDATED)
    }

    fn covers(&self, finding: &Finding) -> bool {
        match finding.name == *self.name {
            true => finding.scope.covers_self(),
            false => finding.scope.covers_below(),
        }
    }

    fn decides(&self, finding: &Finding) -> bool {
        let Some(hit) = self.verdict.hit() else { return false };
        let active = finding.categories.intersection(self.enabled());
        active.intersects(categories_of(hit.tier))
            && self.covers(finding)
            && finding.action == action(&self.verdict)
            && self.matched().is_some_and(|matched| matched == finding.name)
    }

    fn effect(&self, finding: &Finding, important: bool) -> Effect {
        let active = finding.categories.intersection(self.enabled());
        if !self.covers(finding) {
            return Effect::DoesNotCover;
        }
        if active.is_empty() {
            return Effect::Disabled;
        }
        if finding.action == action(&self.verdict) {
            return Effect::Agrees;
        }
        let same_tier =
            |hit: &Hit| active.intersects(categories_of(hit.tier)) || hit.tier == Tier::Keyword;
        let longer = self.matched().is_some_and(|it| it.label_count() > finding.name.label_count());
        Effect::Overridden(match self.verdict.hit() {
            Some(hit) if hit.tier == Tier::NeverBlock => Reason::NeverBlock,
            Some(hit) if hit.tier == Tier::Mandated && !same_tier(hit) => Reason::Mandated,
            Some(hit) if hit.tier == Tier::Local && !same_tier(hit) => Reason::Local,
            _ if important && !finding.important => Reason::Important,
            _ if longer => Reason::Specific,
            _ => Reason::Exception,
        })
    }
}

/// The categories whose rules speak at a level of precedence.
fn categories_of(tier: Tier) -> CategorySet {
    match tier {
        Tier::Mandated => CategorySet::MANDATED,
        Tier::Local => CategorySet::LOCAL,
        Tier::Rule => {
            CategorySet::ALL.difference(CategorySet::MANDATED).difference(CategorySet::LOCAL)
        }
        Tier::NeverBlock | Tier::Keyword => CategorySet::EMPTY,
    }
}

fn action(verdict: &Verdict) -> Action {
    match verdict {
        Verdict::Block(_) => Action::Block,
        Verdict::Allow(_) | Verdict::Pass => Action::Allow,
    }
}
