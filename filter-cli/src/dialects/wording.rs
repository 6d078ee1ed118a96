//! Chooses for each name of a zone the statements of a dialect that come closest to what the
//! image means, never blocking more.

use filter_core::{Action, Scope};

use super::meaning::{Node, Ruling};

/// One statement about a name.
pub(super) type Statement = (Scope, Action);

/// What a dialect has words for.
#[derive(Clone, Copy)]
pub(super) struct Vocabulary {
    /// The statements it can make about a name.
    pub(super) statements: &'static [Statement],
    /// Whether one name may carry two statements: the name itself and what is below.
    pub(super) pairs: bool,
}

/// What is written for one name, and what it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wording {
    /// At most two, for the name itself and for what is below.
    pub(super) statements: [Option<Statement>; 2],
    /// What the text written so far makes of the name itself.
    pub(super) own: Ruling,
    /// What the text written so far makes of unlisted names below.
    pub(super) below: Ruling,
}

impl Vocabulary {
    /// The wording of each name of a zone.
    pub(super) fn word(&self, zone: &[Node]) -> Vec<Wording> {
        let nests = self.statements.iter().any(|&(_, action)| action == Action::Allow);
        let whole = blocked_throughout(zone);
        let mut wordings: Vec<Wording> = Vec::with_capacity(zone.len());
        for (index, node) in zone.iter().enumerate() {
            let inherited = node.parent.and_then(|parent| wordings[parent].below);
            let fits = |wording: &Wording| {
                let own = wording.own != Some(Action::Block) || node.own == wording.own;
                let below = wording.below != Some(Action::Block) || node.below == wording.below;
                // Without words for exceptions a block reaches everything below.
                let free = nests || wording.below != Some(Action::Block) || whole[index];
                own && below && free
            };
            // `max_by_key` takes the last of equals: the one with the fewest statements.
            let best = self.wordings(inherited).filter(fits).max_by_key(|it| it.closeness(node));
            // One always fits: where nothing may not be said, an exception can be, since without
            // words for exceptions a parent is only blocked when it is blocked throughout.
            wordings.push(best.unwrap_or(Wording::nothing(inherited)));
        }
        wordings
    }

    /// All wordings of a name below one with this ruling, longest first.
    fn wordings(&self, inherited: Ruling) -> impl Iterator<Item = Wording> {
        let of = |scope| self.statements.iter().filter(move |statement| statement.0 == scope);
        let pairs = of(Scope::Exact)
            .flat_map(move |&own| of(Scope::Below).map(move |&below| [Some(own), Some(below)]))
            .filter(|_| self.pairs);
        let singles = self.statements.iter().map(|&statement| [Some(statement), None]);
        pairs
            .chain(singles)
            .map(move |statements| Wording::of(statements, inherited))
            .chain([Wording::nothing(inherited)])
    }
}

impl Wording {
    fn nothing(inherited: Ruling) -> Wording {
        Wording { statements: [None; 2], own: inherited, below: inherited }
    }

    fn of(statements: [Option<Statement>; 2], inherited: Ruling) -> Wording {
        let mut wording = Wording { statements, ..Wording::nothing(inherited) };
        for (scope, action) in statements.into_iter().flatten() {
            if scope.covers_self() {
                wording.own = Some(action);
            }
            if scope.covers_below() {
                wording.below = Some(action);
            }
        }
        wording
    }

    /// How near this comes to what a name means: the name itself counts a little more than
    /// what is below, and of two ways to miss, the harmless one is better.
    fn closeness(&self, node: &Node) -> u32 {
        let near = |said: Ruling, meant: Ruling, weight| match said == meant {
            true => weight,
            false => u32::from(meant != Some(Action::Block)),
        };
        near(self.own, node.own, 4) + near(self.below, node.below, 3)
    }
}

/// For each name whether it and everything below it, listed or not, is blocked.
fn blocked_throughout(zone: &[Node]) -> Vec<bool> {
    let blocked = |node: &Node| [node.own, node.below] == [Some(Action::Block); 2];
    let mut throughout: Vec<bool> = zone.iter().map(blocked).collect();
    // Children stand behind their parents.
    for index in (0..zone.len()).rev() {
        if let (false, Some(parent)) = (throughout[index], zone[index].parent) {
            throughout[parent] = false;
        }
    }
    throughout
}
