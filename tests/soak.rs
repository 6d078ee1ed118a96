//! `gardefou serve`, the real binary, for SOAK_SECONDS (20), in a home of network namespaces: clients
//! ask over UDP and TCP, IPv4 and IPv6, while links lose and repeat packets and go down, upstreams
//! fail, are late and are imitated, connections stay half open, nonsense comes in, and image and
//! overrides change. No protected name leaks, and no allowed one is lost.
#![cfg(target_os = "linux")]

mod common;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/dns.rs"]
mod dns;
#[allow(unreachable_pub, reason = "a part of this runner")]
#[path = "common/home.rs"]
mod home;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/namespace.rs"]
mod namespace;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/server.rs"]
mod server;

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::Random;
use dns::Message;
use home::{FORGER, GUESTS, Home, OTHER, ROOM, ROUTER, UPLINKS, address};
use server::{Place, Server, framed, query, read_framed};

const RIGHT: &str = "192.0.2.1";
const LEAKED: &str = "192.0.2.66";
const FORGED: &str = "203.0.113.66";
/// So long a client waits for an answer before it asks again; a connection takes longer.
const TRY: Duration = Duration::from_secs(1);
const TRY_OF_STREAM: Duration = Duration::from_secs(3);
/// So often it asks before a name is lost: a question has three tries in 5.6 seconds, and its failure
/// is remembered for two more (RFC 9520).
const TRIES: u64 = 30;
/// Most of the time they wait.
const CLIENTS: u64 = 24;
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;
const MEMORY_MAX_KB: u64 = 64 * 1024;

/// What happens to upstreams, and what was seen.
#[derive(Default)]
struct Sky {
    /// One bit for each upstream that does not answer.
    out: AtomicU64,
    /// Odd while none can be reached. Nobody but this test makes it so.
    darkness: AtomicU64,
    is_over: AtomicBool,
    /// Protected names upstreams were asked about.
    leaks: AtomicU64,
    answered: AtomicU64,
    /// Tries without an answer while no upstream could be reached.
    excused: AtomicU64,
    /// The most that a client tried while one could.
    tries: AtomicU64,
    nonsense: AtomicU64,
}

impl Sky {
    fn is_out(&self, number: usize) -> bool {
        self.out.load(SeqCst) >> number & 1 == 1
    }
}

/// An upstream, at its own link. The second has an IPv6 address.
fn upstream(number: usize, sky: &Arc<Sky>) -> JoinHandle<()> {
    let at = |who| address(UPLINKS[number], who, number != 1);
    let udp = Arc::new(UdpSocket::bind(at(OTHER)).unwrap());
    let forger = Arc::new(UdpSocket::bind(at(FORGER)).unwrap());
    let tcp = TcpListener::bind(at(OTHER)).unwrap();
    let seen = Arc::clone(sky);
    thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let seen = Arc::clone(&seen);
            thread::spawn(move || {
                let _ = stream.set_read_timeout(Some(TRY_OF_STREAM));
                while let Some(message) = read_framed(&mut stream)
                    && !seen.is_out(number)
                {
                    let _ = stream.write_all(&framed(&answer(&message, RIGHT, false, &seen)));
                }
            });
        }
    });
    let seen = Arc::clone(sky);
    thread::spawn(move || {
        let (mut buffer, mut random) = ([0; 4096], Random(number as u64 + 77));
        while let Ok((len, from)) = udp.recv_from(&mut buffer) {
            let right = answer(&buffer[..len], RIGHT, true, &seen);
            let mut forged = answer(&buffer[..len], FORGED, true, &seen);
            if seen.is_out(number) {
                continue;
            }
            let _ = forger.send_to(&forged, from);
            // From the right address and port: with another id, and cut off.
            if random.below(3) == 0 {
                forged[1] ^= 1 + random.below(255) as u8;
                let _ = udp.send_to(&forged, from);
                let _ = udp.send_to(&right[..random.below(right.len())], from);
            }
            // Some answers are late: others overtake them, or another upstream was asked since.
            let late_ms = if random.below(8) == 0 { random.below(2000) } else { random.below(20) };
            let udp = Arc::clone(&udp);
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(late_ms as u64));
                let _ = udp.send_to(&right, from);
            });
        }
    })
}

fn answer(query: &[u8], address: &str, is_udp: bool, sky: &Sky) -> Vec<u8> {
    let mut message = Message::from_octets(query);
    let owner = filter_core::Name::from_wire(&message.question.as_ref().unwrap().name).unwrap();
    let text = owner.to_string();
    // By labels: among the nonsense are names such as `www\006casino.example`, which has two.
    if owner.is_within(&"casino.example".parse().unwrap()) {
        sky.leaks.fetch_add(1, SeqCst);
    }
    let is_big = text.starts_with("big");
    (message.qr, message.ra, message.tc) = (true, true, is_big && is_udp);
    message.sections[0] = match text.starts_with("cloaked") {
        _ if message.tc => vec![],
        true => vec![
            format!("{owner}. 2 IN CNAME x.casino.example."),
            format!("x.casino.example. 2 IN A {LEAKED}"),
        ],
        false => vec![format!("{owner}. 2 IN A {address}")],
    };
    message.to_octets()
}

/// Asks once, over UDP or TCP.
fn attempt(server: SocketAddr, name: &str, random: &mut Random) -> Option<Message> {
    let id = random.below(65_536) as u16;
    let octets = query(id, name);
    if random.below(8) == 0 {
        let mut stream = TcpStream::connect_timeout(&server, TRY_OF_STREAM).ok()?;
        stream.set_read_timeout(Some(TRY_OF_STREAM)).unwrap();
        stream.write_all(&framed(&octets)).ok()?;
        return Some(Message::from_octets(&read_framed(&mut stream)?));
    }
    let (socket, mut buffer) = (server::client(server), [0; 4096]);
    socket.set_read_timeout(Some(TRY)).unwrap();
    socket.send(&octets).ok()?;
    // What is late for another try may come here, to a port that was given again.
    let end = Instant::now() + TRY;
    while Instant::now() < end {
        let len = socket.recv(&mut buffer).ok()?;
        let message = Message::from_octets(&buffer[..len]);
        if message.id == id {
            return Some(message);
        }
    }
    None
}

/// Asks as a stub resolver does, until there is an answer that is no failure. What is listed needs no
/// upstream, so for that there is no excuse.
fn ask(name: &str, is_listed: bool, random: &mut Random, sky: &Sky) -> Message {
    let mut tries = 0;
    loop {
        let (start, before) = (Instant::now(), sky.darkness.load(SeqCst));
        let server = address(ROOM, ROUTER, random.below(2) == 0);
        let message = attempt(server, name, random);
        if let Some(message) = message.filter(|message| is_listed || message.rcode != SERVFAIL) {
            return message;
        }
        let is_dark = before % 2 == 1 || sky.darkness.load(SeqCst) != before;
        if is_dark && !is_listed {
            sky.excused.fetch_add(1, SeqCst);
        } else {
            tries += 1;
            sky.tries.fetch_max(tries, SeqCst);
            assert!(tries < TRIES, "lost: {name}");
        }
        thread::sleep(TRY.saturating_sub(start.elapsed()));
    }
}

fn live(number: u64, sky: &Sky) {
    let mut random = Random(number * 7919 + 1);
    while !sky.is_over.load(SeqCst) {
        let n = random.below(300);
        let name = match random.below(8) {
            0 | 1 => format!("n{n}.CaSino.example."),
            2 => format!("cloaked{n}.open.example."),
            3 => format!("n{n}.turned.example."),
            4 => format!("big{n}.open.example."),
            _ => format!("n{n}.open.example."),
        };
        let is_listed = name.contains("CaSino");
        let message = ask(&name, is_listed, &mut random, sky);
        sky.answered.fetch_add(1, SeqCst);
        let blocked = message.edns.as_ref().is_some_and(|edns| {
            edns.errors.iter().any(|error| error.starts_with("15 ") || error.starts_with("17 "))
        });
        let is_empty = message.sections[0].is_empty();
        if is_listed || name.starts_with("cloaked") {
            let rcode = if is_listed { NXDOMAIN } else { 0 };
            assert!(blocked && is_empty && message.rcode == rcode, "leaked: {message:?}");
        } else if !(name.contains("turned") && blocked && is_empty) {
            let records = &message.sections[0];
            assert!(records.len() == 1 && records[0].ends_with(RIGHT), "{message:?}");
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Guests send a thousand messages a second that are none, and open connections on which nothing more
/// comes.
fn disturb(sky: &Sky) {
    let (mut random, mut held) = (Random(0x9E37_79B9), Vec::new());
    let servers = [true, false].map(|is_ipv4| address(GUESTS, ROUTER, is_ipv4));
    let sockets = servers.map(server::client);
    while !sky.is_over.load(SeqCst) {
        for _ in 0..20 {
            let mut octets = query(random.below(65_536) as u16, "www.casino.example.");
            for _ in 0..1 + random.below(4) {
                let at = random.below(octets.len());
                octets[at] = random.below(256) as u8;
            }
            octets.truncate(random.below(octets.len() + 1));
            let _ = sockets[random.below(2)].send(&octets);
            sky.nonsense.fetch_add(1, SeqCst);
        }
        if random.below(10) == 0
            && let Ok(mut stream) = TcpStream::connect_timeout(&servers[random.below(2)], TRY)
        {
            let _ = stream.write_all(&[0]);
            held.push(stream);
            held.drain(..held.len().saturating_sub(64));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Some upstreams fail, the others can be reached again: `out` has a bit for each.
fn fail(out: u64, home: &Home, sky: &Sky, random: &mut Random) {
    let (is_dark, will_be_dark) = (sky.darkness.load(SeqCst) % 2 == 1, out == 7);
    if will_be_dark && !is_dark {
        sky.darkness.fetch_add(1, SeqCst);
    }
    for (number, link) in UPLINKS.into_iter().enumerate() {
        home.mend(link);
        // Of those that do not answer, two thirds are cut off.
        if out >> number & 1 == 1 && random.below(3) > 0 {
            home.cut(link, random.below(2) == 0);
        }
    }
    sky.out.store(out, SeqCst);
    if is_dark && !will_be_dark {
        sky.darkness.fetch_add(1, SeqCst);
    }
}

fn memory_kb(server: &Server) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", server.process.id())).unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn nothing_leaks_and_nothing_is_lost() {
    let Some(home) = Home::new().map(Arc::new) else {
        eprintln!("skipped: the soak wants network namespaces, whose links lose packets");
        return;
    };
    let seconds = std::env::var("SOAK_SECONDS").map_or(20, |text| text.parse().unwrap());
    let sky = Arc::new(Sky::default());
    let upstreams = [0, 1, 2].map(|number| home.beyond.within(|| upstream(number, &sky)));
    let place = Place::new(&["casino.example"]);
    let mut command = Server::command(&place);
    command.args(["--queries-per-second", "5000", "--names-per-second", "2000"]);
    for (link, is_ipv4) in [(ROOM, true), (ROOM, false), (GUESTS, true), (GUESTS, false)] {
        command.arg("--listen").arg(address(link, ROUTER, is_ipv4).to_string());
    }
    for (number, link) in UPLINKS.into_iter().enumerate() {
        command.arg("--upstream").arg(address(link, OTHER, number != 1).to_string());
    }
    let mut server = Server::ready(&place, &mut home.router.enter(&command));
    let in_rooms = |work: Box<dyn FnOnce(&Sky) + Send>| {
        let (home, sky) = (Arc::clone(&home), Arc::clone(&sky));
        thread::spawn(move || home.rooms.within(|| work(&sky)))
    };
    let mut threads: Vec<_> =
        (0..CLIENTS).map(|number| in_rooms(Box::new(move |sky| live(number, sky)))).collect();
    threads.push(in_rooms(Box::new(disturb)));

    let mut random = Random(42);
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut next, mut outages, mut peak_kb) = (0, 0, 0);
    for turn in 0.. {
        if Instant::now() > end {
            break;
        }
        home.lose([0, 3, 10, 20][random.below(4)], [0, 1, 3, 5][random.below(4)]);
        // An outage of three to ten seconds is longer than the first two waits for an answer.
        if turn == next {
            let is_over = sky.out.load(SeqCst) > 0;
            fail(if is_over { 0 } else { random.below(8) as u64 }, &home, &sky, &mut random);
            outages += u64::from(sky.out.load(SeqCst) > 0);
            next += 4 + random.below(12);
        }
        match random.below(4) {
            0 => place.write_image(&["casino.example", "turned.example"]),
            1 => place.write_image(&["casino.example"]),
            2 => fs::write(place.path("x.gfi"), "half of an image").unwrap(),
            _ => {
                let word = ["allow", "deny"][random.below(2)];
                let mut command = Command::new(env!("CARGO_BIN_EXE_gardefou"));
                command.args([word, "turned.example", "--for", "1s", "--admin"]);
                let output = command.arg(place.path("admin.sock")).output().unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
        }
        if random.below(2) == 0 {
            server.process.signal("HUP");
        }
        peak_kb = peak_kb.max(memory_kb(&server));
        let mut all = threads.iter().chain(&upstreams);
        assert!(!all.any(|thread| thread.is_finished()), "somebody saw a mistake");
        thread::sleep(Duration::from_millis(700));
    }
    fail(0, &home, &sky, &mut random);
    sky.is_over.store(true, SeqCst);
    for thread in threads {
        thread.join().unwrap();
    }
    let status = server.status();
    server.process.signal("TERM");
    assert_eq!(server.process.code(), Some(0));
    let said = server.process.hear_out();
    for word in ["casino", "open.example", "turned", "cloaked"] {
        assert!(!said.contains(word), "it says a name:\n{said}");
    }
    let counters = home.counters();
    let count = |number: &AtomicU64| number.load(SeqCst);
    eprintln!(
        "{seconds} s: {} answers after at most {} tries; {outages} outages, {} of all upstreams, \
         {} tries excused; {} images; {} of nonsense; at most {peak_kb} kB; packets {counters:?}; {}",
        count(&sky.answered),
        count(&sky.tries) + 1,
        count(&sky.darkness) / 2,
        count(&sky.excused),
        place.images.get(),
        count(&sky.nonsense),
        status["counters"],
    );
    assert_eq!(count(&sky.leaks), 0, "upstreams were asked about protected names");
    assert!(status["counters"]["strangers"].as_u64().unwrap() > 0, "nothing forged came in");
    assert!(counters.values().all(|&packets| packets > 0), "links did nothing: {counters:?}");
    assert!(peak_kb < MEMORY_MAX_KB, "{peak_kb} kB");
}
