//! Clients over TCP (RFC 7766): takes connections, gives the queries in them to the worker and
//! writes replies as they come, which may be another order than that of the queries.
//!
//! What a client can hold is bounded: so many connections, so many octets of replies it has not
//! read, so much time without a query.

use core::cell::Cell;

use embassy_futures::select::{Either, select};
use embassy_net::tcp::{TcpReader, TcpSocket, TcpWriter};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_sync::semaphore::{GreedySemaphore, Semaphore as _};
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use filter_core::gateway::{Client, Event, Transport};

use crate::address::{self, client_key};
use crate::memory::MESSAGE_LEN_MAX;
use crate::worker::{DNS_PORT, Worker};

/// Connections, and of those the most that one client may have.
pub(crate) const COUNT: usize = 3;
const COUNT_MAX_OF_CLIENT: usize = 2;
/// How many wait for a client at once: the stack looks after each with each frame.
const WAITING_COUNT: usize = 2;
/// How long a connection may take for its next query, or for reading what is written.
const IDLE: Duration = Duration::from_secs(10);
/// How long a client may take to confirm that the connection is over.
const FAREWELL: Duration = Duration::from_secs(1);
/// Octets of a message behind its length in a stream (RFC 1035 section 4.2.2).
pub(crate) const LEN_LEN: usize = 2;
/// The longest query that is read.
const QUERY_LEN_MAX: usize = 1024;

/// The connections there are.
pub(crate) struct Connections {
    connections: [Connection; COUNT],
    waiting: GreedySemaphore<NoopRawMutex>,
}

struct Connection {
    /// Who is at the other end; nobody when it is over.
    client: Cell<Option<Client>>,
    replies: &'static Replies,
}

/// Replies to be written.
pub(crate) type Replies = Pipe<NoopRawMutex, { LEN_LEN + MESSAGE_LEN_MAX }>;

impl Connections {
    pub(crate) fn new(replies: &'static [Replies; COUNT]) -> Connections {
        let connection = |replies| Connection { client: Cell::new(None), replies };
        Connections {
            connections: replies.each_ref().map(connection),
            waiting: GreedySemaphore::new(WAITING_COUNT),
        }
    }

    /// Hands a reply over to its connection. One whose replies are not read is given up.
    pub(crate) fn reply(&self, client: &Client, message: &[u8]) {
        let Some(connection) = self.connections.get(usize::from(client.socket)) else { return };
        let Ok(len) = u16::try_from(message.len()) else { return };
        // It may be another client's by now.
        if connection.client.get().is_none_or(|other| other.address != client.address) {
            return;
        }
        if connection.replies.free_capacity() < LEN_LEN + message.len() {
            connection.client.set(None);
            return;
        }
        // There is room for both.
        let _ = connection.replies.try_write(&len.to_be_bytes());
        let _ = connection.replies.try_write(message);
    }

    /// Notes a connection, unless its client has too many.
    fn begin(&self, client: Client) -> Option<&Connection> {
        let of_client = self.connections.iter().filter_map(|connection| connection.client.get());
        if of_client.filter(|other| other.key == client.key).count() >= COUNT_MAX_OF_CLIENT {
            return None;
        }
        let connection = self.connections.get(usize::from(client.socket))?;
        connection.replies.clear();
        connection.client.set(Some(client));
        Some(connection)
    }
}

/// Serves one client after the other; for ever.
#[embassy_executor::task(pool_size = COUNT)]
pub(crate) async fn serve(worker: &'static Worker, number: u16) {
    let (mut received, mut sent) = ([0; 1024], [0; 1024]);
    loop {
        // There is never a lack of them for good.
        let waiting = worker.connections.waiting.acquire(1).await;
        let mut socket = TcpSocket::new(worker.stack, &mut received, &mut sent);
        // A reply is one write; waiting for more to come with it only takes time.
        socket.set_nagle_enabled(false);
        // Also that of a connection that has only half begun.
        socket.set_timeout(Some(IDLE));
        let accepted = socket.accept(DNS_PORT).await;
        drop(waiting);
        if accepted.is_ok()
            && let Some(from) = socket.remote_endpoint().map(address::of_endpoint)
            && worker.serves(from.ip())
        {
            let (key, transport) = (client_key(from.ip()), Transport::Tcp);
            let client = Client { key, profile: 0, transport, address: from, socket: number };
            if let Some(connection) = worker.connections.begin(client) {
                converse(worker, client, connection, &mut socket).await;
                socket.close();
                let _ = with_timeout(FAREWELL, socket.flush()).await;
            }
        }
        socket.abort();
        // Until the other end has been told; and where nothing can be sent, not all the time.
        let _ = with_timeout(FAREWELL, socket.flush()).await;
        Timer::after_millis(1).await;
    }
}

/// One connection from begin to end.
async fn converse(
    worker: &Worker,
    client: Client,
    connection: &Connection,
    socket: &mut TcpSocket<'_>,
) {
    let (read, mut write) = socket.split();
    let writing = async { while write_some(&mut write, connection).await.is_some() {} };
    let end = select(writing, read_queries(worker, client, connection, read)).await;
    // No reply is handed over after this; those that were are still written.
    connection.client.set(None);
    let mut is_read = matches!(end, Either::Second(()));
    while is_read && !connection.replies.is_empty() {
        is_read = write_some(&mut write, connection).await.is_some();
    }
}

/// Gives queries to the worker until the client has no more or takes too long.
async fn read_queries(
    worker: &Worker,
    client: Client,
    connection: &Connection,
    mut read: TcpReader<'_>,
) {
    let mut buffer = [0; QUERY_LEN_MAX];
    while connection.client.get().is_some() {
        let next = with_timeout(IDLE, read_message(&mut read, &mut buffer)).await;
        let Ok(Some(message)) = next else { return };
        worker.handle(Event::Query { client, message });
    }
}

/// Writes what there is of replies, or will be; `None` when the client does not read it.
async fn write_some(write: &mut TcpWriter<'_>, connection: &Connection) -> Option<()> {
    let mut buffer = [0; 256];
    let len = connection.replies.read(&mut buffer).await;
    let octets = buffer.get(..len).unwrap_or_default();
    with_timeout(IDLE, write.write_all(octets)).await.ok()?.ok()
}

/// The next message of a stream; `None` when there is none or it does not fit.
pub(crate) async fn read_message<'a>(
    read: &mut impl Read,
    buffer: &'a mut [u8],
) -> Option<&'a [u8]> {
    let mut len = [0; LEN_LEN];
    read.read_exact(&mut len).await.ok()?;
    let message = buffer.get_mut(..usize::from(u16::from_be_bytes(len)))?;
    read.read_exact(message).await.ok()?;
    Some(message)
}
