//! Writes what we say ourselves: takes an [`Asker`], a question and a [`Statement`], gives a message
//! (RFC 1035 section 4.1, RFC 6891 for EDNS, RFC 8914 for reasons).
//!
//! Octet by octet, for the only names in it are that of the question and a host's: a builder that looks
//! for names to compress costs a microcontroller more than all the rest of the message.

use core::net::IpAddr;

use domain::base::iana::{Class, Rtype};
use domain::base::{Header, HeaderCounts};
use heapless::{CapacityError, Vec};

use super::buffer::{Buffer, Full};
use super::pending::Origin;
use super::query::{Asker, UDP_LEN_MAX};
use super::question::{HEADER_LEN, Question};
use super::reply::{Content, Statement, write_header};
use crate::name::Name;

type Composed = Result<(), Full>;

/// Writes a statement, over what is in the buffer.
///
/// # Errors
/// When there is no room for it, which a datagram has.
pub(super) fn compose<const MESSAGE: usize>(
    buffer: &mut Buffer<MESSAGE>,
    asker: &Asker,
    question: Option<&Question>,
    statement: &Statement,
) -> Composed {
    buffer.clear();
    buffer.push_array([0; HEADER_LEN])?;
    let mut counts = HeaderCounts::new();
    if let Some(question) = question {
        push_question(buffer, question)?;
        counts.set_qdcount(1);
        let [answers, authorities] = push_content(buffer, question, statement)?;
        counts.set_ancount(answers);
        counts.set_nscount(authorities);
    }
    // Only who speaks EDNS is answered in it (RFC 6891 section 7).
    if let Some(edns) = asker.edns {
        push_opt_with_reasons(buffer, edns.dnssec_ok, statement)?;
        counts.set_arcount(1);
    }
    write_header(Header::for_message_slice_mut(buffer), asker, statement.rcode.rcode());
    *HeaderCounts::for_message_slice_mut(buffer) = counts;
    Ok(())
}

/// Writes the records of a statement; gives how many are answers, and how many authorities.
fn push_content<const MESSAGE: usize>(
    buffer: &mut Buffer<MESSAGE>,
    question: &Question,
    statement: &Statement,
) -> Result<[u16; 2], Full> {
    let owner = pointer(&question.name, question.name.as_wire());
    let ttl_s = statement.ttl_s;
    let answers = match &statement.content {
        Content::Empty => return Ok([0, 0]),
        Content::Negative => 0,
        Content::Address(address) => {
            push_address(buffer, &owner, ttl_s, *address)?;
            1
        }
        Content::Any => {
            push_record(buffer, &owner, Rtype::HINFO, ttl_s, b"\x07RFC8482\0")?;
            1
        }
        Content::Alias(alias) => {
            let host = compress(&alias.host, &question.name).map_err(|_| Full)?;
            push_record(buffer, &owner, Rtype::CNAME, ttl_s, &host)?;
            let owner = match host.len() {
                // It is a parent of the name itself.
                ..=POINTER_LEN => host,
                len => Vec::from_slice(&pointer_to(buffer.len() - len)).map_err(|_| Full)?,
            };
            for &address in &alias.addresses {
                push_address(buffer, &owner, ttl_s, address)?;
            }
            1 + alias.addresses.len() as u16
        }
    };
    let is_negative = match &statement.content {
        Content::Alias(alias) => alias.addresses.is_empty(),
        content => matches!(content, Content::Negative),
    };
    if is_negative {
        // Of the root; serial 1, hours and a day that mean nothing, and the minimum, which does.
        push_record_head(buffer, &owner, Rtype::SOA, ttl_s, 22)?;
        buffer.push_array([0; 2])?;
        for number in [1, 3600, 3600, 86_400, ttl_s] {
            buffer.push_array(number.to_be_bytes())?;
        }
    }
    Ok([answers, u16::from(is_negative)])
}

fn push_address<const MESSAGE: usize>(
    buffer: &mut Buffer<MESSAGE>,
    owner: &[u8],
    ttl_s: u32,
    address: IpAddr,
) -> Composed {
    match address {
        IpAddr::V4(address) => push_record(buffer, owner, Rtype::A, ttl_s, &address.octets()),
        IpAddr::V6(address) => push_record(buffer, owner, Rtype::AAAA, ttl_s, &address.octets()),
    }
}

fn push_record<const MESSAGE: usize>(
    buffer: &mut Buffer<MESSAGE>,
    owner: &[u8],
    rtype: Rtype,
    ttl_s: u32,
    data: &[u8],
) -> Composed {
    push_record_head(buffer, owner, rtype, ttl_s, data.len() as u16)?;
    buffer.push(data)
}

/// A record up to its data, of which there will be so many octets.
fn push_record_head<const MESSAGE: usize>(
    buffer: &mut Buffer<MESSAGE>,
    owner: &[u8],
    rtype: Rtype,
    ttl_s: u32,
    len: u16,
) -> Composed {
    buffer.push(owner)?;
    let ttl = [(ttl_s >> 16) as u16, ttl_s as u16];
    buffer.push_numbers([rtype.to_int(), Class::IN.to_int(), ttl[0], ttl[1], len])
}

/// The OPT record with the reasons; the text goes with the first.
fn push_opt_with_reasons<const MESSAGE: usize>(
    buffer: &mut Buffer<MESSAGE>,
    dnssec_ok: bool,
    statement: &Statement,
) -> Composed {
    const EXTENDED_ERROR: u16 = 15;
    /// Octets of a reason without a text: option, length and code.
    const REASON_LEN: usize = 6;
    let text = statement.text.as_bytes();
    let reasons = statement.reasons.len();
    let len = reasons * REASON_LEN + if reasons > 0 { text.len() } else { 0 };
    push_opt(buffer, statement.rcode.ext(), dnssec_ok, len)?;
    for (index, reason) in statement.reasons.iter().enumerate() {
        let text = if index == 0 { text } else { &[] };
        buffer.push_numbers([EXTENDED_ERROR, 2 + text.len() as u16, reason.to_int()])?;
        buffer.push(text)?;
    }
    Ok(())
}

/// An OPT record up to its options, of which there will be so many octets.
pub(super) fn push_opt<const MESSAGE: usize>(
    buffer: &mut Buffer<MESSAGE>,
    rcode_high: u8,
    dnssec_ok: bool,
    len: usize,
) -> Composed {
    let [rcode_high, flags] = [u16::from(rcode_high) << 8, u16::from(dnssec_ok) << 15];
    buffer.push_array([0])?;
    buffer.push_numbers([Rtype::OPT.to_int(), UDP_LEN_MAX, rcode_high, flags, len as u16])
}

/// A question.
pub(super) fn push_question<const MESSAGE: usize>(
    buffer: &mut Buffer<MESSAGE>,
    question: &Question,
) -> Composed {
    buffer.push(question.name.as_wire())?;
    buffer.push_numbers([question.qtype.to_int(), question.class.to_int()])
}

/// Octets of a pointer.
const POINTER_LEN: usize = 2;

/// What stands for a name at a place of the message (RFC 1035 section 4.1.4).
fn pointer_to(place: usize) -> [u8; POINTER_LEN] {
    (0xC000 | place as u16).to_be_bytes()
}

/// What stands for the end of the question's name; the root is as it is.
fn pointer(name: &Name, end: &[u8]) -> Vec<u8, POINTER_LEN> {
    let place = HEADER_LEN + name.as_wire().len().saturating_sub(end.len());
    match end {
        [0] => Vec::from_array([0]),
        _ => Vec::from_array(pointer_to(place)),
    }
}

/// A host on the wire, with a pointer for what it has in common with the question's name.
fn compress(
    host: &Origin,
    name: &Name,
) -> Result<Vec<u8, { crate::rewrites::HOST_LEN_MAX }>, CapacityError> {
    let mut at = 0;
    // Ends because `at` grows, and every name ends with the root.
    while let Some(end) = host.get(at..).filter(|end| !name.is_within_wire(end)) {
        at += 1 + end.first().map_or(0, |&len| usize::from(len));
    }
    let (kept, end) = host.split_at_checked(at).unwrap_or((host, &[]));
    let mut compressed = Vec::from_slice(kept)?;
    compressed.extend_from_slice(&pointer(name, end))?;
    Ok(compressed)
}
