//! The ways queries come in, numbered: the engine hands the number back with the reply, which has to
//! leave the same way, from the address the query came to.

use std::net::IpAddr;

/// A listener, and the address of ours that was asked; unknown where the system does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) listener: usize,
    pub(super) local: Option<IpAddr>,
}

/// The ways there were so far. A machine has few addresses, so they are looked up one by one.
#[derive(Default)]
pub(super) struct Ways(Vec<Way>);

impl Ways {
    /// The number of a way; `None` when there are more than can be numbered.
    pub(super) fn number(&mut self, way: Way) -> Option<u16> {
        let known = self.0.iter().position(|known| *known == way);
        let index = known.unwrap_or(self.0.len());
        let number = u16::try_from(index).ok()?;
        if known.is_none() {
            self.0.push(way);
        }
        Some(number)
    }

    pub(super) fn get(&self, number: u16) -> Option<Way> {
        self.0.get(usize::from(number)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_keeps_its_number() {
        let mut ways = Ways::default();
        let way = |listener, last| Way { listener, local: Some([192, 0, 2, last].into()) };
        assert_eq!(ways.number(way(0, 1)), Some(0));
        assert_eq!(ways.number(way(1, 1)), Some(1));
        assert_eq!(ways.number(way(0, 1)), Some(0));
        assert_eq!(ways.get(1), Some(way(1, 1)));
        assert_eq!(ways.get(2), None);
    }
}
