//! Upstreams over TCP: for answers that do not fit into a datagram, or that nobody must be able to
//! forge blindly. A connection for each question, which are few.

use core::net::SocketAddr;

use embassy_net::tcp::TcpSocket;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::channel::Channel;
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::Write;
use filter_core::gateway::{Event, Transport};
use heapless::Vec;

use crate::address;
use crate::connections::{LEN_LEN, read_message};
use crate::memory::MESSAGE_LEN_MAX;
use crate::worker::Worker;

/// How many there are at once. As many more questions wait; what is beyond is not asked, and asked
/// again by the engine.
pub(crate) const COUNT: usize = 2;
/// Longer than the engine waits.
const TIME_MAX: Duration = Duration::from_secs(5);
/// How long an upstream may take to confirm that a connection is over.
const FAREWELL: Duration = Duration::from_secs(1);
/// More than a name and what stands around it in a question.
const QUESTION_LEN_MAX: usize = 320;

/// Questions that wait for a connection.
pub(crate) struct Streams(Channel<NoopRawMutex, Question, COUNT>);

struct Question {
    to: SocketAddr,
    /// As it lies in a stream.
    octets: Vec<u8, { LEN_LEN + QUESTION_LEN_MAX }>,
}

impl Streams {
    pub(crate) fn new() -> Streams {
        Streams(Channel::new())
    }

    /// Asks an upstream, as soon as there is a connection to be had.
    pub(crate) fn ask(&self, to: SocketAddr, message: &[u8]) {
        let Ok(len) = u16::try_from(message.len()) else { return };
        let mut octets = Vec::new();
        let is_whole = octets.extend_from_slice(&len.to_be_bytes()).is_ok()
            && octets.extend_from_slice(message).is_ok();
        if is_whole {
            let _ = self.0.try_send(Question { to, octets });
        }
    }
}

/// Asks one question after the other, and gives the worker the answers; for ever.
#[embassy_executor::task(pool_size = COUNT)]
pub(crate) async fn ask(worker: &'static Worker) {
    // Windows are opened at once where they are small, and half a second later where they are not.
    let (mut received, mut sent) = ([0; 2048], [0; LEN_LEN + QUESTION_LEN_MAX]);
    let mut buffer = [0; MESSAGE_LEN_MAX];
    let mut socket = TcpSocket::new(worker.stack, &mut received, &mut sent);
    loop {
        let question = worker.streams.0.receive().await;
        let exchange = exchange(&mut socket, &question, &mut buffer);
        if let Ok(Some(message)) = with_timeout(TIME_MAX, exchange).await {
            let (from, transport, port) = (question.to, Transport::Tcp, 0);
            worker.handle(Event::Answer { from, transport, port, message });
        }
        socket.close();
        let _ = with_timeout(FAREWELL, socket.flush()).await;
        socket.abort();
        let _ = with_timeout(FAREWELL, socket.flush()).await;
        Timer::after_millis(1).await;
    }
}

async fn exchange<'a>(
    socket: &mut TcpSocket<'_>,
    question: &Question,
    buffer: &'a mut [u8],
) -> Option<&'a [u8]> {
    socket.connect(address::endpoint(question.to)?).await.ok()?;
    socket.write_all(&question.octets).await.ok()?;
    read_message(socket, buffer).await
}
