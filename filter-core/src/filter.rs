//! Asks an image about names. What wins over what is decided here and nowhere else.

use crate::class::{Classes, Facet, Facets, StoredFacet};
use crate::image::{self, FormatError, Header, SectionId, SectionInfo, Sections};
use crate::keyword::Keywords;
use crate::name::Name;
use crate::prefilter::PrefilterLayout;
use crate::rewrites::{Restricted, Restriction, RewritesLayout};
use crate::rule::{Action, CategorySet, ListSet, Scope};
use crate::set::key::{Key, SEPARATOR};
use crate::set::{Entries, Match, SetLayout};
use crate::suffix::SuffixHashes;
use crate::tables::{Categories, ListTable, Lists};
use crate::verdict::{Hit, Tier, Trigger, Verdict};
use crate::zones::Zones;

/// A verified image that can be asked. `D` is `&[u8]` (flash), `Vec<u8>` or a memory map.
///
/// Holding one proves: version, length and checksum fit, and every section this crate reads
/// lies inside the image. A checksum is integrity, not authenticity: check a signature where
/// bytes enter.
///
/// ```
/// # #[cfg(feature = "build")] {
/// use filter_core::compile::{Compiler, ListInfo};
/// use filter_core::{Action, CategorySet, Filter, Name, Scope, Verdict};
///
/// let mut compiler = Compiler::new(1);
/// compiler.category(20, "gambling")?;
/// let list = compiler.list(ListInfo::new("demo", CategorySet::of(20)))?;
/// compiler.rule(&Name::from_text("casino.example")?, Scope::Subtree, Action::Block, list)?;
/// let filter = Filter::from_bytes(compiler.finish()?.octets)?;
///
/// let verdict = filter.check(&Name::from_text("www.casino.example")?, CategorySet::ALL);
/// assert!(verdict.is_block());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Filter<D> {
    data: D,
    header: Header,
    classes: Span,
    rules: (Span, SetLayout),
    prefilter: Option<(Span, PrefilterLayout)>,
    never_block: Option<(Span, SetLayout)>,
    never_block_zones: Zones,
    rewrites: Option<(Span, RewritesLayout)>,
    rewrite_zones: Zones,
    keywords: Option<Span>,
    #[cfg_attr(not(feature = "gateway"), allow(dead_code, reason = "only a gateway has a policy"))]
    policy: Option<Span>,
    categories: Span,
    lists: Span,
}

/// Where a section lies.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

impl Span {
    fn of(self, image: &[u8]) -> &[u8] {
        image.get(self.start..self.end).unwrap_or(&[])
    }
}

impl<D: AsRef<[u8]>> Filter<D> {
    /// Verifies an image and opens it: O(length), no heap, no panic on any octets.
    ///
    /// # Errors
    /// [`FormatError`] says what is wrong and what to do.
    pub fn from_bytes(data: D) -> Result<Filter<D>, FormatError> {
        let image = data.as_ref();
        let header = image::verify(image)?;
        let categories = required(image, &header, SectionId::Categories)?;
        let classes = required(image, &header, SectionId::Classes)?;
        let rules = required(image, &header, SectionId::Rules)?;
        let lists = required(image, &header, SectionId::Lists)?;
        let never_block = find(image, &header, SectionId::NeverBlock);
        let keywords = find(image, &header, SectionId::Keywords);
        let prefilter = find(image, &header, SectionId::Prefilter);
        let rewrites = find(image, &header, SectionId::Rewrites);
        let policy = find(image, &header, SectionId::Policy);

        let malformed = |id: SectionId| FormatError::Section { code: id as u16 };
        Classes::new(classes.of(image)).ok_or(malformed(SectionId::Classes))?;
        ListTable::new(lists.of(image)).ok_or(malformed(SectionId::Lists))?;
        let rules_layout = SetLayout::read(rules.of(image)).ok_or(malformed(SectionId::Rules))?;
        let never_block = match never_block {
            Some(span) => {
                let layout = SetLayout::read(span.of(image));
                Some((span, layout.ok_or(malformed(SectionId::NeverBlock))?))
            }
            None => None,
        };
        let rewrites = match rewrites {
            Some(span) => {
                let layout = RewritesLayout::read(span.of(image));
                Some((span, layout.ok_or(malformed(SectionId::Rewrites))?))
            }
            None => None,
        };
        #[cfg(feature = "gateway")]
        if let Some(span) = policy {
            let policies = crate::policy::Policies::from_section(span.of(image));
            policies.ok_or(malformed(SectionId::Policy))?;
        }
        if let Some(span) = keywords {
            Keywords::from_section(span.of(image)).map_err(|_| malformed(SectionId::Keywords))?;
        }
        let prefilter = match prefilter {
            Some(span) => {
                let layout = PrefilterLayout::read(span.of(image));
                Some((span, layout.ok_or(malformed(SectionId::Prefilter))?))
            }
            None => None,
        };
        Ok(Filter {
            header,
            classes,
            rules: (rules, rules_layout),
            prefilter,
            never_block,
            never_block_zones: never_block
                .map_or(Zones::NONE, |(span, layout)| Zones::of(&layout, span.of(image))),
            rewrites,
            rewrite_zones: rewrites.map_or(Zones::NONE, |(span, layout)| {
                Zones::of(&layout.names, layout.names_of(span.of(image)))
            }),
            keywords,
            policy,
            categories,
            lists,
            data,
        })
    }

    /// What the image says about a name when these categories are enabled. The mandated
    /// categories are always enabled.
    ///
    /// Precedence, first match wins:
    ///
    /// 1. *mandated*: the most specific rule of a mandated category, when it blocks;
    /// 2. *never-block*: help, health, reporting, connectivity and update names;
    /// 3. *local*: the most specific rule of the operator's own category;
    /// 4. *rule*: the most specific rule of any other enabled category;
    /// 5. *keyword*: words in the registrable label, of enabled categories.
    ///
    /// Inside a tier an important rule wins over every other; then the rule of the name with
    /// more labels; at equal depth allow wins over block.
    ///
    /// Cost: one walk over the name; one search of each packed set that may hold it (a second
    /// one where a listed name has a listed parent), which a prefilter spares most names no rule
    /// is written for; and one walk over the registrable label. About 2 kB of stack, no heap,
    /// no panic: on a corrupt image it may answer wrongly, never worse.
    pub fn check(&self, name: &Name, enabled: CategorySet) -> Verdict {
        let enabled = enabled.union(CategorySet::MANDATED);
        if let Some(verdict) = self.check_sets(name, enabled) {
            return verdict;
        }
        match self.keywords().and_then(|keywords| keywords.check(name, enabled)) {
            Some(found) => Verdict::Block(Hit {
                trigger: Trigger::Keyword { word: found.word },
                tier: Tier::Keyword,
                categories: found.categories,
                covers_below: false,
                lists: ListSet::EMPTY,
            }),
            None => Verdict::Pass,
        }
    }

    /// What the packed sets say.
    ///
    /// Not inlined, so that its keys are off the stack when words want theirs.
    #[inline(never)]
    fn check_sets(&self, name: &Name, enabled: CategorySet) -> Option<Verdict> {
        let image = self.data.as_ref();
        let mut room = [0; 128];
        let starts = name.label_starts(&mut room);
        let suspects = self.suspects(image, name, starts);
        let mut key = Key::EMPTY;
        if suspects.rules > 0 || suspects.never_block {
            key.turn(name, starts);
        }
        let key = key.symbols();

        let ruling = match suspects.rules {
            0 => Ruling::default(),
            len => self.ruling(image, key, len, enabled),
        };
        if let Some(decision) = ruling.mandated.filter(|decision| decision.action == Action::Block)
        {
            return Some(self.verdict(image, key, decision, Tier::Mandated, enabled));
        }
        let never_blocked =
            if suspects.never_block { self.never_blocked(image, key) } else { None };
        if let Some((trigger, scope)) = never_blocked {
            return Some(Verdict::Allow(Hit {
                trigger,
                tier: Tier::NeverBlock,
                categories: CategorySet::EMPTY,
                covers_below: scope.covers_below(),
                lists: ListSet::EMPTY,
            }));
        }
        let local = ruling.local.map(|decision| (decision, Tier::Local));
        let rule = ruling.rule.map(|decision| (decision, Tier::Rule));
        let (decision, tier) = local.or(rule)?;
        Some(self.verdict(image, key, decision, tier, enabled))
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The octets of the image.
    pub fn as_bytes(&self) -> &[u8] {
        self.data.as_ref()
    }

    /// How many names the rules are written for.
    pub fn rule_count(&self) -> u32 {
        self.rules.1.entry_count()
    }

    /// Whether some rule allows something. O(classes).
    pub fn has_exceptions(&self) -> bool {
        let classes = Classes::new(self.classes.of(self.data.as_ref()));
        classes.is_some_and(|classes| {
            let mut facets = (0..=u16::MAX).take(classes.len()).flat_map(|n| classes.facets(n));
            facets.any(|facet| facet.action == Action::Allow)
        })
    }

    /// How many names are never blocked.
    pub fn never_block_count(&self) -> u32 {
        self.never_block.map_or(0, |(_, layout)| layout.entry_count())
    }

    /// How many distinct sets of facets the rules have.
    pub fn class_count(&self) -> usize {
        Classes::new(self.classes.of(self.data.as_ref())).map_or(0, |classes| classes.len())
    }

    /// The sections, in order.
    pub fn sections(&self) -> impl Iterator<Item = SectionInfo> {
        Sections::new(self.data.as_ref(), &self.header).into_iter().flatten()
    }

    /// The categories the image names, as bit and name.
    pub fn categories(&self) -> Categories<'_> {
        Categories::new(self.categories.of(self.data.as_ref()))
    }

    /// The name of a category, where the image has one. O(categories).
    pub fn category_name(&self, bit: u8) -> Option<&str> {
        self.categories().name(bit)
    }

    /// The lists the rules come from, in the order of their numbers.
    pub fn lists(&self) -> Lists<'_> {
        Lists::new(self.lists.of(self.data.as_ref()))
    }

    /// The keyword automaton, when the image has one.
    pub fn keywords(&self) -> Option<Keywords<'_>> {
        Keywords::reopen(self.keywords?.of(self.data.as_ref()))
    }

    /// What the image brings for the place it is made for, if it does.
    #[cfg(feature = "gateway")]
    pub fn policies(&self) -> Option<crate::policy::Policies<'_>> {
        crate::policy::Policies::from_section(self.policy?.of(self.data.as_ref()))
    }

    /// What becomes of a name where search engines and video sites are to restrict themselves; `None`
    /// when it stands for itself. One search at most.
    pub fn restricted(
        &self,
        name: &Name,
        search: Restriction,
        video: Restriction,
    ) -> Option<Restricted> {
        let (span, layout) = &self.rewrites?;
        let zone = SuffixHashes::of(name, &mut [0; 128]).nth(1)?;
        if (search, video) == (Restriction::Off, Restriction::Off)
            || !self.rewrite_zones.may_hold(zone)
        {
            return None;
        }
        layout.find(span.of(self.data.as_ref()), name, search, video)
    }

    /// Every rule in the order of the set, decoded one by one: O(rules), for hosts.
    pub fn rules(&self) -> Rules<'_> {
        let image = self.data.as_ref();
        let set = self.rules.1.view(self.rules.0.of(image));
        Rules {
            entries: set.map(|set| set.entries()),
            classes: Classes::new(self.classes.of(image)),
        }
    }

    /// The names never to block, with their scopes, in the order of the set.
    pub fn never_block(&self) -> NeverBlock<'_> {
        let view = |(span, layout): (Span, SetLayout)| layout.view(span.of(self.data.as_ref()));
        NeverBlock { entries: self.never_block.and_then(view).map(|set| set.entries()) }
    }

    /// Which sets may hold the name or a parent of it, by one walk over its suffixes.
    fn suspects(&self, image: &[u8], name: &Name, starts: &[u8]) -> Suspects {
        let view = |(span, layout): (Span, PrefilterLayout)| layout.view(span.of(image));
        let prefilter = self.prefilter.and_then(view);
        let rules = if prefilter.is_some() { 0 } else { usize::MAX };
        // A name of a single label has no zone.
        let mut suspects = Suspects { rules, never_block: true };
        let mut hashes = SuffixHashes::at(name, starts);
        for depth in 0.. {
            let Some(hash) = hashes.next() else { break };
            if depth == 1 {
                suspects.never_block = self.never_block_zones.may_hold(hash);
            }
            let may_hold = match (&prefilter, depth) {
                (Some(prefilter), 0) => prefilter.may_hold_label(hash),
                (Some(prefilter), _) => prefilter.may_hold(hash),
                (None, 0) => false,
                (None, _) => break,
            };
            if may_hold {
                suspects.rules = hashes.key_len();
            }
        }
        suspects
    }

    /// Walks the entries that are the name or a parent of it, once, and keeps the winner of
    /// each tier. None of them has a key longer than `key_len_max`; a shorter search ends sooner.
    fn ruling(&self, image: &[u8], key: &[u8], key_len_max: usize, enabled: CategorySet) -> Ruling {
        let mut ruling = Ruling::default();
        let (span, layout) = &self.rules;
        // It is long: it stays where it is made.
        let set = layout.view(span.of(image));
        let Some(set) = &set else { return ruling };
        let Some(classes) = Classes::new(self.classes.of(image)) else { return ruling };
        let others = enabled.difference(CategorySet::MANDATED).difference(CategorySet::LOCAL);
        for found in set.matches(key.get(..key_len_max).unwrap_or(key)) {
            for facet in
                classes.facets(found.value).filter(|facet| covers(facet.scope, &found, key))
            {
                let decision = Decision {
                    important: facet.important,
                    key_len: found.key_len,
                    action: facet.action,
                    class: found.value,
                };
                let active = facet.categories.intersection(enabled);
                for (tier, winner) in [
                    (CategorySet::MANDATED, &mut ruling.mandated),
                    (CategorySet::LOCAL, &mut ruling.local),
                    (others, &mut ruling.rule),
                ] {
                    if active.intersects(tier) && winner.is_none_or(|winner| decision.beats(winner))
                    {
                        *winner = Some(decision);
                    }
                }
            }
        }
        ruling
    }

    /// Spells out a decision: all facets of the entry that ask for the same count.
    fn verdict(
        &self,
        image: &[u8],
        key: &[u8],
        decision: Decision,
        tier: Tier,
        enabled: CategorySet,
    ) -> Verdict {
        let mut hit = Hit {
            trigger: trigger(decision.key_len, key),
            tier,
            categories: CategorySet::EMPTY,
            covers_below: false,
            lists: ListSet::EMPTY,
        };
        let lists = ListTable::new(self.lists.of(image));
        let found = Match { key_len: decision.key_len, value: decision.class };
        let facets =
            Classes::new(self.classes.of(image)).map(|classes| classes.facets(decision.class));
        for facet in facets.into_iter().flatten() {
            let agrees = facet.action == decision.action && facet.important == decision.important;
            if !agrees || !covers(facet.scope, &found, key) {
                continue;
            }
            let active = facet.categories.intersection(enabled);
            hit.categories = hit.categories.union(active);
            hit.covers_below |= facet.scope.covers_below() && !active.is_empty();
            for &list in facet.lists {
                if lists.is_some_and(|lists| lists.categories(list).intersects(enabled)) {
                    hit.lists.insert(list);
                }
            }
        }
        match decision.action {
            Action::Block => Verdict::Block(hit),
            Action::Allow => Verdict::Allow(hit),
        }
    }

    fn never_blocked(&self, image: &[u8], key: &[u8]) -> Option<(Trigger, Scope)> {
        let (span, layout) = self.never_block?;
        let set = layout.view(span.of(image))?;
        set.matches(key).find_map(|found| {
            let scope = u8::try_from(found.value).ok().and_then(Scope::from_code)?;
            covers(scope, &found, key).then(|| (trigger(found.key_len, key), scope))
        })
    }
}

/// Which sets may hold a name or a parent of it; the others do not.
struct Suspects {
    /// Symbols of the longest key the rules may hold; 0 when they hold none.
    rules: usize,
    never_block: bool,
}

/// The winners of one walk.
#[derive(Default)]
struct Ruling {
    mandated: Option<Decision>,
    local: Option<Decision>,
    rule: Option<Decision>,
}

/// A facet that won so far, and where it was found.
#[derive(Clone, Copy)]
struct Decision {
    important: bool,
    key_len: usize,
    action: Action,
    class: u16,
}

impl Decision {
    /// Important before common, longer before shorter, allow before block.
    fn beats(&self, other: Decision) -> bool {
        let rank = |decision: &Decision| {
            (decision.important, decision.key_len, decision.action == Action::Allow)
        };
        rank(self) > rank(&other)
    }
}

/// Whether a rule found at `found` with this scope covers the key.
fn covers(scope: Scope, found: &Match, key: &[u8]) -> bool {
    if found.key_len == key.len() { scope.covers_self() } else { scope.covers_below() }
}

fn trigger(key_len: usize, key: &[u8]) -> Trigger {
    if key_len == key.len() {
        return Trigger::Exact;
    }
    let parent = key.get(..key_len).unwrap_or(&[]);
    let separators = parent.iter().filter(|&&symbol| symbol == SEPARATOR).count();
    Trigger::Suffix { labels: separators as u8 + 1 }
}

fn find(image: &[u8], header: &Header, id: SectionId) -> Option<Span> {
    let section = Sections::new(image, header)?.find(|section| section.code == id as u16)?;
    let start = section.offset as usize;
    Some(Span { start, end: start.checked_add(section.len_octets as usize)? })
}

fn required(image: &[u8], header: &Header, id: SectionId) -> Result<Span, FormatError> {
    find(image, header, id).ok_or(FormatError::Section { code: id as u16 })
}

/// See [`Filter::rules`].
pub struct Rules<'a> {
    entries: Option<Entries<'a>>,
    classes: Option<Classes<'a>>,
}

/// A name and what lists say about it.
#[derive(Clone)]
pub struct Rule<'a> {
    /// The name the facets are written for.
    pub name: Name,
    facets: Facets<'a>,
}

impl Rule<'_> {
    /// What is said about the name.
    pub fn facets(&self) -> impl Iterator<Item = Facet> {
        self.facets.clone().map(StoredFacet::to_facet)
    }
}

impl<'a> Iterator for Rules<'a> {
    type Item = Rule<'a>;

    fn next(&mut self) -> Option<Rule<'a>> {
        let (symbols, class) = self.entries.as_mut()?.advance()?;
        Some(Rule { name: Key::name_of(symbols)?, facets: self.classes?.facets(class) })
    }
}

/// See [`Filter::never_block`].
pub struct NeverBlock<'a> {
    entries: Option<Entries<'a>>,
}

impl Iterator for NeverBlock<'_> {
    type Item = (Name, Scope);

    fn next(&mut self) -> Option<(Name, Scope)> {
        let (symbols, scope) = self.entries.as_mut()?.advance()?;
        Some((Key::name_of(symbols)?, Scope::from_code(u8::try_from(scope).ok()?)?))
    }
}
