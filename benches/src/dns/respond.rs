//! The bare responder: no more than what every server has to do.

use std::net::{SocketAddr, UdpSocket};

use anyhow::Result;

use super::batch::Batch;
use super::message::{KNOWN, OPT, behind_question};

/// Answers everything; for ever.
pub(super) fn run(listen: SocketAddr, knows_all: bool) -> Result<()> {
    let socket = UdpSocket::bind(listen)?;
    let (mut queries, mut replies) = (Batch::new(), Batch::new());
    loop {
        let mut received = queries.receive(&socket)?;
        for (message, len, _) in &mut received {
            *len = if knows_all {
                answer(&mut message[..], *len)
            } else {
                deny(&mut message[..], *len)
            };
        }
        let replying: Vec<_> =
            received.iter().map(|(message, len, from)| (&message[..*len], *from)).collect();
        replies.send(&socket, &replying)?;
    }
}

/// Makes a query an answer that there is no such name.
fn deny(message: &mut [u8], len: usize) -> usize {
    message[2] |= 0x80;
    message[3] = 0x83;
    len
}

/// Makes a query an answer with an address that may be kept for an hour.
fn answer(message: &mut [u8], len: usize) -> usize {
    message[2] |= 0x80;
    message[3] = 0x80;
    let Some(end) = behind_question(&message[..len]) else { return deny(message, len) };
    if message[end - 4..end] != [0, 1, 0, 1] {
        return len;
    }
    message[7] = 1;
    let mut rest = vec![0xC0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4];
    rest.extend(KNOWN.octets());
    if message[11] > 0 {
        message[11] = 1;
        rest.extend(OPT);
    }
    message[end..end + rest.len()].copy_from_slice(&rest);
    end + rest.len()
}
