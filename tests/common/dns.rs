//! DNS messages as the conversations of `data/dns/` need them: text to octets and back, in the
//! plainest way and with nothing of the code under test but what a name is.

use std::net::{Ipv4Addr, Ipv6Addr};

use filter_core::Name;

pub const OPT: u16 = 41;
const TYPES: &[(&str, u16)] = &[
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("HINFO", 13),
    ("TXT", 16),
    ("AAAA", 28),
    ("OPT", OPT),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("TKEY", 249),
    ("IXFR", 251),
    ("AXFR", 252),
    ("ANY", 255),
];
const RCODES: &[(&str, u16)] = &[
    ("NOERROR", 0),
    ("FORMERR", 1),
    ("SERVFAIL", 2),
    ("NXDOMAIN", 3),
    ("NOTIMP", 4),
    ("REFUSED", 5),
    ("BADVERS", 16),
];

fn code(table: &[(&str, u16)], word: &str) -> u16 {
    let found = table.iter().find(|(name, _)| *name == word);
    found.unwrap_or_else(|| panic!("what is `{word}`?")).1
}

fn word(table: &[(&str, u16)], code: u16) -> String {
    let found = table.iter().find(|(_, other)| *other == code);
    found.map_or_else(|| code.to_string(), |(name, _)| name.to_string())
}

pub fn rtype(text: &str) -> u16 {
    code(TYPES, text)
}

pub fn rcode(text: &str) -> u16 {
    code(RCODES, text)
}

pub fn rcode_word(code: u16) -> String {
    word(RCODES, code)
}

/// A message, either way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub id: u16,
    pub qr: bool,
    pub opcode: u8,
    pub aa: bool,
    pub tc: bool,
    pub rd: bool,
    pub ra: bool,
    pub ad: bool,
    pub cd: bool,
    /// With the upper bits of an OPT record.
    pub rcode: u16,
    pub question: Option<Question>,
    /// Answer, authority and additional section, as text, without the OPT record.
    pub sections: [Vec<String>; 3],
    pub edns: Option<Edns>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// On the wire, spelled as it was.
    pub name: Vec<u8>,
    pub rtype: u16,
    pub class: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edns {
    pub udp_len: u16,
    pub version: u8,
    pub dnssec_ok: bool,
    /// An option without data.
    pub option: Option<u16>,
    /// Extended errors: `15 "text"`.
    pub errors: Vec<String>,
}

/// A name on the wire, spelled as in the text.
pub fn wire_name(text: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in text.trim_end_matches('.').split('.').filter(|label| !label.is_empty()) {
        wire.push(label.len() as u8);
        wire.extend(label.as_bytes());
    }
    wire.push(0);
    Name::from_wire(&wire).unwrap_or_else(|error| panic!("{text}: {error}"));
    wire
}

impl Message {
    pub fn to_octets(&self) -> Vec<u8> {
        let flag = |bit: u16, set: bool| u16::from(set) << bit;
        let flags = flag(15, self.qr)
            | u16::from(self.opcode) << 11
            | flag(10, self.aa)
            | flag(9, self.tc)
            | flag(8, self.rd)
            | flag(7, self.ra)
            | flag(5, self.ad)
            | flag(4, self.cd)
            | self.rcode & 0xF;
        let [answers, authorities, additionals] = &self.sections;
        let mut octets = Vec::new();
        for number in [
            self.id,
            flags,
            u16::from(self.question.is_some()),
            answers.len() as u16,
            authorities.len() as u16,
            additionals.len() as u16 + u16::from(self.edns.is_some()),
        ] {
            octets.extend(number.to_be_bytes());
        }
        let mut qname = &[][..];
        if let Some(question) = &self.question {
            qname = &question.name;
            octets.extend(qname);
            octets.extend(question.rtype.to_be_bytes());
            octets.extend(question.class.to_be_bytes());
        }
        for record in self.sections.iter().flatten() {
            octets.extend(record_octets(record, qname));
        }
        if let Some(edns) = &self.edns {
            octets.push(0);
            octets.extend(OPT.to_be_bytes());
            octets.extend(edns.udp_len.to_be_bytes());
            octets.extend([
                (self.rcode >> 4) as u8,
                edns.version,
                u8::from(edns.dnssec_ok) << 7,
                0,
            ]);
            octets.extend([0, if edns.option.is_some() { 4 } else { 0 }]);
            if let Some(code) = edns.option {
                octets.extend(code.to_be_bytes());
                octets.extend([0, 0]);
            }
        }
        octets
    }

    /// Reads a message that must be sound to its last octet.
    pub fn from_octets(octets: &[u8]) -> Message {
        let mut reader = Reader { octets, at: 0 };
        let id = reader.u16();
        let flags = reader.u16();
        let flag = |bit: u16| flags >> bit & 1 == 1;
        let counts: Vec<u16> = (0..4).map(|_| reader.u16()).collect();
        let mut message = Message {
            id,
            qr: flag(15),
            opcode: (flags >> 11 & 15) as u8,
            aa: flag(10),
            tc: flag(9),
            rd: flag(8),
            ra: flag(7),
            ad: flag(5),
            cd: flag(4),
            rcode: flags & 15,
            ..Message::default()
        };
        assert!(counts[0] < 2, "one question or none");
        if counts[0] == 1 {
            let start = reader.at;
            reader.name().unwrap();
            let name = octets[start..reader.at].to_vec();
            message.question = Some(Question { name, rtype: reader.u16(), class: reader.u16() });
        }
        for (section, &count) in message.sections.iter_mut().zip(&counts[1..]) {
            for _ in 0..count {
                let owner = reader.name().unwrap();
                let (rtype, class) = (reader.u16(), reader.u16());
                let ttl = u32::from(reader.u16()) << 16 | u32::from(reader.u16());
                let end = usize::from(reader.u16()) + reader.at;
                if rtype == OPT {
                    assert_eq!(owner, ".");
                    message.rcode |= (ttl >> 24) as u16 * 16;
                    assert!(message.edns.is_none(), "a second OPT record");
                    let (option, errors) = reader.options(end);
                    assert!(option.is_none() || !message.qr, "the only option we send is 15");
                    message.edns = Some(Edns {
                        udp_len: class,
                        version: (ttl >> 16) as u8,
                        dnssec_ok: ttl >> 15 & 1 == 1,
                        option,
                        errors,
                    });
                } else {
                    let data = reader.data(rtype, end);
                    let class = if class == 1 { "IN".to_owned() } else { format!("CLASS{class}") };
                    section.push(format!("{owner} {ttl} {class} {} {data}", word(TYPES, rtype)));
                }
                assert_eq!(reader.at, end, "record data has its length");
            }
        }
        assert_eq!(reader.at, octets.len(), "nothing behind the message");
        message
    }
}

/// A record in the form the decoder shows, from one a person wrote.
pub fn canonical_record(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase()
}

/// `owner ttl IN TYPE data`; an owner that is the question's points to it, as servers write it.
fn record_octets(text: &str, qname: &[u8]) -> Vec<u8> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [owner, ttl, "IN", rtype_word, data @ ..] = &fields[..] else {
        panic!("not a record: {text}");
    };
    let owner = wire_name(owner);
    let mut octets = if owner.eq_ignore_ascii_case(qname) { vec![0xC0, 12] } else { owner };
    octets.extend(rtype(rtype_word).to_be_bytes());
    octets.extend([0, 1]);
    octets.extend(ttl.parse::<u32>().unwrap().to_be_bytes());
    let data = match (*rtype_word, data) {
        ("A", [address]) => address.parse::<Ipv4Addr>().unwrap().octets().to_vec(),
        ("AAAA", [address]) => address.parse::<Ipv6Addr>().unwrap().octets().to_vec(),
        ("CNAME" | "NS" | "PTR", [name]) => wire_name(name),
        ("SOA", [mname, rname, numbers @ ..]) => {
            let mut data = [wire_name(mname), wire_name(rname)].concat();
            assert_eq!(numbers.len(), 5, "{text}");
            data.extend(numbers.iter().flat_map(|n| n.parse::<u32>().unwrap().to_be_bytes()));
            data
        }
        ("HTTPS" | "SVCB", [priority, target]) => {
            let priority = priority.parse::<u16>().unwrap().to_be_bytes().to_vec();
            [priority, wire_name(target)].concat()
        }
        ("TXT", [text]) => {
            let text = text.trim_matches('"');
            [&[text.len() as u8], text.as_bytes()].concat()
        }
        _ => panic!("cannot write {text}"),
    };
    octets.extend((data.len() as u16).to_be_bytes());
    octets.extend(data);
    octets
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn u16(&mut self) -> u16 {
        let number = u16::from_be_bytes([self.octets[self.at], self.octets[self.at + 1]]);
        self.at += 2;
        number
    }

    /// As text with a dot at its end, in lower case.
    fn name(&mut self) -> Option<String> {
        let (name, end) = Name::from_message(self.octets, self.at).ok()?;
        self.at = end;
        Some(if name == Name::ROOT { ".".into() } else { format!("{name}.") })
    }

    fn text(&mut self) -> Option<String> {
        let end = self.at + 1 + usize::from(*self.octets.get(self.at)?);
        let text = std::str::from_utf8(self.octets.get(self.at + 1..end)?).ok()?;
        self.at = end;
        Some(format!("\"{text}\""))
    }

    /// As text where it is sound, else as octets: what an upstream says inside a record is passed
    /// on as it is.
    fn data(&mut self, rtype: u16, end: usize) -> String {
        let start = self.at;
        match self.sound_data(rtype).filter(|_| self.at == end) {
            Some(text) => text,
            None => {
                self.at = end;
                format!("{:02x?}", &self.octets[start..end])
            }
        }
    }

    fn sound_data(&mut self, rtype: u16) -> Option<String> {
        Some(match word(TYPES, rtype).as_str() {
            "A" => Ipv4Addr::from(self.array::<4>()?).to_string(),
            "AAAA" => Ipv6Addr::from(self.array::<16>()?).to_string(),
            "CNAME" | "NS" | "PTR" => self.name()?,
            "SOA" => {
                let mut text = format!("{} {}", self.name()?, self.name()?);
                for _ in 0..5 {
                    text += &format!(" {}", u32::from_be_bytes(self.array()?));
                }
                text
            }
            "HTTPS" | "SVCB" => format!("{} {}", u16::from_be_bytes(self.array()?), self.name()?),
            "HINFO" => format!("{} {}", self.text()?, self.text()?),
            "TXT" => self.text()?,
            _ => return None,
        })
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let octets = self.octets.get(self.at..)?.first_chunk()?;
        self.at += N;
        Some(*octets)
    }

    /// The options up to `end`: one without data, and extended errors.
    fn options(&mut self, end: usize) -> (Option<u16>, Vec<String>) {
        let (mut empty, mut errors) = (None, Vec::new());
        while self.at < end {
            let (code, len) = (self.u16(), usize::from(self.u16()));
            if code != 15 {
                assert_eq!((empty.replace(code), len), (None, 0));
                continue;
            }
            let reason = self.u16();
            let text = &self.octets[self.at..self.at + len - 2];
            errors.push(format!("{reason} \"{}\"", std::str::from_utf8(text).unwrap()));
            self.at += len - 2;
        }
        (empty, errors)
    }
}
