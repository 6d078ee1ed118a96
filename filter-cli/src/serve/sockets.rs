//! The sockets clients send to: takes addresses, or what systemd has opened, gives each worker a
//! set of its own.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use anyhow::Context;
use listenfd::ListenFd;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBufForce;
use socket2::{Domain, Socket, Type};

use crate::output::{Hint, Output};

/// Where clients ask.
pub struct Listen {
    /// In plain DNS; without any, at port 5300 of this machine, which takes no privilege: on IPv4,
    /// and on IPv6 where it has that.
    pub plain: Vec<SocketAddr>,
    /// Over TLS.
    pub tls: Vec<SocketAddr>,
    /// Over HTTPS.
    pub https: Vec<SocketAddr>,
}

/// What one worker listens on.
#[derive(Default)]
pub(super) struct Sockets {
    pub(super) udp: Vec<UdpSocket>,
    pub(super) tcp: Vec<(Carrier, TcpListener)>,
}

/// Where clients ask, and how; over UDP as well where that is in the open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) carrier: Carrier,
    pub(super) address: SocketAddr,
}

/// What carries DNS in a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// Nothing more (RFC 7766).
    Tcp,
    /// TLS (RFC 7858).
    Tls,
    /// HTTPS (RFC 8484).
    Https,
}

const LOOPBACK_PORT: u16 = 5300;
/// Room for some thousand queries that come at once; the system may give less.
const RECEIVE_LEN: usize = 1 << 20;
/// Connections the system keeps for us to take.
const BACKLOG: i32 = 128;

/// The sockets systemd has opened, else those that were asked for, for each worker.
pub(super) fn open(
    listen: &Listen,
    workers: usize,
    output: &Output,
) -> anyhow::Result<Vec<Sockets>> {
    let mut sockets = match of_systemd(workers).context("sockets of systemd")? {
        Some(sockets) => sockets,
        None => plain(&listen.plain, workers, output)?,
    };
    let tls = listen.tls.iter().map(|address| (Carrier::Tls, *address));
    let https = listen.https.iter().map(|address| (Carrier::Https, *address));
    for (carrier, address) in tls.chain(https) {
        bind_secure(carrier, address, &mut sockets)?;
    }
    Ok(sockets)
}

fn plain(
    addresses: &[SocketAddr],
    workers: usize,
    output: &Output,
) -> anyhow::Result<Vec<Sockets>> {
    let mut sockets: Vec<Sockets> = (0..workers).map(|_| Sockets::default()).collect();
    for address in addresses {
        bind(*address, &mut sockets)?;
    }
    if addresses.is_empty() {
        bind((Ipv4Addr::LOCALHOST, LOOPBACK_PORT).into(), &mut sockets)?;
        if let Err(error) = bind((Ipv6Addr::LOCALHOST, LOOPBACK_PORT).into(), &mut sockets) {
            output.notice(format_args!("{error:#}; going on without"));
        }
    }
    Ok(sockets)
}

/// Where the sockets are bound.
pub(super) fn places(sockets: &[Sockets]) -> io::Result<Vec<Place>> {
    let Some(sockets) = sockets.first() else { return Ok(Vec::new()) };
    let mut places = Vec::new();
    let udp = sockets.udp.iter().map(|socket| (Carrier::Tcp, socket.local_addr()));
    let tcp = sockets.tcp.iter().map(|(carrier, listener)| (*carrier, listener.local_addr()));
    for (carrier, address) in udp.chain(tcp) {
        let place = Place { carrier, address: address? };
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Ok(places)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.carrier {
            Carrier::Tcp => "",
            Carrier::Tls => "tls://",
            Carrier::Https => "https://",
        })?;
        self.address.fmt(f)
    }
}

/// The sockets systemd has opened, which all workers share.
fn of_systemd(workers: usize) -> io::Result<Option<Vec<Sockets>>> {
    let mut passed = ListenFd::from_env();
    if passed.len() == 0 {
        return Ok(None);
    }
    let mut first = Sockets::default();
    for index in 0..passed.len() {
        // Of another kind, it is left where it is.
        if let Ok(Some(socket)) = passed.take_udp_socket(index) {
            socket.set_nonblocking(true)?;
            first.udp.push(socket);
        } else if let Some(listener) = passed.take_tcp_listener(index)? {
            listener.set_nonblocking(true)?;
            first.tcp.push((Carrier::Tcp, listener));
        }
    }
    let copy = |_| -> io::Result<Sockets> {
        Ok(Sockets {
            udp: first.udp.iter().map(UdpSocket::try_clone).collect::<Result<_, _>>()?,
            tcp: first
                .tcp
                .iter()
                .map(|(carrier, listener)| Ok((*carrier, listener.try_clone()?)))
                .collect::<io::Result<_>>()?,
        })
    };
    let mut all = (1..workers).map(copy).collect::<io::Result<Vec<_>>>()?;
    all.push(first);
    Ok(Some(all))
}

/// Binds an address for UDP and TCP, for every worker. With port 0 the first socket finds one, which
/// somebody may have for TCP: then another one is looked for.
fn bind(address: SocketAddr, workers: &mut [Sockets]) -> anyhow::Result<()> {
    let mut tries_left = if address.port() == 0 { 16 } else { 1 };
    loop {
        tries_left -= 1;
        match bind_pairs(address, workers.len()) {
            Ok(pairs) => {
                for (worker, (udp, tcp)) in workers.iter_mut().zip(pairs) {
                    worker.udp.push(udp);
                    worker.tcp.push((Carrier::Tcp, tcp));
                }
                return Ok(());
            }
            Err(error) if tries_left == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

fn bind_pairs(
    mut address: SocketAddr,
    count: usize,
) -> anyhow::Result<Vec<(UdpSocket, TcpListener)>> {
    let cannot = |kind, address| format!("cannot listen on {address} over {kind}");
    let mut pairs = Vec::new();
    for _ in 0..count {
        let udp = bind_one(address, Type::DGRAM, count > 1)
            .with_context(|| cannot("UDP", address))
            .hint(|| hint(address))?;
        let udp = UdpSocket::from(udp);
        address.set_port(udp.local_addr()?.port());
        let tcp = bind_one(address, Type::STREAM, count > 1)
            .with_context(|| cannot("TCP", address))
            .hint(|| hint(address))?;
        pairs.push((udp, tcp.into()));
    }
    Ok(pairs)
}

/// Binds an address for what is secret, for every worker.
fn bind_secure(
    carrier: Carrier,
    mut address: SocketAddr,
    workers: &mut [Sockets],
) -> anyhow::Result<()> {
    let is_shared = workers.len() > 1;
    for worker in workers {
        let listener = bind_one(address, Type::STREAM, is_shared)
            .with_context(|| format!("cannot listen on {address} over {carrier:?}"))
            .hint(|| hint(address))?;
        let listener = TcpListener::from(listener);
        address.set_port(listener.local_addr()?.port());
        worker.tcp.push((carrier, listener));
    }
    Ok(())
}

fn bind_one(address: SocketAddr, kind: Type, is_shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        // 0.0.0.0 and [::] can then stand side by side.
        socket.set_only_v6(true)?;
    }
    if is_shared {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    if kind == Type::STREAM {
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
    } else {
        // As an administrator, beyond what the system gives others.
        if setsockopt(&socket, RcvBufForce, &RECEIVE_LEN).is_err() {
            let _ = socket.set_recv_buffer_size(RECEIVE_LEN);
        }
        socket.bind(&address.into())?;
    }
    Ok(socket)
}

fn hint(address: SocketAddr) -> String {
    match address.port() {
        port @ 1..1024 => format!(
            "ports below 1024 are root's: start as root with `--user`, or from the systemd unit; \
             `ss -lnp 'sport = :{port}'` shows who is listening already"
        ),
        port => format!("`ss -lnp 'sport = :{port}'` shows who is listening already"),
    }
}
