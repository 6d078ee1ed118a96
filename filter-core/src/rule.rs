//! The vocabulary that lists, compiler, image and verdict share: [`Scope`], [`Action`],
//! [`CategorySet`] and [`ListSet`].
//!
//! A rule says *for which names* ([`Scope`] of a name) *what* ([`Action`]) and *why*
//! ([`CategorySet`], [`ListSet`]). Everything here is `Copy`, fixed in size and free of heap.

use core::fmt;

/// Which names a rule covers, seen from the name it is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The name itself and nothing below it (a `hosts` line).
    Exact,
    /// The name and everything below it (`||example.com^`).
    Subtree,
    /// Everything below the name, not the name itself (RPZ `*.example.com`).
    Below,
}

impl Scope {
    /// All scopes, in their order on the wire.
    pub const ALL: [Scope; 3] = [Scope::Exact, Scope::Subtree, Scope::Below];

    /// Whether the rule covers the very name it is written for.
    pub const fn covers_self(self) -> bool {
        matches!(self, Scope::Exact | Scope::Subtree)
    }

    /// Whether the rule covers the names below the one it is written for.
    pub const fn covers_below(self) -> bool {
        matches!(self, Scope::Subtree | Scope::Below)
    }

    /// The code of this scope in an image: 0, 1 or 2.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The scope with this code, or `None` for a code format version 2 does not know.
    pub const fn from_code(code: u8) -> Option<Scope> {
        match code {
            0 => Some(Scope::Exact),
            1 => Some(Scope::Subtree),
            2 => Some(Scope::Below),
            _ => None,
        }
    }

    /// The word used in `gardefou.toml` and on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Scope::Exact => "exact",
            Scope::Subtree => "subtree",
            Scope::Below => "below",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a rule asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Keep the name away from the people this place protects.
    Block,
    /// Let the name through although a wider or equal rule blocks it.
    Allow,
}

impl Action {
    /// The word used in `gardefou.toml` and on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Action::Block => "block",
            Action::Allow => "allow",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A set of categories, one bit each. Bit numbers are stable for ever; their names travel in
/// the image.
///
/// ```
/// use filter_core::CategorySet;
/// let gambling = CategorySet::of(20);
/// assert!(gambling.intersects(CategorySet::ALL));
/// assert_eq!(gambling.iter().collect::<Vec<_>>(), [20]);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CategorySet(pub u32);

impl CategorySet {
    /// No category.
    pub const EMPTY: CategorySet = CategorySet(0);
    /// Every category.
    pub const ALL: CategorySet = CategorySet(u32::MAX);
    /// Categories the law obliges a place to block (bits 0 and 1): always enforced, and not
    /// lifted by the never-block set or by local rules.
    pub const MANDATED: CategorySet = CategorySet(0b11);
    /// The sealed category (bit 0). Its names never enter a rule, a keyword or a log.
    pub const SEALED: CategorySet = CategorySet(0b01);
    /// The operator's own rules (bit 31): they win over every other list.
    pub const LOCAL: CategorySet = CategorySet(1 << 31);
    /// Self-harm (bit 7): its vocabulary is that of prevention sites, so keywords never
    /// decide it.
    pub const SELF_HARM: CategorySet = CategorySet(1 << 7);

    /// The set that holds category `bit` only; empty when `bit` is 32 or more.
    pub const fn of(bit: u8) -> CategorySet {
        match 1u32.checked_shl(bit as u32) {
            Some(mask) => CategorySet(mask),
            None => CategorySet::EMPTY,
        }
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether both sets share a category.
    pub const fn intersects(self, other: CategorySet) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether every category of `other` is in this set.
    pub const fn contains(self, other: CategorySet) -> bool {
        self.0 & other.0 == other.0
    }

    /// The categories of either set.
    #[must_use]
    pub const fn union(self, other: CategorySet) -> CategorySet {
        CategorySet(self.0 | other.0)
    }

    /// The categories of both sets.
    #[must_use]
    pub const fn intersection(self, other: CategorySet) -> CategorySet {
        CategorySet(self.0 & other.0)
    }

    /// The categories of this set that are not in `other`.
    #[must_use]
    pub const fn difference(self, other: CategorySet) -> CategorySet {
        CategorySet(self.0 & !other.0)
    }

    /// The bits of the set, lowest first.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        ones(self.0)
    }
}

impl fmt::Debug for CategorySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A set of lists, by their index in the image's list table; at most
/// [`ListSet::CAPACITY`] lists an image.
///
/// ```
/// use filter_core::ListSet;
/// let mut lists = ListSet::EMPTY;
/// lists.insert(3);
/// lists.insert(200);
/// assert_eq!(lists.iter().collect::<Vec<_>>(), [3, 200]);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListSet([u32; 8]);

impl ListSet {
    /// No list.
    pub const EMPTY: ListSet = ListSet([0; 8]);
    /// How many lists one image can name.
    pub const CAPACITY: usize = 256;

    /// Adds the list with this index.
    pub const fn insert(&mut self, list: u8) {
        self.0[(list >> 5) as usize] |= 1 << (list & 31);
    }

    /// Whether the list with this index is in the set.
    pub const fn contains(&self, list: u8) -> bool {
        self.0[(list >> 5) as usize] >> (list & 31) & 1 == 1
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        *self == ListSet::EMPTY
    }

    /// The lists of either set.
    #[must_use]
    pub fn union(mut self, other: ListSet) -> ListSet {
        for (word, more) in self.0.iter_mut().zip(other.0) {
            *word |= more;
        }
        self
    }

    /// The indices in the set, lowest first.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..8).zip(self.0).flat_map(|(place, word)| ones(word).map(move |bit| 32 * place + bit))
    }
}

/// The bits that are set in a word, lowest first.
fn ones(mut word: u32) -> impl Iterator<Item = u8> {
    // Ends because every turn clears a bit.
    core::iter::from_fn(move || {
        let less_one = word.checked_sub(1)?;
        let bit = word.trailing_zeros() as u8;
        word &= less_one;
        Some(bit)
    })
}

impl FromIterator<u8> for ListSet {
    fn from_iter<I: IntoIterator<Item = u8>>(lists: I) -> ListSet {
        let mut set = ListSet::EMPTY;
        lists.into_iter().for_each(|list| set.insert(list));
        set
    }
}

impl fmt::Debug for ListSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
