//! Writes replies: takes an [`Asker`] and either an upstream's [`Answer`] or what we say
//! ourselves, a [`Statement`], and gives a message in the caller's buffer that the asker can take.

use core::net::IpAddr;

use domain::base::iana::exterr::ExtendedErrorCode;
use domain::base::iana::{OptRcode, Rcode};
use domain::base::{Header, HeaderCounts};
use heapless::{String, Vec};

use super::answer::Answer;
use super::buffer::Buffer;
use super::compose::{compose, push_opt};
use super::pending::Origin;
use super::query::Asker;
use super::question::{HEADER_LEN, Question, TYPE_AND_CLASS_LEN};
use super::repeats::Repeat;
use crate::rule::CategorySet;

/// What we say to someone, or what an upstream said.
#[allow(clippy::large_enum_variant, reason = "there is no heap to put the larger one on")]
pub(super) enum Reply<'r> {
    Say(Statement),
    Relay(&'r Answer<'r>, Age),
}

/// What we say ourselves.
pub(super) struct Statement {
    pub(super) rcode: OptRcode,
    pub(super) content: Content,
    /// For how long it may be kept.
    pub(super) ttl_s: u32,
    /// Why, for clients with EDNS (RFC 8914); the text goes with the first.
    pub(super) reasons: Vec<ExtendedErrorCode, 2>,
    pub(super) text: ReasonText,
    /// The categories it blocks something in, if it does.
    pub(super) blocked: CategorySet,
}

/// A short text for people, or for programs.
pub(super) type ReasonText = String<REASON_LEN_MAX>;

/// What fits beside the longest question and an SOA record into the 512 octets everybody takes.
#[cfg(feature = "structured-errors")]
pub(super) const REASON_LEN_MAX: usize = 176;
#[cfg(not(feature = "structured-errors"))]
pub(super) const REASON_LEN_MAX: usize = 96;

/// The records of a statement.
pub(super) enum Content {
    /// None.
    Empty,
    /// None, and an SOA record to remember that by (RFC 2308).
    Negative,
    /// An address, in an A or an AAAA record.
    Address(IpAddr),
    /// A host that stands for the name asked for, and its addresses; an SOA record when it has
    /// none.
    Alias(Alias),
    /// What stands for all types at once (RFC 8482 section 4.2).
    Any,
}

/// See [`Content::Alias`].
pub(super) struct Alias {
    /// The host on the wire.
    pub(super) host: Origin,
    pub(super) addresses: Vec<IpAddr, 8>,
}

impl Statement {
    /// A code without records or reasons.
    pub(super) fn new(rcode: OptRcode) -> Statement {
        Statement {
            rcode,
            content: Content::Empty,
            ttl_s: 0,
            reasons: Vec::new(),
            text: ReasonText::new(),
            blocked: CategorySet::EMPTY,
        }
    }

    pub(super) fn with_content(rcode: OptRcode, content: Content, ttl_s: u32) -> Statement {
        Statement { content, ttl_s, ..Statement::new(rcode) }
    }

    /// Adds a reason. There are never more than two.
    pub(super) fn because(mut self, reason: ExtendedErrorCode) -> Statement {
        let _ = self.reasons.push(reason);
        self
    }
}

/// Where replies are written: a buffer for one message.
pub(super) struct Writer<const MESSAGE: usize> {
    pub(super) buffer: Buffer<MESSAGE>,
}

/// How old an answer is, and how much longer it may be kept.
#[derive(Clone, Copy)]
pub(super) struct Age {
    pub(super) age_s: u32,
    pub(super) left_s: u32,
    /// What no time to live may be above.
    pub(super) ttl_max_s: u32,
}

impl<const MESSAGE: usize> Writer<MESSAGE> {
    pub(super) const fn new() -> Writer<MESSAGE> {
        Writer { buffer: Buffer::new() }
    }

    /// Writes a reply.
    pub(super) fn write(&mut self, asker: &Asker, question: Option<&Question>, reply: &Reply<'_>) {
        match reply {
            Reply::Say(statement) => self.state(asker, question, statement),
            Reply::Relay(answer, age) => self.relay(asker, answer, *age),
        }
    }

    /// Says the same again, to a query with another id.
    pub(super) fn repeat(&mut self, query: &[u8], repeat: &Repeat<'_>) {
        self.buffer.clear();
        // It fitted before, and its records are whole.
        let _ = self.buffer.push(repeat.octets);
        if let (Some(id), Some(new)) = (self.buffer.first_chunk_mut::<2>(), query.first_chunk()) {
            *id = *new;
        }
        if repeat.age_s > 0 {
            let _ = lower_ttls(&mut self.buffer, repeat.age_s);
        }
    }

    /// Passes an answer on.
    ///
    /// Id, flags and the case of the question become the asker's; times to live lose the age, and
    /// that of a negative answer's SOA record is what is left; our OPT record stands where the
    /// upstream's stood. An answer longer than the asker takes becomes an empty one with TC
    /// set (RFC 2181 section 9): the asker comes back over TCP.
    fn relay(&mut self, asker: &Asker, answer: &Answer<'_>, age: Age) {
        let opt_len = if asker.edns.is_some() { OPT_LEN } else { 0 };
        let len_max = asker.len_max().min(MESSAGE).saturating_sub(opt_len);
        let body = answer.body();
        let is_truncated = body.len() > len_max;
        let kept_len = if is_truncated { answer.question.end() } else { body.len() };
        let buffer = &mut self.buffer;
        buffer.clear();
        // A question has 271 octets at most, so it always fits.
        let is_copied = body.get(..kept_len).is_some_and(|kept| buffer.push(kept).is_ok());
        if !is_copied || buffer.len() < HEADER_LEN {
            buffer.clear();
            return;
        }
        let header = Header::for_message_slice_mut(buffer);
        *header = Header::new();
        write_header(header, asker, answer.rcode());
        header.set_tc(is_truncated);
        // It means something to those only who asked for it (RFC 6840 section 5.8).
        header.set_ad(answer.is_authentic() && (asker.authentic_data || asker.dnssec_ok()));
        let counts = HeaderCounts::for_message_slice_mut(buffer);
        counts.set_arcount(0);
        if is_truncated {
            counts.set_ancount(0);
            counts.set_nscount(0);
        } else {
            write_ttls(buffer, answer, age);
        }
        asker.spelling.write(name_of(buffer, &answer.question));
        if let Some(edns) = asker.edns {
            // Room was left for it.
            let is_written = push_opt(buffer, 0, edns.dnssec_ok, 0).is_ok();
            HeaderCounts::for_message_slice_mut(buffer).set_arcount(u16::from(is_written));
        }
    }

    /// Says something ourselves: at most 512 octets, so every asker can take it.
    pub(super) fn state(
        &mut self,
        asker: &Asker,
        question: Option<&Question>,
        statement: &Statement,
    ) {
        let composed = compose(&mut self.buffer, asker, question, statement);
        if composed.is_err() {
            // Does not happen while a datagram fits; an empty message is not sent.
            self.buffer.clear();
        }
        if let (Some(question), Ok(())) = (question, composed) {
            asker.spelling.capitalize(name_of(&mut self.buffer, question));
        }
    }
}

/// Octets of an OPT record without options.
const OPT_LEN: usize = 11;

/// Writes what is left of the times to live into a copy of the answer.
fn write_ttls(copy: &mut [u8], answer: &Answer<'_>, age: Age) {
    for record in answer.records() {
        let is_proof = record.is_authority && record.soa_minimum_s().is_some();
        let limit_s = if is_proof { age.left_s } else { u32::MAX };
        let ttl_s = record.ttl_s().min(age.ttl_max_s).saturating_sub(age.age_s).min(limit_s);
        let field = copy.get_mut(record.ttl_offset()..).and_then(<[u8]>::first_chunk_mut);
        if let Some(field) = field {
            *field = ttl_s.to_be_bytes();
        }
    }
}

/// Takes this off the times to live in the answer and authority sections of a reply.
fn lower_ttls(reply: &mut [u8], age_s: u32) -> Option<()> {
    let counts = HeaderCounts::for_message_slice(reply);
    let records = u32::from(counts.ancount()) + u32::from(counts.nscount());
    let mut at = name_end(reply, HEADER_LEN)? + TYPE_AND_CLASS_LEN;
    for _ in 0..records {
        at = name_end(reply, at)? + TYPE_AND_CLASS_LEN;
        let ttl = reply.get_mut(at..)?.first_chunk_mut()?;
        *ttl = u32::from_be_bytes(*ttl).saturating_sub(age_s).to_be_bytes();
        at += ttl.len();
        let len = reply.get(at..)?.first_chunk()?;
        at += len.len() + usize::from(u16::from_be_bytes(*len));
    }
    Some(())
}

/// Where a name of a message ends.
fn name_end(message: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    // Ends because `at` grows.
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            len @ 1..=63 => at += usize::from(len) + 1,
            // A pointer ends a name.
            _ => return Some(at + 2),
        }
    }
}

/// The name of the question in a message, to give it the case the asker sent; names that point to it
/// have it too.
fn name_of<'m>(message: &'m mut [u8], question: &Question) -> &'m mut [u8] {
    let end = HEADER_LEN + question.name.as_wire().len();
    message.get_mut(HEADER_LEN..end).unwrap_or_default()
}

/// The header of every reply: ours is never authoritative, and recursion always available.
pub(super) fn write_header(header: &mut Header, asker: &Asker, rcode: Rcode) {
    header.set_id(asker.id);
    header.set_qr(true);
    header.set_opcode(asker.opcode);
    header.set_rd(asker.recursion_desired);
    header.set_ra(true);
    header.set_cd(asker.checking_disabled);
    header.set_rcode(rcode);
}
