//! Says to every query that there is no such name, without a look at it: what network and processor
//! can do, for `benches gateway`. In the place of the gateway with the feature `bare` only.

use embassy_net::Stack;
use embassy_net::udp::{PacketMetadata, UdpSocket};

/// As much of both as the gateway has.
const DATAGRAMS: usize = 16;
const LEN: usize = 4096;
/// The bits of a header that make a query an answer with NXDOMAIN (RFC 1035 section 4.1.1).
const IS_ANSWER: u8 = 0x80;
const NXDOMAIN: u8 = 0x83;

#[embassy_executor::task]
pub(crate) async fn serve(stack: Stack<'static>) {
    let mut meta = [[PacketMetadata::EMPTY; DATAGRAMS]; 2];
    let mut buffers = [[0; LEN]; 2];
    let ([received_meta, sent_meta], [received, sent]) = (&mut meta, &mut buffers);
    let mut socket = UdpSocket::new(stack, received_meta, received, sent_meta, sent);
    // It is not bound, and the port is one.
    let _ = socket.bind(53);
    let mut message = [0; 512];
    loop {
        let Ok((len, from)) = socket.recv_from(&mut message).await else { continue };
        let [_, _, flags, rcode, ..] = &mut message;
        (*flags, *rcode) = (*flags | IS_ANSWER, NXDOMAIN);
        // What cannot be sent is lost, as anywhere else.
        let _ = socket.send_to(message.get(..len).unwrap_or_default(), from).await;
    }
}
