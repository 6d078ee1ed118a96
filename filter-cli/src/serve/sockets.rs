//! The sockets clients send to: takes addresses, or what systemd has opened, gives each worker a
//! set of its own.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use anyhow::Context;
use listenfd::ListenFd;
use socket2::{Domain, Socket, Type};

use crate::output::{Hint, Output};

/// Where clients ask.
pub enum Listen {
    /// At port 5300 of this machine, which takes no privilege: on IPv4, and on IPv6 where it has
    /// that.
    Loopback,
    /// At these addresses.
    At(Vec<SocketAddr>),
}

/// What one worker listens on.
#[derive(Default)]
pub(super) struct Sockets {
    pub(super) udp: Vec<UdpSocket>,
    pub(super) tcp: Vec<TcpListener>,
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
    if let Some(sockets) = of_systemd(workers).context("sockets of systemd")? {
        return Ok(sockets);
    }
    let mut sockets: Vec<Sockets> = (0..workers).map(|_| Sockets::default()).collect();
    match listen {
        Listen::At(addresses) => {
            for address in addresses {
                bind(*address, &mut sockets)?;
            }
        }
        Listen::Loopback => {
            bind((Ipv4Addr::LOCALHOST, LOOPBACK_PORT).into(), &mut sockets)?;
            if let Err(error) = bind((Ipv6Addr::LOCALHOST, LOOPBACK_PORT).into(), &mut sockets) {
                output.notice(format_args!("{error:#}; going on without"));
            }
        }
    }
    Ok(sockets)
}

/// Where the sockets are bound.
pub(super) fn addresses(sockets: &[Sockets]) -> io::Result<Vec<SocketAddr>> {
    let Some(sockets) = sockets.first() else { return Ok(Vec::new()) };
    let mut addresses = Vec::new();
    let udp = sockets.udp.iter().map(UdpSocket::local_addr);
    for address in udp.chain(sockets.tcp.iter().map(TcpListener::local_addr)) {
        let address = address?;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
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
            first.tcp.push(listener);
        }
    }
    let copy = |_| -> io::Result<Sockets> {
        Ok(Sockets {
            udp: first.udp.iter().map(UdpSocket::try_clone).collect::<Result<_, _>>()?,
            tcp: first.tcp.iter().map(TcpListener::try_clone).collect::<Result<_, _>>()?,
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
                    worker.tcp.push(tcp);
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
        let _ = socket.set_recv_buffer_size(RECEIVE_LEN);
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
