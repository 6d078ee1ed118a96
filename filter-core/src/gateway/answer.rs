//! A response as this gateway uses it: takes a message of an upstream or of the cache, gives
//! [`Answer`], a checked view of its question, answer and authority sections.
//!
//! The additional section goes no further than here: what it holds for the hop before (EDNS) is
//! not for the next (RFC 6891 section 6.1.1), the rest is optional, and what is not passed on
//! need not be inspected.

use core::net::IpAddr;

use domain::base::iana::{OptRcode, Rcode, Rtype};
use domain::base::{Message, ParsedName, ParsedRecord, RecordSection};
use domain::rdata::{A, Aaaa, Soa};

use super::question::{Question, Spelling};
use super::settings::Settings;
use crate::name::{Name, NameError};

/// A response with one question, every record of which can be told from the next.
///
/// Holding one proves: QR is set, and the sections up to the authority section end at `body_len`.
pub(super) struct Answer<'m> {
    message: &'m Message<[u8]>,
    pub(super) question: Question,
    pub(super) spelling: Spelling,
    body_len: usize,
}

impl<'m> Answer<'m> {
    /// Checks a message. `None` when it is no response, or cannot be read.
    pub(super) fn parse(octets: &'m [u8]) -> Option<Answer<'m>> {
        let message = Message::from_slice(octets).ok().filter(|message| message.header().qr())?;
        let (question, spelling) = Question::parse(message)?;
        let additional = message.additional().ok()?;
        let body_len = additional.pos();
        // Also what is not passed on has to be whole.
        if !additional.into_iter().all(|record| record.is_ok()) {
            return None;
        }
        Some(Answer { message, question, spelling, body_len })
    }

    /// Whether every owner and target in it can be read: a name that we cannot read may be read,
    /// and followed, by others. An OPT record is none of these sections' (RFC 6891 section 6.1.1). To be
    /// asked when a message comes in.
    pub(super) fn is_sound(&self) -> bool {
        let sound = self.records().filter(|record| {
            let owner = Name::from_message(record.message, record.start);
            owner.is_ok() && record.target().is_ok() && record.parsed.rtype() != Rtype::OPT
        });
        let counts = self.message.header_counts();
        sound.count() == usize::from(counts.ancount()) + usize::from(counts.nscount())
    }

    pub(super) fn id(&self) -> u16 {
        self.message.header().id()
    }

    pub(super) fn is_truncated(&self) -> bool {
        self.message.header().tc()
    }

    pub(super) fn is_authentic(&self) -> bool {
        self.message.header().ad()
    }

    pub(super) fn rcode(&self) -> Rcode {
        self.message.header().rcode()
    }

    /// Whether it says what there is or that there is nothing: what other codes say is about the
    /// upstream, and another one may do better.
    pub(super) fn is_conclusive(&self) -> bool {
        matches!(self.message.opt_rcode(), OptRcode::NOERROR | OptRcode::NXDOMAIN)
    }

    /// The octets up to the end of the authority section.
    pub(super) fn body(&self) -> &'m [u8] {
        self.message.as_slice().get(..self.body_len).unwrap_or(&[])
    }

    /// The records of the answer and authority sections.
    pub(super) fn records(&self) -> Records<'m> {
        let section = self.message.answer().ok();
        Records { message: self.message.as_slice(), section, is_authority: false }
    }

    /// For how many seconds it may be kept: the lowest time to live of its records, of a negative
    /// answer also the SOA record's minimum (RFC 2308 section 5), at most what is set for its kind.
    /// 0 when it must not be kept, as a negative answer without an SOA record.
    pub(super) fn lifetime_s(&self, settings: &Settings) -> u32 {
        let mut lifetime = settings.ttl_max_s;
        let mut minimum = None;
        let mut is_positive = false;
        for record in self.records() {
            lifetime = lifetime.min(record.ttl_s());
            if record.is_authority {
                minimum = minimum.or(record.soa_minimum_s());
            } else {
                is_positive |= record.parsed.rtype() == self.question.qtype;
            }
        }
        if is_positive && self.rcode() == Rcode::NOERROR {
            return lifetime;
        }
        minimum.map_or(0, |minimum| lifetime.min(minimum).min(settings.negative_ttl_max_s))
    }
}

/// See [`Answer::records`].
pub(super) struct Records<'m> {
    message: &'m [u8],
    section: Option<RecordSection<'m, [u8]>>,
    is_authority: bool,
}

impl<'m> Iterator for Records<'m> {
    type Item = PlacedRecord<'m>;

    fn next(&mut self) -> Option<PlacedRecord<'m>> {
        // Ends because a message has two such sections, with finitely many records.
        loop {
            let section = self.section.as_mut()?;
            let start = section.pos();
            if let Some(parsed) = section.next() {
                let parsed = parsed.ok()?;
                let data_end = section.pos();
                let (message, is_authority) = (self.message, self.is_authority);
                return Some(PlacedRecord { message, parsed, start, data_end, is_authority });
            }
            let next = self.section.take().filter(|_| !self.is_authority)?.next_section();
            self.section = next.ok()?;
            self.is_authority = true;
        }
    }
}

/// A record and where it stands.
pub(super) struct PlacedRecord<'m> {
    message: &'m [u8],
    parsed: ParsedRecord<'m, [u8]>,
    start: usize,
    data_end: usize,
    pub(super) is_authority: bool,
}

impl PlacedRecord<'_> {
    /// Octets of the time to live and of the length between it and the data.
    const TTL_AND_LEN_LEN: usize = 6;

    /// The time to live; one with its highest bit set is 0 (RFC 2181 section 8).
    pub(super) fn ttl_s(&self) -> u32 {
        let ttl = self.parsed.ttl().as_secs();
        if ttl > i32::MAX as u32 { 0 } else { ttl }
    }

    /// Where the four octets of the time to live begin.
    pub(super) fn ttl_offset(&self) -> usize {
        let data_len = usize::from(self.parsed.rdlen());
        self.data_end.saturating_sub(data_len).saturating_sub(PlacedRecord::TTL_AND_LEN_LEN)
    }

    /// The address in an A or AAAA record.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.parsed.rtype() {
            Rtype::A => Some(self.parsed.to_record::<A>().ok()??.data().addr().into()),
            Rtype::AAAA => Some(self.parsed.to_record::<Aaaa>().ok()??.data().addr().into()),
            _ => None,
        }
    }

    /// The minimum of an SOA record.
    pub(super) fn soa_minimum_s(&self) -> Option<u32> {
        let soa = self.parsed.to_record::<Soa<ParsedName<&[u8]>>>().ok()??;
        Some(soa.data().minimum().as_secs())
    }

    /// The other name the record leads to: the target of a CNAME (RFC 1035 section 3.3.1), SVCB
    /// or HTTPS record (RFC 9460 section 2.2), if it is one of those.
    ///
    /// # Errors
    /// When the target is no name.
    pub(super) fn target(&self) -> Result<Option<Name>, NameError> {
        let offset = match self.parsed.rtype() {
            Rtype::CNAME => 0,
            // Behind the priority.
            Rtype::SVCB | Rtype::HTTPS => 2,
            _ => return Ok(None),
        };
        let data_start = self.data_end.saturating_sub(usize::from(self.parsed.rdlen()));
        let (name, _) = Name::from_message(self.message, data_start + offset)?;
        // The root stands for the owner itself (RFC 9460 section 2.5), which is known.
        Ok(Some(name).filter(|name| *name != Name::ROOT))
    }
}
