//! The admin socket: whoever may connect to it is told how the server fares, as a line of JSON, and
//! nothing is read from him.

use std::fs;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

use super::status::Overseer;
use crate::output::{Hint, hinted};

/// How long someone may take to read.
const TIME_MAX: Duration = Duration::from_secs(1);

/// Binds the socket, in the place of one that a server before us has left.
pub(super) fn bind(path: &Path) -> anyhow::Result<UnixListener> {
    if UnixStream::connect(path).is_ok() {
        let error = format!("another server has the admin socket {}", path.display());
        return Err(hinted(error, "stop it, or name another socket with `--admin`"));
    }
    let is_left = UnixStream::connect(path)
        .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if is_left {
        remove(path);
    }
    let listener = UnixListener::bind(path)
        .with_context(|| format!("cannot make the admin socket {}", path.display()))
        .hint(|| "name a place you may write to, where nothing is yet, with `--admin`")?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Takes the socket away.
pub(super) fn remove(path: &Path) {
    // As another user than the one who made it, we may not.
    let _ = fs::remove_file(path);
}

/// Tells one after the other; for ever.
pub(super) async fn serve(listener: UnixListener, overseer: Rc<Overseer>) -> io::Result<()> {
    let listener = tokio::net::UnixListener::from_std(listener)?;
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Some(status) = overseer.status().await else { continue };
        let mut line = serde_json::to_vec(&status)?;
        line.push(b'\n');
        let _ = timeout(TIME_MAX, stream.write_all(&line)).await;
    }
}
