//! Clients over TCP (RFC 7766), and over TLS in it (RFC 7858): takes connections, gives the queries in
//! them to the worker and writes replies as they come, which may be another order than that of the
//! queries. Those over HTTPS are taken here, and served by [`https`](super::https).
//!
//! What a client can hold is bounded: so many connections, so many replies it has not read, so much
//! time without a query. One that does not read is not read from either.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use filter_core::gateway::{Client, Event, Transport};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, split};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::https;
use super::sockets::Carrier;
use super::ways::Way;
use super::worker::{Worker, client_key};

/// Connections of a worker, and of those the most that one client may have.
const COUNT_MAX: usize = 256;
const COUNT_MAX_OF_CLIENT: usize = 8;
/// Replies that wait to be read.
pub(super) const REPLIES_MAX: usize = 16;
/// How long a connection may take for its next query, or for reading what is written.
pub(super) const IDLE: Duration = Duration::from_secs(10);

/// The connections there are, by way and address of the client, and how to reply.
#[derive(Default)]
pub(super) struct Connections(RefCell<HashMap<(u16, SocketAddr), Connection>>);

struct Connection {
    key: u64,
    replies: mpsc::Sender<Box<[u8]>>,
}

impl Connections {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Hands a reply over to its connection. One whose replies are not read is given up.
    pub(super) fn reply(&self, client: &Client, message: &[u8]) {
        let mut connections = self.0.borrow_mut();
        let id = (client.socket, client.address);
        let Some(connection) = connections.get(&id) else { return };
        let Some(octets) = framed(message) else { return };
        if connection.replies.try_send(octets).is_err() {
            connections.remove(&id);
        }
    }

    /// Notes a connection, unless there are too many.
    fn begin(&self, client: &Client) -> Option<mpsc::Receiver<Box<[u8]>>> {
        let mut connections = self.0.borrow_mut();
        let of_client = connections.values().filter(|other| other.key == client.key).count();
        if connections.len() >= COUNT_MAX || of_client >= COUNT_MAX_OF_CLIENT {
            return None;
        }
        let (replies, receiver) = mpsc::channel(REPLIES_MAX);
        let connection = Connection { key: client.key, replies };
        connections.insert((client.socket, client.address), connection);
        Some(receiver)
    }

    fn end(&self, client: &Client) {
        self.0.borrow_mut().remove(&(client.socket, client.address));
    }

    /// Waits until a reply more can be written; false when the connection is over.
    async fn has_room(&self, client: &Client) -> bool {
        let connection = self
            .0
            .borrow()
            .get(&(client.socket, client.address))
            .map(|connection| connection.replies.clone());
        match connection {
            Some(replies) => replies.reserve().await.is_ok(),
            None => false,
        }
    }
}

/// Serves the clients of one listener; for ever.
pub(super) async fn serve(
    worker: Rc<Worker>,
    number: usize,
    (carrier, listener): (Carrier, tokio::net::TcpListener),
) {
    loop {
        let Ok((stream, address)) = listener.accept().await else {
            // Too many open files, mostly: some will be closed.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        if !worker.serves(address.ip()) {
            continue;
        }
        let local = stream.local_addr().ok().map(|local| local.ip());
        let way = Way { listener: number, local };
        let Some(socket) = worker.ways.borrow_mut().number(way) else { continue };
        let key = client_key(address.ip());
        let client = Client { key, profile: 0, transport: Transport::Tcp, address, socket };
        let Some(replies) = worker.connections.begin(&client) else { continue };
        // A reply is one write; waiting for more to come with it only takes time.
        let _ = stream.set_nodelay(true);
        let worker = Rc::clone(&worker);
        tokio::task::spawn_local(async move {
            // Whatever goes wrong is the client's to notice.
            let _ = converse(&worker, client, carrier, stream, replies).await;
            worker.connections.end(&client);
        });
    }
}

/// One connection from begin to end.
async fn converse(
    worker: &Rc<Worker>,
    client: Client,
    carrier: Carrier,
    stream: TcpStream,
    replies: mpsc::Receiver<Box<[u8]>>,
) -> io::Result<()> {
    let tls = match carrier {
        Carrier::Tcp => return exchange(worker, client, stream, replies).await,
        Carrier::Tls => worker.identity().map(|identity| &identity.dns),
        Carrier::Https => worker.identity().map(|identity| &identity.http),
    };
    let Some(tls) = tls else { return Ok(()) };
    let stream = timeout(IDLE, TlsAcceptor::from(Arc::clone(tls)).accept(stream)).await??;
    if carrier == Carrier::Https {
        return https::exchange(worker, client, stream, replies).await;
    }
    exchange(worker, client, stream, replies).await
}

/// Takes queries in and gives replies out, until the client has no more or takes too long.
async fn exchange<S: AsyncRead + AsyncWrite>(
    worker: &Rc<Worker>,
    client: Client,
    stream: S,
    replies: mpsc::Receiver<Box<[u8]>>,
) -> io::Result<()> {
    let (read, write) = split(stream);
    let mut writing = pin!(write_replies(write, replies));
    let read = tokio::select! {
        written = &mut writing => return written,
        read = read_queries(worker, client, read) => read,
    };
    // No reply is handed over after this; those that were are still written.
    worker.connections.end(&client);
    timeout(IDLE, writing).await??;
    read
}

/// Gives queries to the worker until the client has no more or takes too long.
async fn read_queries(
    worker: &Rc<Worker>,
    client: Client,
    read: impl AsyncRead + Unpin,
) -> io::Result<()> {
    let mut read = BufReader::new(read);
    loop {
        let next = async {
            if !worker.connections.has_room(&client).await {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            read_message(&mut read).await
        };
        let message = timeout(IDLE, next).await??;
        worker.handle(Event::Query { client, message: &message });
    }
}

/// Writes replies until no more can come or the client does not read them.
async fn write_replies(
    mut write: impl AsyncWrite + Unpin,
    mut replies: mpsc::Receiver<Box<[u8]>>,
) -> io::Result<()> {
    while let Some(octets) = replies.recv().await {
        timeout(IDLE, write.write_all(&octets)).await??;
        timeout(IDLE, write.flush()).await??;
    }
    timeout(IDLE, write.shutdown()).await?
}

/// A message as it lies in a stream: two octets of length before it (RFC 1035 section 4.2.2).
pub(super) fn framed(message: &[u8]) -> Option<Box<[u8]>> {
    let len = u16::try_from(message.len()).ok()?;
    Some([&len.to_be_bytes(), message].concat().into())
}

/// The next message of a stream.
pub(super) async fn read_message<R: AsyncReadExt + Unpin>(read: &mut R) -> io::Result<Vec<u8>> {
    let len = read.read_u16().await?;
    let mut message = vec![0; usize::from(len)];
    read.read_exact(&mut message).await?;
    Ok(message)
}
