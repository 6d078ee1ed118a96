//! Clients over HTTPS (RFC 8484): takes a connection over TLS, gives the query in each request to the
//! worker, and answers the request with the reply.
//!
//! Requests of a connection have ids of their own while they are with the worker, because those of
//! the queries are 0, so that caches know them again.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use filter_core::gateway::{Client, Event};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, interval, timeout};
use tokio_rustls::server::TlsStream;

use super::connections::{IDLE, REPLIES_MAX};
use super::links::{MEDIA_TYPE, OnThisThread};
use super::worker::Worker;

/// Where clients ask.
const PATH: &str = "/dns-query";
/// What a query may have.
const QUERY_LEN_MAX: usize = 4096;
/// What the head of a request may have.
const HEAD_LEN_MAX: usize = 16 << 10;
/// How often it is looked whether a connection is of use.
const PERIOD: Duration = Duration::from_secs(1);

/// A connection, as seen by its requests.
struct Connection {
    worker: Rc<Worker>,
    client: Client,
    waiting: RefCell<HashMap<u16, oneshot::Sender<Bytes>>>,
    next_id: Cell<u16>,
    requests: Cell<usize>,
    last: Cell<Instant>,
}

/// Serves a connection until the client has no more requests or takes too long.
pub(super) async fn exchange(
    worker: &Rc<Worker>,
    client: Client,
    stream: TlsStream<TcpStream>,
    mut replies: mpsc::Receiver<Box<[u8]>>,
) -> io::Result<()> {
    let connection = Rc::new(Connection {
        worker: Rc::clone(worker),
        client,
        waiting: RefCell::default(),
        next_id: Cell::default(),
        requests: Cell::default(),
        last: Cell::new(Instant::now()),
    });
    let mut http = auto::Builder::new(OnThisThread);
    http.http1().timer(TokioTimer::new()).header_read_timeout(IDLE).max_buf_size(HEAD_LEN_MAX);
    http.http2()
        .max_concurrent_streams(u32::try_from(REPLIES_MAX).ok())
        .max_header_list_size(HEAD_LEN_MAX as u32);
    let service = service_fn(|request| Rc::clone(&connection).answer(request));
    let mut serving = pin!(http.serve_connection(TokioIo::new(stream), service));
    let mut clock = interval(PERIOD);
    loop {
        tokio::select! {
            served = &mut serving => return served.map_err(io::Error::other),
            reply = replies.recv() => match reply {
                Some(octets) => connection.hand_over(&octets),
                None => return Ok(()),
            },
            _ = clock.tick() => {
                if connection.requests.get() == 0 && connection.last.get().elapsed() > IDLE {
                    serving.as_mut().graceful_shutdown();
                    return timeout(PERIOD, serving).await?.map_err(io::Error::other);
                }
            }
        }
    }
}

impl Connection {
    async fn answer(
        self: Rc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let busy = Busy::new(&self);
        let answered = match query_in(request).await {
            Ok(query) => self.reply_to(query).await,
            Err(status) => Err(status),
        };
        drop(busy);
        let mut response = Response::default();
        let headers = response.headers_mut();
        // What is blocked may change at any time, and with the client.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match answered {
            Ok(reply) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
                *response.body_mut() = Full::new(reply);
            }
            Err(status) => {
                if status == StatusCode::METHOD_NOT_ALLOWED {
                    headers.insert(ALLOW, HeaderValue::from_static("GET, POST"));
                }
                *response.status_mut() = status;
            }
        }
        Ok(response)
    }

    /// Gives a query to the worker, and waits for the reply.
    async fn reply_to(&self, mut query: Vec<u8>) -> Result<Bytes, StatusCode> {
        let id = self.free_id();
        let place = query.get_mut(..2).ok_or(StatusCode::BAD_REQUEST)?;
        let id_of_client = [place[0], place[1]];
        place.copy_from_slice(&id.to_be_bytes());
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(id, sender);
        self.worker.handle(Event::Query { client: self.client, message: &query });
        let reply = timeout(IDLE, receiver).await;
        self.waiting.borrow_mut().remove(&id);
        let Ok(Ok(reply)) = reply else { return Err(StatusCode::GATEWAY_TIMEOUT) };
        let mut reply = Vec::from(reply);
        reply.get_mut(..2).ok_or(StatusCode::BAD_GATEWAY)?.copy_from_slice(&id_of_client);
        Ok(reply.into())
    }

    /// An id nobody waits for. There is one: fewer wait than there are ids.
    fn free_id(&self) -> u16 {
        let waiting = self.waiting.borrow();
        let mut id = self.next_id.get();
        while waiting.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        self.next_id.set(id.wrapping_add(1));
        id
    }

    /// Hands a reply over, as it would lie in a stream, to the request that waits for it.
    fn hand_over(&self, octets: &[u8]) {
        let Some((_, message)) = octets.split_first_chunk::<2>() else { return };
        let Some(id) = message.first_chunk().map(|id| u16::from_be_bytes(*id)) else { return };
        if let Some(waiting) = self.waiting.borrow_mut().remove(&id) {
            // The client may have gone.
            let _ = waiting.send(Bytes::copy_from_slice(message));
        }
    }
}

/// Counts a request as long as it takes.
struct Busy<'c>(&'c Connection);

impl<'c> Busy<'c> {
    fn new(connection: &'c Connection) -> Busy<'c> {
        connection.requests.set(connection.requests.get() + 1);
        Busy(connection)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.requests.set(self.0.requests.get().saturating_sub(1));
        self.0.last.set(Instant::now());
    }
}

/// The query of a request (RFC 8484 section 4.1), or what is wrong with it.
async fn query_in(request: Request<Incoming>) -> Result<Vec<u8>, StatusCode> {
    if request.uri().path() != PATH {
        return Err(StatusCode::NOT_FOUND);
    }
    match *request.method() {
        Method::GET => {
            let query = request.uri().query().unwrap_or_default();
            let parameter = query.split('&').find_map(|part| part.strip_prefix("dns="));
            let text = parameter.ok_or(StatusCode::BAD_REQUEST)?;
            BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| StatusCode::BAD_REQUEST)
        }
        Method::POST => {
            let (head, body) = request.into_parts();
            // Read in any case: some clients give up where the answer comes before they have sent all.
            let body = timeout(IDLE, Limited::new(body, QUERY_LEN_MAX).collect()).await;
            let body = body.map_err(|_| StatusCode::REQUEST_TIMEOUT)?;
            let body = body.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
            match head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPE) {
                true => Ok(body.to_bytes().into()),
                false => Err(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            }
        }
        _ => Err(StatusCode::METHOD_NOT_ALLOWED),
    }
}
