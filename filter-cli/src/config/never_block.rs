//! The names that are never blocked: a tab-separated file of name, scope, group and source.

use filter_core::{Key, Name, Scope};

use super::document::Problems;
use crate::embedded::Place;
use crate::lists::normalize;

/// Names that are never blocked, in the order of [`Key`]s.
#[derive(Clone, Debug, Default)]
pub struct NeverBlock(Vec<NeverBlocked>);

/// One of them.
#[derive(Clone, Debug)]
pub struct NeverBlocked {
    /// The name.
    pub name: Name,
    /// What else around it is protected.
    pub scope: Scope,
    /// The symbols of its [`Key`].
    symbols: Vec<u8>,
}

impl NeverBlock {
    pub(super) fn read(place: &Place, text: &str, problems: &mut Problems) -> NeverBlock {
        let mut names = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            match row(line) {
                Ok((name, scope)) => names.push((name, scope)),
                Err((column, message)) => {
                    let hint = "write name, tab, `subtree` or `exact`, tab, group, tab, source";
                    problems.add_line(place, (index + 1, column), message, hint.to_owned());
                }
            }
        }
        NeverBlock::new(names)
    }

    /// The set of these names.
    pub fn new(names: impl IntoIterator<Item = (Name, Scope)>) -> NeverBlock {
        let entry = |(name, scope)| NeverBlocked {
            symbols: Key::new(&name).symbols().to_vec(),
            name,
            scope,
        };
        let mut names: Vec<NeverBlocked> = names.into_iter().map(entry).collect();
        names.sort_by(|a, b| a.symbols.cmp(&b.symbols));
        names.dedup_by(|next, kept| {
            let same = next.symbols == kept.symbols;
            if same && next.scope != kept.scope {
                kept.scope = Scope::Subtree;
            }
            same
        });
        NeverBlock(names)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &NeverBlocked> {
        self.0.iter()
    }

    /// Finds what overlaps with rules that come in ascending order.
    pub fn overlaps(&self) -> Overlaps<'_> {
        Overlaps { rest: &self.0, around: Vec::new() }
    }
}

/// Walks the set along with rules in ascending order; O(1) a rule, amortized.
pub struct Overlaps<'a> {
    /// Names that sort behind the rule asked for last.
    rest: &'a [NeverBlocked],
    /// The name of that rule, and its parents, as far as they are in the set.
    around: Vec<&'a NeverBlocked>,
}

impl<'a> Overlaps<'a> {
    /// A name of the set that some name covered by this rule is protected by. Rules must come
    /// in the order of their symbols; rules of one name, in any order.
    pub fn find(&mut self, symbols: &[u8], scope: Scope) -> Option<&'a NeverBlocked> {
        while let [next, rest @ ..] = self.rest
            && next.symbols.as_slice() <= symbols
        {
            self.leave(&next.symbols);
            self.around.push(next);
            self.rest = rest;
        }
        self.leave(symbols);
        let protects = |known: &&&NeverBlocked| {
            let same = known.symbols == symbols;
            let covers_self = same && scope.covers_self() && known.scope.covers_self();
            let covers_below = (!same || scope.covers_below()) && known.scope.covers_below();
            covers_self || covers_below
        };
        let below = || self.rest.first().filter(|next| is_parent(symbols, &next.symbols));
        let around = self.around.iter().rev().find(protects).copied();
        around.or_else(|| if scope.covers_below() { below() } else { None })
    }

    /// Forgets the names that are neither these symbols nor a parent of them.
    fn leave(&mut self, symbols: &[u8]) {
        let around =
            |known: &NeverBlocked| known.symbols == symbols || is_parent(&known.symbols, symbols);
        while self.around.pop_if(|known| !around(known)).is_some() {}
    }
}

fn is_parent(parent: &[u8], symbols: &[u8]) -> bool {
    // 1 is the separator of labels.
    symbols.strip_prefix(parent).is_some_and(|rest| rest.first() == Some(&1))
}

/// The name and scope of a line, or the column and what is wrong there.
fn row(line: &str) -> Result<(Name, Scope), (usize, String)> {
    let mut fields = line.split('\t');
    let text = fields.next().unwrap_or_default();
    let name = normalize(text.as_bytes()).map_err(|reason| (1, reason.to_string()))?;
    let column = text.chars().count() + 2;
    match fields.next().map(str::trim) {
        Some("subtree") => Ok((name, Scope::Subtree)),
        Some("exact") => Ok((name, Scope::Exact)),
        Some(other) => Err((column, format!("unknown scope `{other}`"))),
        None => Err((column, "no scope behind the name".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_are_found_at_below_and_above() {
        let text = "a.example\tsubtree\nc.example\texact\ndeep.d.example\texact\n";
        let place = Place::BuiltIn("never-block.txt".into());
        let mut problems = Problems::default();
        let set = NeverBlock::read(&place, text, &mut problems);
        problems.into_result().unwrap();
        let cases = [
            ("a.example", Scope::Below, true),
            ("x.a.example", Scope::Exact, true),
            ("y.x.a.example", Scope::Subtree, true),
            ("a-b.example", Scope::Subtree, false),
            ("c.example", Scope::Below, false),
            ("c.example", Scope::Exact, true),
            ("x.c.example", Scope::Subtree, false),
            ("d.example", Scope::Exact, false),
            ("d.example", Scope::Below, true),
            ("e.example", Scope::Subtree, false),
        ];
        let mut overlaps = set.overlaps();
        for (name, scope, expected) in cases {
            let key = Key::new(&Name::from_text(name).unwrap());
            let found = overlaps.find(key.symbols(), scope);
            assert_eq!(found.is_some(), expected, "{name} {scope}");
        }
        let key = Key::new(&Name::from_text("example").unwrap());
        assert!(set.overlaps().find(key.symbols(), Scope::Subtree).is_some());
    }

    #[test]
    fn bad_lines_are_reported_with_line_and_column() {
        let mut problems = Problems::default();
        let place = Place::BuiltIn("never-block.txt".into());
        NeverBlock::read(&place, "# comment\na.example\tmaybe\n\n1.2.3.4\tsubtree", &mut problems);
        let text = problems.to_string();
        assert!(text.contains("built-in:never-block.txt:2:11: unknown scope `maybe`"), "{text}");
        assert!(text.contains("built-in:never-block.txt:4:1: "), "{text}");
    }
}
