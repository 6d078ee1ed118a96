//! The admin socket: whoever may connect to it sends a [`Request`] and is told an [`Answer`], each a
//! line of JSON; then the connection ends. Only the user who started the server may connect.

use std::fs;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use filter_core::{Action, Name};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::{sleep, timeout};

use super::explain::Explanation;
use super::status::{Overseer, Status};
use crate::lists::normalize;
use crate::output::{Hint, hinted};

/// What can be asked of a running server.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "request")]
pub enum Request {
    /// How it fares.
    Status,
    /// To allow a name, with all below it.
    Allow {
        /// The name.
        name: String,
        /// For how many seconds; until the server ends when left out.
        for_s: Option<u64>,
    },
    /// To block a name, with all below it.
    Deny {
        /// The name.
        name: String,
        /// As for `Allow`.
        for_s: Option<u64>,
    },
    /// To take back what was said about a name.
    Forget {
        /// The name.
        name: String,
    },
    /// What would be answered about a name.
    Explain {
        /// The name.
        name: String,
        /// Who would ask; someone who is not listed when left out.
        client: Option<IpAddr>,
    },
}

/// What the server says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// How it fares.
    Status(Box<Status>),
    /// What would be answered about a name; after an order, from now on.
    Explanation(Explanation),
    /// Why there is no better answer.
    Error {
        /// What is wrong.
        error: String,
    },
}

impl Request {
    /// Asks the server whose socket this is.
    ///
    /// # Errors
    /// When no server answers, or it answers with an error.
    pub fn send(&self, socket: &Path) -> anyhow::Result<Answer> {
        let text = self
            .exchange(socket)
            .with_context(|| format!("no server answers at {}", socket.display()))
            .hint(|| "start it with `gardefou serve --admin PATH`, and name that path here")?;
        let answer: Answer = serde_json::from_str(&text)
            .context("the server cannot tell")
            .hint(|| "a worker may be stuck, or it is of another version: start it anew")?;
        match answer {
            Answer::Error { error } => Err(anyhow!(error)),
            answer => Ok(answer),
        }
    }

    fn exchange(&self, socket: &Path) -> io::Result<String> {
        /// The server waits for its workers.
        const TIME_MAX: Duration = Duration::from_secs(5);
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(TIME_MAX))?;
        stream.write_all(&line(self)?)?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }
}

fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

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
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Takes the socket away.
pub(super) fn remove(path: &Path) {
    // As another user than the one who made it, we may not.
    let _ = fs::remove_file(path);
}

/// How long someone may take to ask, and to read.
const TIME_MAX: Duration = Duration::from_secs(1);
/// Octets of the longest request.
const REQUEST_LEN_MAX: u64 = 4096;

/// Answers one after the other; for ever.
pub(super) async fn serve(listener: UnixListener, overseer: Rc<Overseer>) -> io::Result<()> {
    let listener = tokio::net::UnixListener::from_std(listener)?;
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let mut text = String::new();
        let mut reader = BufReader::new((&mut stream).take(REQUEST_LEN_MAX));
        let Ok(Ok(_)) = timeout(TIME_MAX, reader.read_line(&mut text)).await else { continue };
        let answer = match serde_json::from_str(&text) {
            Ok(request) => overseer.answer(request).await,
            Err(error) => Err(anyhow!("not a request: {error}")),
        };
        let answer = answer.unwrap_or_else(|error| Answer::Error { error: format!("{error:#}") });
        let _ = timeout(TIME_MAX, stream.write_all(&line(&answer)?)).await;
    }
}

impl Overseer {
    async fn answer(&self, request: Request) -> anyhow::Result<Answer> {
        let say = |text: &str, action, for_s: Option<u64>| {
            let name = name(text)?;
            let is_said = self.overrides().say(&name, action, for_s.map(Duration::from_secs));
            is_said.then_some(()).context("too many names are spoken about: forget some")?;
            Ok(Answer::Explanation(self.explain(&name, None)))
        };
        match request {
            Request::Status => {
                let status = self.status().await.context("a worker does not answer")?;
                Ok(Answer::Status(Box::new(status)))
            }
            Request::Allow { name, for_s } => say(&name, Action::Allow, for_s),
            Request::Deny { name, for_s } => say(&name, Action::Block, for_s),
            Request::Forget { name: text } => {
                let name = name(&text)?;
                let was_said = self.overrides().forget(&name);
                was_said.then_some(()).with_context(|| format!("nothing is said about {name}"))?;
                Ok(Answer::Explanation(self.explain(&name, None)))
            }
            Request::Explain { name: text, client } => {
                Ok(Answer::Explanation(self.explain(&name(&text)?, client)))
            }
        }
    }
}

fn name(text: &str) -> anyhow::Result<Name> {
    normalize(text.trim().as_bytes()).map_err(|why| anyhow!("`{text}`: {why}"))
}
