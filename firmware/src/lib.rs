//! What a gateway does with a DNS query before any socket is touched: takes the octets of a
//! datagram and a [`Filter`], gives a [`Step`], and promises to do so without heap, recursion
//! or panic on any octets.
//!
//! The image is opened once, where it lies in flash; every query then costs one name and one
//! check. Writing the answer to a blocked query, forwarding and caching will join with the
//! gateway, and boards will stand in `src/bin/`, one file each.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

use filter_core::{CategorySet, Filter, Hit, Name, Verdict};

/// What to do with a datagram from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Answer as policy says; never ask upstream.
    Block(Hit),
    /// No query this gateway serves. It came from a broken or a hostile client.
    Drop,
    /// Ask upstream.
    Forward,
}

/// Decides about one datagram.
///
/// A datagram is served when it is a standard query with one question (RFC 1035 section 4.1);
/// answers, other opcodes and any other number of questions are dropped.
///
/// Cost: that of [`Filter::check`]. About 2.5 kB of stack, no heap.
///
/// ```
/// use filter_core::{CategorySet, Filter};
/// use firmware::{Step, step};
///
/// fn serve(flash: &[u8], datagram: &[u8]) -> Result<bool, filter_core::FormatError> {
///     let filter = Filter::from_bytes(flash)?;
///     Ok(matches!(step(&filter, CategorySet::ALL, datagram), Step::Block(_)))
/// }
/// ```
pub fn step<D: AsRef<[u8]>>(filter: &Filter<D>, enabled: CategorySet, datagram: &[u8]) -> Step {
    let Some(name) = question(datagram) else { return Step::Drop };
    match filter.check(&name, enabled) {
        Verdict::Block(hit) => Step::Block(hit),
        Verdict::Allow(_) | Verdict::Pass => Step::Forward,
    }
}

/// The name a standard query asks about.
fn question(datagram: &[u8]) -> Option<Name> {
    let &[_, _, flags, _, count_high, count_low, ..] = datagram else { return None };
    if flags & (RESPONSE | OPCODE) != 0 || [count_high, count_low] != [0, 1] {
        return None;
    }
    let (name, end) = Name::from_message(datagram, HEADER_LEN).ok()?;
    datagram.get(end..)?.first_chunk::<TYPE_AND_CLASS_LEN>()?;
    Some(name)
}

/// Octets of the header of a DNS message.
const HEADER_LEN: usize = 12;
/// Octets behind the name of a question.
const TYPE_AND_CLASS_LEN: usize = 4;
/// The bit of the third octet that marks an answer.
const RESPONSE: u8 = 0b1000_0000;
/// The bits of the third octet that hold the opcode; 0 is a standard query.
const OPCODE: u8 = 0b0111_1000;

#[cfg(test)]
mod tests {
    use super::*;
    use filter_core::compile::{Compiler, ListInfo};
    use filter_core::{Action, Scope};

    fn filter() -> Filter<Vec<u8>> {
        let mut compiler = Compiler::new(1);
        compiler.category(20, "gambling").unwrap();
        let list = compiler.list(ListInfo::new("demo", CategorySet::of(20))).unwrap();
        let name = Name::from_text("casino.example").unwrap();
        compiler.rule(&name, Scope::Subtree, Action::Block, list).unwrap();
        Filter::from_bytes(compiler.finish().unwrap().octets).unwrap()
    }

    fn query(name: &str) -> Vec<u8> {
        let mut datagram = vec![0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        datagram.extend(Name::from_text(name).unwrap().as_wire());
        datagram.extend([0, 1, 0, 1]);
        datagram
    }

    #[test]
    fn blocked_names_stay_here_and_others_go_on() {
        let filter = filter();
        let step = |name| step(&filter, CategorySet::ALL, &query(name));
        assert!(matches!(step("www.casino.example"), Step::Block(_)));
        assert_eq!(step("www.school.example"), Step::Forward);
    }

    #[test]
    fn every_cut_and_every_other_kind_of_message_is_dropped() {
        let filter = filter();
        let whole = query("casino.example");
        for len in 0..whole.len() {
            assert_eq!(step(&filter, CategorySet::ALL, &whole[..len]), Step::Drop, "{len}");
        }
        for (at, octet) in [(2, 0x81), (2, 0x29), (5, 0), (5, 2), (4, 1), (12, 0x40), (12, 0xC0)] {
            let mut other = whole.clone();
            other[at] = octet;
            assert_eq!(step(&filter, CategorySet::ALL, &other), Step::Drop, "{at} {octet:#x}");
        }
    }
}
