//! Reads what a client sent: takes a datagram, gives the question and the [`Asker`], or how to
//! turn it down (RFC 1035 section 4.1, RFC 6891 for EDNS).

use domain::base::Message;
use domain::base::iana::{Class, Opcode, OptRcode, Rtype};
use domain::base::opt::{Opt, UnknownOptData};

use super::event::{Client, Transport};
use super::question::{Question, Spelling};
use super::settings::Settings;

/// The largest UDP reply, and what we announce to clients and upstreams: it passes every common
/// path without being cut into fragments (RFC 9715).
pub(super) const UDP_LEN_MAX: u16 = 1232;

/// The largest UDP reply to a client without EDNS (RFC 1035 section 2.3.4).
const PLAIN_UDP_LEN_MAX: u16 = 512;

/// Who asked and what the reply to it must look like.
#[derive(Clone, Copy)]
pub(super) struct Asker {
    pub(super) client: Client,
    pub(super) id: u16,
    pub(super) opcode: Opcode,
    pub(super) spelling: Spelling,
    pub(super) recursion_desired: bool,
    pub(super) authentic_data: bool,
    pub(super) checking_disabled: bool,
    pub(super) edns: Option<Edns>,
}

/// What a client's OPT record says (RFC 6891 section 6.1.3).
#[derive(Clone, Copy)]
pub(super) struct Edns {
    udp_len: u16,
    pub(super) dnssec_ok: bool,
    /// Whether reasons are wanted in JSON.
    pub(super) structured_errors: bool,
}

/// What a datagram of a client is.
pub(super) enum Received<'q> {
    /// A question this gateway can answer or have answered.
    Query(&'q Question),
    /// Something that is turned down at once.
    Rejected(Option<&'q Question>, OptRcode),
    /// Too short, or a response: nobody waits for a reply to it.
    Nothing,
}

impl Asker {
    /// Someone, before what was asked is read.
    pub(super) fn new(client: Client) -> Asker {
        Asker {
            client,
            id: 0,
            opcode: Opcode::QUERY,
            spelling: Spelling::LOWER_CASE,
            recursion_desired: false,
            authentic_data: false,
            checking_disabled: false,
            edns: None,
        }
    }

    /// Octets the reply may have.
    pub(super) fn len_max(&self) -> usize {
        match (self.client.transport, self.edns) {
            (Transport::Tcp, _) => usize::from(u16::MAX),
            (Transport::Udp, Some(edns)) => {
                edns.udp_len.clamp(PLAIN_UDP_LEN_MAX, UDP_LEN_MAX).into()
            }
            (Transport::Udp, None) => PLAIN_UDP_LEN_MAX.into(),
        }
    }

    pub(super) fn wants_structured_errors(&self) -> bool {
        self.edns.is_some_and(|edns| edns.structured_errors)
    }

    pub(super) fn dnssec_ok(&self) -> bool {
        self.edns.is_some_and(|edns| edns.dnssec_ok)
    }
}

/// Reads a datagram, or a message that came over a stream without its length prefix. The caller lends
/// the places for what is read.
///
/// Served are standard queries with one question of class IN and nothing else but an OPT record
/// of version 0. Zone transfers are refused; other types that are no types of data (RFC 6895
/// section 3.1) are not implemented, ANY apart.
pub(super) fn read<'q>(
    octets: &[u8],
    settings: &Settings,
    asker: &mut Asker,
    question: &'q mut Question,
) -> Received<'q> {
    let Ok(message) = Message::from_slice(octets) else { return Received::Nothing };
    let header = message.header();
    if header.qr() {
        return Received::Nothing;
    }
    asker.id = header.id();
    asker.opcode = header.opcode();
    asker.recursion_desired = header.rd();
    asker.authentic_data = header.ad();
    asker.checking_disabled = header.cd();
    if header.opcode() != Opcode::QUERY {
        return Received::Rejected(None, OptRcode::NOTIMP);
    }
    let counts = message.header_counts();
    let spelling = question.read(message);
    let Some(spelling) = spelling.filter(|_| counts.ancount() == 0 && counts.nscount() == 0) else {
        return Received::Rejected(None, OptRcode::FORMERR);
    };
    let question = &*question;
    asker.spelling = spelling;
    let version = match read_edns(message, settings) {
        Ok(None) => 0,
        Ok(Some((edns, version))) => {
            asker.edns = Some(edns);
            version
        }
        Err(Malformed) => return Received::Rejected(Some(question), OptRcode::FORMERR),
    };
    let rcode = match (question.class, question.qtype) {
        _ if version > 0 => OptRcode::BADVERS,
        (Class::IN, Rtype::ANY) => return Received::Query(question),
        (Class::IN, Rtype::AXFR | Rtype::IXFR) => OptRcode::REFUSED,
        (Class::IN, Rtype::OPT) => OptRcode::NOTIMP,
        (Class::IN, qtype) if (128..=255).contains(&qtype.to_int()) => OptRcode::NOTIMP,
        (Class::IN, _) => return Received::Query(question),
        _ => OptRcode::REFUSED,
    };
    Received::Rejected(Some(question), rcode)
}

/// The additional section of a query cannot be read, or has two OPT records.
struct Malformed;

/// The OPT record and its version.
fn read_edns(
    message: &Message<[u8]>,
    settings: &Settings,
) -> Result<Option<(Edns, u8)>, Malformed> {
    let mut found = None;
    // Ends because the section has finitely many octets, and a record some.
    for record in message.additional().map_err(|_| Malformed)? {
        let record = record.map_err(|_| Malformed)?;
        if record.rtype() != Rtype::OPT {
            continue;
        }
        let options = record.to_record::<Opt<&[u8]>>().ok().flatten().ok_or(Malformed)?;
        if found.is_some() || !record.owner().is_root() {
            return Err(Malformed);
        }
        let flags = record.ttl().as_secs();
        let edns = Edns {
            udp_len: record.class().to_int(),
            dnssec_ok: flags >> 15 & 1 == 1,
            structured_errors: settings.structured_errors().is_some_and(|code| {
                // Ends because each option has some octets.
                let mut options = options.data().iter::<UnknownOptData<_>>().flatten();
                options.any(|option| option.code().to_int() == code)
            }),
        };
        found = Some((edns, (flags >> 16) as u8));
    }
    Ok(found)
}
