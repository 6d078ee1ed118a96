//! Upstreams over TCP: for answers that do not fit into a datagram, or that nobody must be able to
//! forge blindly. A connection for each question, which are few.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use filter_core::gateway::{Event, Transport};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connections::{framed, read_message};
use super::worker::Worker;

/// How many there are at once; what is beyond is not asked, and asked again by the engine.
const COUNT_MAX: usize = 64;
/// Longer than the engine waits.
const TIME_MAX: Duration = Duration::from_secs(5);

/// How many connections there are.
#[derive(Default)]
pub(super) struct Streams(Cell<usize>);

impl Streams {
    /// Asks an upstream, and gives the worker its answer.
    pub(super) fn ask(&self, worker: &Rc<Worker>, to: SocketAddr, message: &[u8]) {
        let Some(octets) = framed(message).filter(|_| self.0.get() < COUNT_MAX) else { return };
        self.0.set(self.0.get() + 1);
        let worker = Rc::clone(worker);
        tokio::task::spawn_local(async move {
            if let Ok(Ok(message)) = timeout(TIME_MAX, exchange(to, &octets)).await {
                let (transport, port) = (Transport::Tcp, 0);
                worker.handle(Event::Answer { from: to, transport, port, message: &message });
            }
            let count = &worker.streams.0;
            count.set(count.get().saturating_sub(1));
        });
    }
}

async fn exchange(to: SocketAddr, octets: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(octets).await?;
    read_message(&mut stream).await
}
