//! Upstreams over TLS (RFC 7858) and HTTPS (RFC 8484): a connection for each, opened when there is a
//! question, kept while there are more, and shared by all questions on their way.
//!
//! A server that cannot be reached, or proves to be another one, is left alone for a while, and its
//! questions are dropped: the engine asks the next server, or again. Nothing is asked in the open.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use filter_core::gateway::{Event, Transport};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::io::{AsyncWriteExt, split};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connections::{framed, read_message};
use super::tls::Trust;
use super::upstreams::{Secure, Server};
use super::worker::Worker;
use crate::output::report;

/// Questions that wait for the connection.
const QUESTIONS_MAX: usize = 256;
/// How long opening a connection may take. On a slow link TLS alone takes seconds.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(8);
/// How long a connection is kept without a question.
const IDLE: Duration = Duration::from_secs(10);
/// How long a server may leave all questions unanswered before its connection is held to be dead.
const SILENCE_MAX: Duration = Duration::from_secs(4);
/// How long a server is left alone after a failure; each further one doubles it, up to `REST_MAX`.
const REST: Duration = Duration::from_millis(100);
const REST_MAX: Duration = Duration::from_secs(5);
/// What an answer over HTTPS may have.
const ANSWER_LEN_MAX: usize = 65_535;
/// DNS messages in HTTP (RFC 8484 section 6).
pub(super) const MEDIA_TYPE: &str = "application/dns-message";

/// The servers that are asked where nobody can listen.
pub(super) struct Links(Vec<Rc<Link>>);

struct Link {
    server: Server,
    secure: Secure,
    tls: Arc<ClientConfig>,
    /// To the connection there is, if it has not ended.
    questions: RefCell<Option<mpsc::Sender<Box<[u8]>>>>,
    /// Connections in a row that could not be opened, and until when none is.
    failures: Cell<u32>,
    rests_until: Cell<Option<Instant>>,
}

impl Links {
    pub(super) fn new(servers: &[Server], trust: Option<&Trust>) -> Links {
        let link = |server: &Server| {
            let (secure, trust) = (server.secure.clone()?, trust?);
            let tls = if secure.uri.is_some() { &trust.http } else { &trust.dns };
            Some(Rc::new(Link {
                server: server.clone(),
                secure,
                tls: Arc::clone(tls),
                questions: RefCell::default(),
                failures: Cell::default(),
                rests_until: Cell::default(),
            }))
        };
        Links(servers.iter().filter_map(link).collect())
    }

    /// Asks the server at an address; false when there is none here.
    pub(super) fn ask(&self, worker: &Rc<Worker>, to: SocketAddr, message: &[u8]) -> bool {
        let Some(link) = self.0.iter().find(|link| link.server.address == to) else { return false };
        link.ask(worker, message.into());
        true
    }
}

impl Link {
    fn ask(self: &Rc<Self>, worker: &Rc<Worker>, message: Box<[u8]>) {
        let mut questions = self.questions.borrow_mut();
        let message = match questions.as_ref() {
            Some(questions) => match questions.try_send(message) {
                // Of more questions than can wait, some are as good as lost.
                Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => return,
                Err(mpsc::error::TrySendError::Closed(message)) => message,
            },
            None => message,
        };
        self.open(&mut questions, worker, message);
    }

    /// Opens a connection for a question and those to come.
    fn open(
        self: &Rc<Self>,
        questions: &mut Option<mpsc::Sender<Box<[u8]>>>,
        worker: &Rc<Worker>,
        first: Box<[u8]>,
    ) {
        *questions = None;
        if self.rests_until.get().is_some_and(|until| Instant::now() < until) {
            return;
        }
        let (sender, receiver) = mpsc::channel(QUESTIONS_MAX);
        let _ = sender.try_send(first);
        *questions = Some(sender);
        spawn_local(Rc::clone(self).converse(Rc::clone(worker), receiver));
    }

    /// A connection from begin to end.
    async fn converse(self: Rc<Self>, worker: Rc<Worker>, questions: mpsc::Receiver<Box<[u8]>>) {
        let opened = timeout(CONNECT_TIME_MAX, self.connect()).await;
        let opened = opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let stream = match opened {
            Ok(stream) => stream,
            Err(error) => return self.failed(error),
        };
        self.failures.set(0);
        // However it ends, the next question opens another one.
        let _ = match &self.secure.uri {
            None => self.exchange(&worker, stream, questions).await,
            Some(uri) => self.post(&worker, uri, stream, questions).await,
        };
    }

    async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.server.address).await?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        connector.connect(self.secure.name.clone(), stream).await
    }

    /// Leaves the server alone for a while. What is wrong is said once, until it is well again.
    fn failed(&self, error: io::Error) {
        let failures = self.failures.get();
        let rest = REST.saturating_mul(1 << failures.min(16)).min(REST_MAX);
        self.rests_until.set(Some(Instant::now() + rest));
        self.failures.set(failures.saturating_add(1));
        if failures == 0 {
            let what = format!("cannot ask upstream {}, and try again", self.server);
            report(&anyhow::Error::new(error).context(what));
        }
    }

    /// Over TLS: questions go out and answers come in as they do, in any order.
    async fn exchange(
        &self,
        worker: &Rc<Worker>,
        stream: TlsStream<TcpStream>,
        mut questions: mpsc::Receiver<Box<[u8]>>,
    ) -> io::Result<()> {
        let (mut read, mut write) = split(stream);
        let silent_since = Cell::new(None::<Instant>);
        let reading = async {
            loop {
                let message = read_message(&mut read).await?;
                silent_since.set(None);
                self.give(worker, &message);
            }
        };
        let writing = async {
            while let Ok(Some(message)) = timeout(IDLE, questions.recv()).await {
                let since = silent_since.get().unwrap_or_else(Instant::now);
                if since.elapsed() > SILENCE_MAX {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                silent_since.set(Some(since));
                let Some(octets) = framed(&message) else { continue };
                timeout(SILENCE_MAX, write.write_all(&octets)).await??;
                timeout(SILENCE_MAX, write.flush()).await??;
            }
            timeout(SILENCE_MAX, write.shutdown()).await?
        };
        tokio::select! {
            result = reading => result,
            result = writing => result,
        }
    }

    /// Over HTTPS: each question is a request, whose id is 0, so that caches on the way know it
    /// again (RFC 8484 section 4.1).
    async fn post(
        self: &Rc<Self>,
        worker: &Rc<Worker>,
        uri: &Uri,
        stream: TlsStream<TcpStream>,
        mut questions: mpsc::Receiver<Box<[u8]>>,
    ) -> io::Result<()> {
        let (mut requests, connection) =
            http2::handshake(OnThisThread, TokioIo::new(stream)).await.map_err(io::Error::other)?;
        spawn_local(connection);
        let silent_since = Rc::new(Cell::new(None::<Instant>));
        while let Ok(Some(mut message)) = timeout(IDLE, questions.recv()).await {
            let since = silent_since.get().unwrap_or_else(Instant::now);
            if since.elapsed() > SILENCE_MAX {
                return Err(io::ErrorKind::TimedOut.into());
            }
            silent_since.set(Some(since));
            let Some(id) = message.get_mut(..2) else { continue };
            let id: Vec<u8> = id.iter_mut().map(std::mem::take).collect();
            timeout(SILENCE_MAX, requests.ready()).await?.map_err(io::Error::other)?;
            let answering = answer_to(&mut requests, uri, message);
            let (link, worker) = (Rc::clone(self), Rc::clone(worker));
            let silent_since = Rc::clone(&silent_since);
            spawn_local(async move {
                let Ok(Some(mut answer)) = timeout(SILENCE_MAX, answering).await else { return };
                silent_since.set(None);
                if let Some(place) = answer.get_mut(..2) {
                    place.copy_from_slice(&id);
                    link.give(&worker, &answer);
                }
            });
        }
        Ok(())
    }

    fn give(&self, worker: &Rc<Worker>, message: &[u8]) {
        let (from, transport, port) = (self.server.address, Transport::Tcp, 0);
        worker.handle(Event::Answer { from, transport, port, message });
    }
}

/// The message that answers a question, when it is one.
fn answer_to(
    requests: &mut SendRequest<Full<Bytes>>,
    uri: &Uri,
    message: Box<[u8]>,
) -> impl Future<Output = Option<Vec<u8>>> + use<> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(uri)
        .header(CONTENT_TYPE, MEDIA_TYPE)
        .header(ACCEPT, MEDIA_TYPE)
        .body(Full::new(Bytes::from(message)));
    let response = request.ok().map(|request| requests.send_request(request));
    async move {
        let response = response?.await.ok()?;
        if response.status() != StatusCode::OK {
            return None;
        }
        let body = Limited::new(response.into_body(), ANSWER_LEN_MAX).collect().await.ok()?;
        Some(body.to_bytes().into())
    }
}

/// Where the tasks of a connection run: beside all others of the worker.
#[derive(Clone, Copy)]
pub(super) struct OnThisThread;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for OnThisThread {
    fn execute(&self, task: F) {
        spawn_local(task);
    }
}
