//! The gateway's name in its room, `gardefou.local`, by multicast DNS (RFC 6762): takes questions,
//! gives each that asks for this name the answer.
//!
//! It neither looks for others of this name first nor announces itself: a room has one gateway.

use core::convert::Infallible;
use core::net::{IpAddr, Ipv4Addr};

use embassy_net::IpEndpoint;
use embassy_net::udp::UdpSocket;
use embassy_time::{Duration, Instant};

use super::flush;
use crate::worker::Worker;

/// Octets of the longest question that waits, and of the longest answer.
pub(super) const MESSAGE_LEN_MAX: usize = 512;
pub(super) const ANSWER_LEN_MAX: usize =
    HEADER_LEN + NAME.len() + 4 + NAME.len() + 10 + NAME.len() + 3;

const NAME: &[u8; 16] = b"\x08gardefou\x05local\0";
const PORT: u16 = 5353;
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
/// It proves that a message is of this link (section 11).
const HOP_LIMIT: u8 = 255;
/// How long an answer may be kept; and by those who only know the DNS (section 6.7).
const TTL_S: u32 = 120;
const PLAIN_TTL_S: u32 = 10;
/// All are told at most once in this time (section 6).
const PAUSE: Duration = Duration::from_secs(1);

const HEADER_LEN: usize = 12;
/// Questions and answers of a message that are looked at.
const COUNT_MAX: u16 = 16;
const NAME_LEN_MAX: usize = 255;
const RESPONSE: u16 = 1 << 15;
const AUTHORITATIVE: u16 = 1 << 10;
const OPCODE: u16 = 0xF << 11;
const A: u16 = 1;
const AAAA: u16 = 28;
const NSEC: u16 = 47;
const ANY: u16 = 255;
const IN: u16 = 1;
/// In the class of a question: to whoever asks alone. In that of a record: there is no other.
const TOP_BIT: u16 = 1 << 15;

/// Answers; for ever.
pub(super) async fn answer(worker: &Worker, mut socket: UdpSocket<'static>) -> Infallible {
    // There is room for one group.
    let _ = worker.stack.join_multicast_group(GROUP);
    socket.set_hop_limit(Some(HOP_LIMIT));
    // It is not bound, and the port is one.
    let _ = socket.bind(PORT);
    let mut told: Option<Instant> = None;
    loop {
        let answer = socket.recv_from_with(|message, from| {
            let network = worker.network.get()?;
            let IpAddr::V4(address) = from.endpoint.addr.into() else { return None };
            let is_plain = from.endpoint.port != PORT;
            let asked = Asked::read(message, network.address(), is_plain)?;
            network.contains_addr(&address).then_some((asked, network.address(), from.endpoint))
        });
        let Some((asked, address, from)) = answer.await else { continue };
        let to_all = !asked.is_plain && !asked.is_private;
        if to_all && told.is_some_and(|told| told.elapsed() < PAUSE) {
            continue;
        }
        told = if to_all { Some(Instant::now()) } else { told };
        let to = if to_all { IpEndpoint::from((GROUP, PORT)) } else { from };
        let mut octets = [0; ANSWER_LEN_MAX];
        let len = asked.write(address, &mut octets);
        // What cannot be sent is as good as lost on the way.
        let _ = socket.send_to(octets.get(..len).unwrap_or_default(), to).await;
        flush(&mut socket, PORT).await;
    }
}

/// What is asked about our name.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    id: u16,
    /// The type, for those who only know the DNS and want to see their question again.
    rtype: u16,
    is_plain: bool,
    /// Whether the answer is to go to whoever asks alone.
    is_private: bool,
}

impl Asked {
    /// Reads a message; `None` when it does not ask for our name, or knows what we would answer.
    fn read(message: &[u8], address: Ipv4Addr, is_plain: bool) -> Option<Asked> {
        let mut reader = Reader { message, at: 0 };
        let [id, flags, questions, answers, ..] =
            [(); 6].map(|()| reader.u16().unwrap_or(RESPONSE));
        if flags & (RESPONSE | OPCODE) != 0 || questions > COUNT_MAX {
            return None;
        }
        let mut asked: Option<Asked> = None;
        for _ in 0..questions {
            let (is_ours, rtype, class) = (reader.name()?, reader.u16()?, reader.u16()?);
            if !is_ours || class & !TOP_BIT != IN || ![A, AAAA, ANY].contains(&rtype) {
                continue;
            }
            let is_private = class & TOP_BIT != 0;
            // An address rather than that there is none of the other kind, and to all rather than one.
            asked = Some(match asked {
                Some(first) if first.rtype != AAAA => {
                    Asked { is_private: first.is_private && is_private, ..first }
                }
                Some(first) => Asked { rtype, is_private: first.is_private && is_private, ..first },
                None => Asked { id, rtype, is_plain, is_private },
            });
        }
        let asked = asked?;
        for _ in 0..answers.min(COUNT_MAX) {
            let (is_ours, rtype, _class) = (reader.name()?, reader.u16()?, reader.u16()?);
            let ttl_s = u32::from(reader.u16()?) << 16 | u32::from(reader.u16()?);
            let len = reader.u16()?;
            let is_known = reader.take(len.into())? == address.octets() && rtype == A;
            if is_ours && is_known && ttl_s >= TTL_S / 2 && asked.rtype != AAAA {
                return None;
            }
        }
        Some(asked)
    }

    /// Writes the answer, and gives its length.
    fn write(&self, address: Ipv4Addr, octets: &mut [u8]) -> usize {
        let mut writer = Writer { octets, len: 0 };
        let (id, questions) = if self.is_plain { (self.id, 1) } else { (0, 0) };
        for word in [id, RESPONSE | AUTHORITATIVE, questions, 1, 0, 0] {
            writer.put(&word.to_be_bytes());
        }
        if self.is_plain {
            writer.put(NAME);
            writer.put(&self.rtype.to_be_bytes());
            writer.put(&IN.to_be_bytes());
        }
        let (class, ttl_s) = if self.is_plain { (IN, PLAIN_TTL_S) } else { (IN | TOP_BIT, TTL_S) };
        let rtype = if self.rtype == AAAA { NSEC } else { A };
        writer.put(NAME);
        writer.put(&rtype.to_be_bytes());
        writer.put(&class.to_be_bytes());
        writer.put(&ttl_s.to_be_bytes());
        match rtype {
            A => {
                writer.put(&4u16.to_be_bytes());
                writer.put(&address.octets());
            }
            // Of the types up to 7, there is the one (RFC 4034 section 4.1.2).
            _ => {
                let types = [0, 1, 1 << (7 - A)];
                writer.put(&((NAME.len() + types.len()) as u16).to_be_bytes());
                writer.put(NAME);
                writer.put(&types);
            }
        }
        writer.len
    }
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let taken = self.message.get(self.at..)?.get(..len)?;
        self.at += len;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(*self.take(2)?.first_chunk()?))
    }

    /// Goes over a name, and gives whether it is ours. Looks at no more octets than a name can have.
    fn name(&mut self) -> Option<bool> {
        let (mut rest, mut is_ours, mut len) = (&NAME[..], true, 0);
        let mut behind = None;
        while len < NAME_LEN_MAX {
            let first = *self.message.get(self.at)?;
            if first & 0xC0 == 0xC0 {
                // The name goes on further before.
                let target = usize::from(self.u16()? & 0x3FFF);
                let at = *behind.get_or_insert(self.at);
                // Without this, a name that only points to itself would have no end.
                len += 2;
                self.at = if target < at { target } else { return None };
                continue;
            }
            let label = self.take(1 + usize::from(first)).filter(|_| first < 64)?;
            len += label.len();
            match rest.split_at_checked(label.len()) {
                Some((ours, next)) if ours.eq_ignore_ascii_case(label) => rest = next,
                _ => is_ours = false,
            }
            if first == 0 {
                self.at = behind.unwrap_or(self.at);
                return Some(is_ours);
            }
        }
        None
    }
}

/// Writes what fits.
struct Writer<'a> {
    octets: &'a mut [u8],
    len: usize,
}

impl Writer<'_> {
    fn put(&mut self, octets: &[u8]) {
        let place = self.octets.get_mut(self.len..).and_then(|rest| rest.get_mut(..octets.len()));
        if let Some(place) = place {
            place.copy_from_slice(octets);
            self.len += octets.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

    fn question(name: &[u8], rtype: u16, class: u16) -> std::vec::Vec<u8> {
        [&[0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], name, &rtype.to_be_bytes(), &class.to_be_bytes()]
            .concat()
    }

    fn answer(asked: &Asked) -> std::vec::Vec<u8> {
        let mut octets = [0; ANSWER_LEN_MAX];
        let len = asked.write(US, &mut octets);
        octets[..len].to_vec()
    }

    #[test]
    fn our_name_has_our_address_in_any_spelling() {
        let record = [&NAME[..], b"\0\x01\x80\x01\0\0\0\x78\0\x04", &US.octets()].concat();
        let header = b"\0\0\x84\0\0\0\0\x01\0\0\0\0";
        for (name, class, is_private) in
            [(&NAME[..], IN, false), (b"\x08GardeFou\x05LOCAL\0", IN | TOP_BIT, true)]
        {
            let asked = Asked::read(&question(name, A, class), US, false).unwrap();
            assert_eq!(asked.is_private, is_private);
            assert_eq!(answer(&asked), [&header[..], &record].concat());
        }
    }

    #[test]
    fn who_only_knows_the_dns_sees_the_question_again() {
        let asked = Asked::read(&question(NAME, A, IN), US, true).unwrap();
        let expected = [
            &b"\0\x07\x84\0\0\x01\0\x01\0\0\0\0"[..],
            NAME,
            b"\0\x01\0\x01",
            NAME,
            b"\0\x01\0\x01\0\0\0\x0A\0\x04",
            &US.octets(),
        ];
        assert_eq!(answer(&asked), expected.concat());
    }

    #[test]
    fn there_is_no_address_of_the_other_kind() {
        let asked = Asked::read(&question(NAME, AAAA, IN), US, false).unwrap();
        let end = [&b"\0\x2F\x80\x01\0\0\0\x78\0\x13"[..], NAME, b"\0\x01\x40"].concat();
        assert!(answer(&asked).ends_with(&end));
    }

    #[test]
    fn both_are_asked_for_in_one_message_with_the_name_said_once() {
        let mut message = question(NAME, AAAA, IN | TOP_BIT);
        message[5] = 2;
        message.extend(b"\xC0\x0C\0\x01\0\x01");
        let asked = Asked::read(&message, US, false).unwrap();
        assert_eq!((asked.rtype, asked.is_private), (A, false));
    }

    #[test]
    fn what_is_known_is_not_said_again() {
        let known = |ttl_s: u8, address: Ipv4Addr| {
            let mut message = question(NAME, A, IN);
            message[7] = 1;
            message.extend(
                [&b"\xC0\x0C\0\x01\0\x01\0\0\0"[..], &[ttl_s], b"\0\x04", &address.octets()]
                    .concat(),
            );
            Asked::read(&message, US, false).is_none()
        };
        assert!(known(60, US));
        assert!(!known(59, US) && !known(60, [10, 0, 0, 3].into()));
    }

    #[test]
    fn other_names_and_nonsense_get_no_answer() {
        let whole = question(NAME, A, IN);
        for len in 0..whole.len() {
            assert_eq!(Asked::read(&whole[..len], US, false), None);
        }
        let mut response = whole.clone();
        response[2] = 0x80;
        let itself = question(b"\xC0\x0C", A, IN);
        let longest = question(&[&b"\x01a"[..]; 300].concat(), A, IN);
        for message in [
            response,
            itself,
            longest,
            question(b"\x08gardefou\0", A, IN),
            question(b"\x08gardefou\x05local\x04test\0", A, IN),
            question(b"\x07printer\x05local\0", A, IN),
            question(NAME, 12, IN),
            question(NAME, A, 3),
        ] {
            assert_eq!(Asked::read(&message, US, false), None, "{message:?}");
        }
        for place in 0..whole.len() {
            for value in 0..=255 {
                let mut damaged = whole.clone();
                damaged[place] = value;
                Asked::read(&damaged, US, false);
            }
        }
    }
}
