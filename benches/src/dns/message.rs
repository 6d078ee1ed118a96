//! Questions and what is said to them, as octets (RFC 1035 section 4.1).

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

/// What the upstream says to everything.
pub(super) const KNOWN: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

const HEADER_LEN: usize = 12;
const TYPE_A_CLASS_IN: [u8; 4] = [0, 1, 0, 1];
/// An OPT record that takes 1232 octets, without options (RFC 6891 section 6.1.2).
pub(super) const OPT: [u8; 11] = [0, 0, 41, 0x04, 0xD0, 0, 0, 0, 0, 0, 0];

/// Names to ask for, as on the wire.
pub(super) struct Names {
    names: Vec<Vec<u8>>,
    /// What is behind each of them: a zone, or the root.
    ending: Vec<u8>,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Blocked,
    Passed,
    Failed,
}

impl Names {
    pub(super) fn read(path: &Path, zone: Option<&str>) -> Result<Names> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let names: Vec<_> = text.lines().map(labels).collect();
        ensure!(!names.is_empty(), "{}: no names", path.display());
        Ok(Names::new(names, zone))
    }

    pub(super) fn new(names: Vec<Vec<u8>>, zone: Option<&str>) -> Names {
        let mut ending = zone.map(labels).unwrap_or_default();
        ending.push(0);
        Names { names, ending }
    }

    /// The question with a number, for any number, with EDNS as most clients have it.
    pub(super) fn question(&self, number: usize, fresh: bool) -> Vec<u8> {
        let mut message = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        if fresh {
            message.extend(labels(&format!("q{number}")));
        }
        message.extend(&self.names[number % self.names.len()]);
        message.extend(&self.ending);
        message.extend(TYPE_A_CLASS_IN);
        message.extend(OPT);
        message
    }

    /// What an answer says about a name. A list that is asked itself has addresses for what it holds.
    pub(super) fn said(&self, answer: &[u8]) -> Said {
        let is_list = self.ending.len() > 1;
        match (answer.get(3).map(|flags| flags & 15), address(answer)) {
            (Some(0), Some(address)) if is_list == address.is_loopback() => match address {
                Ipv4Addr::UNSPECIFIED => Said::Blocked,
                _ if is_list => Said::Blocked,
                _ => Said::Passed,
            },
            (Some(0 | 3), None) if is_list => Said::Passed,
            (Some(0 | 3), None) => Said::Blocked,
            _ => Said::Failed,
        }
    }
}

/// A name without its root.
pub(super) fn labels(name: &str) -> Vec<u8> {
    let labels = name.trim_end_matches('.').split('.').filter(|label| !label.is_empty());
    labels.flat_map(|label| [&[label.len() as u8][..], label.as_bytes()].concat()).collect()
}

/// Behind the name that begins at an offset.
fn behind_name(message: &[u8], mut offset: usize) -> Option<usize> {
    // Ends because the offset grows.
    loop {
        match *message.get(offset)? {
            0 => return Some(offset + 1),
            len @ 1..64 => offset += usize::from(len) + 1,
            _ => return Some(offset + 2),
        }
    }
}

/// Behind the question.
pub(super) fn behind_question(message: &[u8]) -> Option<usize> {
    Some(behind_name(message, HEADER_LEN)? + TYPE_A_CLASS_IN.len())
}

/// The first address in an answer.
fn address(message: &[u8]) -> Option<Ipv4Addr> {
    let mut offset = behind_question(message)?;
    let count = u16::from_be_bytes([*message.get(6)?, *message.get(7)?]);
    for _ in 0..count {
        let fixed = behind_name(message, offset)?;
        let data = fixed + 10;
        let len = u16::from_be_bytes([*message.get(data - 2)?, *message.get(data - 1)?]);
        if message.get(fixed..fixed + 2)? == [0, 1] {
            let octets: [u8; 4] = message.get(data..data + 4)?.try_into().ok()?;
            return Some(octets.into());
        }
        offset = data + usize::from(len);
    }
    None
}
