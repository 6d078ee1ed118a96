//! Upstreams over TCP: for answers that do not fit into a datagram, or that nobody must be able to
//! forge blindly. A connection for each question, which are few.

use core::cell::Cell;
use core::net::SocketAddr;

use embassy_net::tcp::TcpSocket;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, with_timeout};
use embedded_io_async::Write;
use filter_core::gateway::{Event, Transport};
use heapless::Vec;

use crate::address;
use crate::connections::{LEN_LEN, read_message};
use crate::memory::MESSAGE_LEN_MAX;
use crate::worker::Worker;

/// How many there are at once; what is beyond is not asked, and asked again by the engine.
pub(crate) const COUNT: usize = 2;
/// Longer than the engine waits.
const TIME_MAX: Duration = Duration::from_secs(5);
/// How long an upstream may take to confirm that a connection is over.
const FAREWELL: Duration = Duration::from_secs(1);
/// More than a name and what stands around it in a question.
const QUESTION_LEN_MAX: usize = 320;

/// The streams there are.
pub(crate) struct Streams([Stream; COUNT]);

struct Stream {
    /// Whether there is a question, or a connection that is not over yet.
    is_busy: Cell<bool>,
    question: Signal<NoopRawMutex, Question>,
}

struct Question {
    to: SocketAddr,
    /// As it lies in a stream.
    octets: Vec<u8, { LEN_LEN + QUESTION_LEN_MAX }>,
}

impl Streams {
    pub(crate) fn new() -> Streams {
        let stream = || Stream { is_busy: Cell::new(false), question: Signal::new() };
        Streams(core::array::from_fn(|_| stream()))
    }

    /// Asks an upstream.
    pub(crate) fn ask(&self, to: SocketAddr, message: &[u8]) {
        let Some(stream) = self.0.iter().find(|stream| !stream.is_busy.get()) else { return };
        let Ok(len) = u16::try_from(message.len()) else { return };
        let mut octets = Vec::new();
        let is_whole = octets.extend_from_slice(&len.to_be_bytes()).is_ok()
            && octets.extend_from_slice(message).is_ok();
        if is_whole {
            stream.is_busy.set(true);
            stream.question.signal(Question { to, octets });
        }
    }
}

/// Asks one question after the other, and gives the worker the answers; for ever.
#[embassy_executor::task(pool_size = COUNT)]
pub(crate) async fn ask(worker: &'static Worker, number: usize) {
    let Some(stream) = worker.streams.0.get(number) else { return };
    // Windows are opened at once where they are small, and half a second later where they are not.
    let (mut received, mut sent) = ([0; 2048], [0; LEN_LEN + QUESTION_LEN_MAX]);
    let mut buffer = [0; MESSAGE_LEN_MAX];
    loop {
        let question = stream.question.wait().await;
        // As seldom there as it is needed: the stack looks after each socket with each frame.
        let mut socket = TcpSocket::new(worker.stack, &mut received, &mut sent);
        let exchange = exchange(&mut socket, &question, &mut buffer);
        if let Ok(Some(message)) = with_timeout(TIME_MAX, exchange).await {
            let (from, transport, port) = (question.to, Transport::Tcp, 0);
            worker.handle(Event::Answer { from, transport, port, message });
        }
        socket.close();
        let _ = with_timeout(FAREWELL, socket.flush()).await;
        socket.abort();
        let _ = with_timeout(FAREWELL, socket.flush()).await;
        stream.is_busy.set(false);
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
