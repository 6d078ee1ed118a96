//! The client and the counterparts of `benches/serve.sh`: what asks every server the same way, and
//! what stands behind them.
//!
//! [`respond`] is both the bare responder, 1.00 of every row, and everybody's upstream; [`first`]
//! times a start, [`ask`] a load, [`stream`] a reload. [`batch`] takes and sends datagrams 64 at a
//! time, [`message`] writes questions and reads what is said to them.

mod ask;
mod batch;
mod first;
mod message;
mod respond;
pub(crate) mod server;
mod stream;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

use message::Names;

/// What `benches dns` does.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Answers everything, as fast as datagrams pass: that there is no such name, or with an address.
    Respond {
        /// Where.
        listen: SocketAddr,
        /// Say 192.0.2.1 to everything, as an upstream that knows all names.
        #[arg(long)]
        knows_all: bool,
    },
    /// Starts a server; prints its process, the milliseconds to the first name it blocks, and how
    /// many names it let through before it blocked all. Leaves it running.
    First {
        #[command(flatten)]
        target: Target,
        /// The server.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Keeps 64 questions on their way; prints answers per processor second of the server, p50 and
    /// p99 in microseconds, and how many answers blocked, passed, failed, and never came.
    Ask {
        #[command(flatten)]
        target: Target,
        /// The server's process.
        #[arg(long)]
        pid: u32,
        /// For how long.
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
        /// Ask each time for another name below those.
        #[arg(long)]
        fresh: bool,
    },
    /// Asks for blocked names at a steady pace, and tells a server to reload; prints queries lost,
    /// milliseconds to the first answer by the new list, answers by the old list after that, and the
    /// peak of its memory over what it was.
    Stream {
        #[command(flatten)]
        target: Target,
        /// The server's process.
        #[arg(long)]
        pid: u32,
        /// The name that is on the new list alone.
        #[arg(long)]
        new: String,
        /// Queries a second.
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
        per_second: u32,
        /// For how long, at most, the new list may take.
        #[arg(long, default_value_t = 30.0)]
        seconds: f64,
        /// What makes the server reload.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

/// Whom to ask about what.
#[derive(clap::Args)]
pub(crate) struct Target {
    /// The server.
    #[arg(long)]
    server: SocketAddr,
    /// Names, one a line.
    #[arg(long)]
    names: PathBuf,
    /// The zone of a list that is asked itself (RFC 5782): names stand below it, and a listed one
    /// has an address.
    #[arg(long)]
    zone: Option<String>,
}

impl Target {
    fn names(&self) -> Result<Names> {
        Names::read(&self.names, self.zone.as_deref())
    }
}

pub(crate) fn run(command: Command) -> Result<()> {
    match command {
        Command::Respond { listen, knows_all } => respond::run(listen, knows_all),
        Command::First { target, command } => first::run(&target, &command),
        Command::Ask { target, pid, seconds, fresh } => ask::run(&target, pid, seconds, fresh),
        Command::Stream { target, pid, new, per_second, seconds, command } => {
            stream::run(&target, pid, &new, per_second, seconds, &command)
        }
    }
}
