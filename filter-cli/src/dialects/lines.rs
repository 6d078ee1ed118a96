//! The dialects that say one thing a line: domains, hosts, adblock, dnsmasq, Unbound. Also the
//! lines a list begins with, in every dialect.

use std::io::{self, Write};

use filter_core::{Action, Scope};

use super::meaning::{Node, Ruling};
use super::wording::{Statement, Vocabulary, Wording};
use super::{Dialect, Loss, Unsaid, rpz};
use Action::{Allow, Block};
use Scope::{Below, Exact, Subtree};

/// Writes the lines a list begins with.
pub(super) fn head(dialect: Dialect, serial: u64, text: &mut dyn Write) -> io::Result<()> {
    let mark = match dialect {
        Dialect::Adblock => "!",
        Dialect::Rpz => ";",
        _ => "#",
    };
    if dialect == Dialect::Adblock {
        // How a reader tells the dialect, whatever rules follow.
        writeln!(text, "[Adblock Plus]")?;
    }
    writeln!(text, "{mark} Written by gardefou from the image with serial {serial}.")?;
    writeln!(text, "{mark} The lists it was built from have licenses of their own.")?;
    match dialect {
        Dialect::Unbound => writeln!(text, "server:"),
        Dialect::Rpz => rpz::head(serial, text),
        _ => Ok(()),
    }
}

/// Writes the rules of a zone.
pub(super) fn zone(
    dialect: Dialect,
    zone: &[Node],
    text: &mut dyn Write,
    unsaid: &mut Unsaid,
) -> io::Result<()> {
    let wordings = vocabulary(dialect).word(zone);
    let ranks = if dialect == Dialect::Adblock { ranks(zone, &wordings) } else { Vec::new() };
    for (index, (node, wording)) in zone.iter().zip(&wordings).enumerate() {
        note(node, wording, unsaid);
        let rank = ranks.get(index).copied().unwrap_or(Rank::COMMON);
        if rank > Rank::HIGHEST {
            unsaid.note(Loss::Order, &node.name);
        }
        for statement in wording.statements.into_iter().flatten() {
            line(dialect, &node.name, statement, rank.is_important(), text)?;
        }
    }
    Ok(())
}

fn vocabulary(dialect: Dialect) -> Vocabulary {
    match dialect {
        Dialect::Domains => Vocabulary { statements: &[(Subtree, Block)], pairs: false },
        Dialect::Hosts => Vocabulary { statements: &[(Exact, Block)], pairs: false },
        Dialect::Adblock | Dialect::Rpz => Vocabulary {
            statements: &[
                (Exact, Block),
                (Exact, Allow),
                (Below, Block),
                (Below, Allow),
                (Subtree, Block),
                (Subtree, Allow),
            ],
            pairs: true,
        },
        // Of `/name/` and `/*.name/` together the first is all that counts.
        Dialect::Dnsmasq => Vocabulary {
            statements: &[(Below, Block), (Below, Allow), (Subtree, Block), (Subtree, Allow)],
            pairs: false,
        },
        Dialect::Unbound => {
            Vocabulary { statements: &[(Subtree, Block), (Subtree, Allow)], pairs: false }
        }
    }
}

fn line(
    dialect: Dialect,
    name: &str,
    (scope, action): Statement,
    important: bool,
    text: &mut dyn Write,
) -> io::Result<()> {
    match dialect {
        Dialect::Domains => writeln!(text, "{name}"),
        Dialect::Hosts => writeln!(text, "0.0.0.0 {name}"),
        Dialect::Adblock => {
            let exception = if action == Allow { "@@" } else { "" };
            let anchor = match scope {
                Exact => "|",
                Subtree => "||",
                Below => "||*.",
            };
            let modifier = if important { "$important" } else { "" };
            writeln!(text, "{exception}{anchor}{name}^{modifier}")
        }
        Dialect::Dnsmasq => {
            let wildcard = if scope == Below { "*." } else { "" };
            match action {
                Block => writeln!(text, "address=/{wildcard}{name}/"),
                Allow => writeln!(text, "server=/{wildcard}{name}/#"),
            }
        }
        Dialect::Unbound => {
            let kind = match action {
                Block => "always_nxdomain",
                Allow => "always_transparent",
            };
            writeln!(text, "local-zone: \"{name}.\" {kind}")
        }
        Dialect::Rpz => Ok(()),
    }
}

/// Counts where a wording falls short.
fn note(node: &Node, wording: &Wording, unsaid: &mut Unsaid) {
    let lost = |meant: Ruling, said: Ruling| meant == Some(Block) && said != meant;
    let wider = |meant: Ruling, said: Ruling| said == Some(Allow) && said != meant;
    let missing = |meant: Ruling, said: Ruling| meant == Some(Allow) && said != meant;
    let either = |test: fn(Ruling, Ruling) -> bool| {
        test(node.own, wording.own) || test(node.below, wording.below)
    };
    if either(wider) {
        unsaid.note(Loss::WiderException, &node.name);
    } else if lost(node.own, wording.own) {
        unsaid.note(Loss::Name, &node.name);
    } else if lost(node.below, wording.below) {
        unsaid.note(Loss::Below, &node.name);
    } else if either(missing) {
        unsaid.note(Loss::Exception, &node.name);
    }
}

/// Where a rule stands in AdGuard's order: blocks 0, exceptions 1, important blocks 2,
/// important exceptions 3. Higher ones would be needed for deeper nests.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank(u32);

impl Rank {
    const COMMON: Rank = Rank(0);
    const HIGHEST: Rank = Rank(3);

    /// The lowest rank of a rule with this action that wins over a rule of `self`.
    fn above(self, action: Action) -> Rank {
        let parity = if action == Allow { 1 } else { 0 };
        Rank(if self.0 % 2 == parity { self.0 + 2 } else { self.0 + 1 })
    }

    fn lowest(action: Action) -> Rank {
        Rank(if action == Allow { 1 } else { 0 })
    }

    fn is_important(self) -> bool {
        self.0 >= 2
    }
}

/// The rank of the statements of each name; of two, neither reaches the other's names.
fn ranks(zone: &[Node], wordings: &[Wording]) -> Vec<Rank> {
    // The rank of what decides below each name, if anything does.
    let mut below: Vec<Option<Rank>> = Vec::with_capacity(zone.len());
    let mut ranks = Vec::with_capacity(zone.len());
    for (node, wording) in zone.iter().zip(wordings) {
        let inherited = node.parent.and_then(|parent| below[parent]);
        let rank_of = |action| match inherited {
            Some(rank) => rank.above(action),
            None => Rank::lowest(action),
        };
        let mut rank = Rank::COMMON;
        let mut rank_below = inherited;
        for (scope, action) in wording.statements.into_iter().flatten() {
            rank = rank.max(rank_of(action));
            if scope.covers_below() {
                rank_below = Some(rank_of(action));
            }
        }
        ranks.push(rank);
        below.push(rank_below);
    }
    ranks
}
