//! Metrics over HTTP, for whoever collects them: every path has the same text.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::status::Overseer;
use crate::output::Hint;

/// Collectors at once, and how long one may stay.
const COUNT_MAX: usize = 8;
const TIME_MAX: Duration = Duration::from_secs(10);

pub(super) fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .with_context(|| format!("cannot serve metrics on {address}"))
        .hint(|| "name another address with `--metrics`")?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves collectors; for ever.
pub(super) async fn serve(listener: TcpListener, overseer: Rc<Overseer>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(COUNT_MAX));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let overseer = Rc::clone(&overseer);
        tokio::task::spawn_local(async move {
            let _place = place;
            let service = service_fn(|_: Request<Incoming>| answer(&overseer));
            let connection = http1::Builder::new()
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // Whatever goes wrong is the collector's to notice.
            let _ = timeout(TIME_MAX, connection).await;
        });
    }
}

async fn answer(overseer: &Overseer) -> Result<Response<String>, Infallible> {
    let mut response = Response::default();
    match overseer.status().await {
        Some(status) => {
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            if let Ok(kind) = kind.parse() {
                response.headers_mut().insert(CONTENT_TYPE, kind);
            }
            *response.body_mut() = status.metrics();
        }
        None => *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
    }
    Ok(response)
}
