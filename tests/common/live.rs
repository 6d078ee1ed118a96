//! A conversation with a server that runs: people and upstreams are sockets on loopback, each read by
//! a thread of its own, that ends with the tests.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use filter_core::gateway::{Transport, Upstream};

use crate::conversation::{Done, Server};
use crate::server::{self, Place, client, framed, pair, read_framed, stream};

pub struct Live<R> {
    running: R,
    people: HashMap<String, UdpSocket>,
    streams: HashMap<String, TcpStream>,
    /// Where the answer to each question goes.
    askers: Vec<Asker>,
    seen: Receiver<Seen>,
    sender: Sender<Seen>,
}

/// What a thread has read.
enum Seen {
    Reply(String, Transport, Vec<u8>),
    /// The upstream as scripts call it.
    Question(SocketAddr, Asker, Vec<u8>),
}

enum Asker {
    Udp(UdpSocket, SocketAddr),
    Tcp(TcpStream),
}

/// What runs.
pub trait Running {
    /// Where it listens.
    fn address(&self) -> SocketAddr;
    /// What it has counted.
    fn counter(&self, name: &str) -> u64;
}

impl<R> Live<R> {
    /// `start` starts what runs, in a folder with this image as `x.gfi`, with these arguments.
    pub fn new(
        image: &[u8],
        upstreams: &[Upstream],
        start: impl FnOnce(Place, &[&str]) -> R,
    ) -> Live<R> {
        let place = Place::new(&[]);
        fs::write(place.path("x.gfi"), image).unwrap();
        let (sender, seen) = channel();
        let mut arguments = vec!["--operator".to_owned(), "School of Example".to_owned()];
        for upstream in upstreams {
            let address = listen(upstream.address, &sender);
            arguments.extend(["--upstream".to_owned(), address.to_string()]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let running = start(place, &arguments);
        let (people, streams) = (HashMap::new(), HashMap::new());
        Live { running, people, streams, askers: Vec::new(), seen, sender }
    }
}

/// `gardefou serve`, and its folder.
impl Running for (server::Server, Place) {
    fn address(&self) -> SocketAddr {
        self.0.address
    }

    fn counter(&self, name: &str) -> u64 {
        let counters = &self.0.status()["counters"];
        counters[name].as_u64().or(counters["blocked"][name].as_u64()).unwrap()
    }
}

/// Listens as an upstream, which scripts call `name`.
fn listen(name: SocketAddr, sender: &Sender<Seen>) -> SocketAddr {
    let (address, udp, tcp) = pair();
    let to_udp = sender.clone();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((len, from)) = udp.recv_from(&mut buffer) {
            let asker = Asker::Udp(udp.try_clone().unwrap(), from);
            let _ = to_udp.send(Seen::Question(name, asker, buffer[..len].to_vec()));
        }
    });
    let to_tcp = sender.clone();
    thread::spawn(move || {
        for mut stream in tcp.incoming().map_while(Result::ok) {
            if let Some(message) = read_framed(&mut stream) {
                let _ = to_tcp.send(Seen::Question(name, Asker::Tcp(stream), message));
            }
        }
    });
    address
}

impl<R: Running> Server for Live<R> {
    fn query(&mut self, who: &str, transport: Transport, octets: &[u8]) {
        let (name, sender) = (who.to_owned(), self.sender.clone());
        match transport {
            Transport::Udp => {
                let socket = self.people.entry(name.clone()).or_insert_with(|| {
                    let socket = client(self.running.address());
                    let reading = socket.try_clone().unwrap();
                    thread::spawn(move || {
                        let mut buffer = [0; 4096];
                        while let Ok(len) = reading.recv(&mut buffer) {
                            let message = buffer[..len].to_vec();
                            let _ = sender.send(Seen::Reply(name.clone(), transport, message));
                        }
                    });
                    socket
                });
                socket.send(octets).unwrap();
            }
            Transport::Tcp => {
                let stream = self.streams.entry(name.clone()).or_insert_with(|| {
                    let stream = stream(self.running.address());
                    let mut reading = stream.try_clone().unwrap();
                    thread::spawn(move || {
                        while let Some(message) = read_framed(&mut reading) {
                            let _ = sender.send(Seen::Reply(name.clone(), transport, message));
                        }
                    });
                    stream
                });
                stream.write_all(&framed(octets)).unwrap();
            }
        }
    }

    fn answer(&mut self, number: u16, octets: &[u8]) {
        match &mut self.askers[usize::from(number)] {
            Asker::Udp(socket, to) => drop(socket.send_to(octets, *to).unwrap()),
            Asker::Tcp(stream) => stream.write_all(&framed(octets)).unwrap(),
        }
    }

    fn next(&mut self, patience: Duration) -> Option<Done> {
        Some(match self.seen.recv_timeout(patience).ok()? {
            Seen::Reply(who, transport, octets) => Done::Reply { who, transport, octets },
            Seen::Question(to, asker, octets) => {
                let transport = match asker {
                    Asker::Udp(..) => Transport::Udp,
                    Asker::Tcp(_) => Transport::Tcp,
                };
                let port = self.askers.len() as u16;
                self.askers.push(asker);
                Done::Ask { to, transport, port, octets }
            }
        })
    }

    fn counter(&self, name: &str) -> u64 {
        self.running.counter(name)
    }
}
