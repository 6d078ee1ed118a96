//! `gardefou serve`, the real binary, for SOAK_SECONDS (20): clients ask while upstreams lose packets
//! and fail, answers are forged, connections stay half open, nonsense comes in, and image and
//! overrides change. No protected name leaks, and no allowed one is lost. On loopback, with upstreams
//! that lose packets by themselves.
#![cfg(target_os = "linux")]

mod common;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/dns.rs"]
mod dns;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/server.rs"]
mod server;

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use common::Random;
use dns::Message;
use server::{Place, Server, framed, pair, query, read_framed};

const RIGHT: &str = "192.0.2.1";
const LEAKED: &str = "192.0.2.66";
const FORGED: &str = "203.0.113.66";
/// So long a client waits for an answer before it asks again, and so long in all: time for several
/// outages to begin and end, and for a failure to be forgotten (RFC 9520).
const TRY: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(20);
const MEMORY_MAX_KB: u64 = 64 * 1024;

/// What happens to upstreams, and what was seen.
#[derive(Default)]
struct Sky {
    loss_percent: AtomicU64,
    /// One bit for each upstream that does not answer.
    out: AtomicU64,
    /// Odd while none answers.
    darkness: AtomicU64,
    is_over: AtomicBool,
    /// Protected names upstreams were asked about.
    leaks: AtomicU64,
    answered: AtomicU64,
    excused: AtomicU64,
    nonsense: AtomicU64,
}

fn upstream(number: u64, sky: &Arc<Sky>) -> String {
    let (address, udp, tcp) = pair();
    let seen = Arc::clone(sky);
    thread::spawn(move || {
        let (mut buffer, mut random) = ([0; 4096], Random(number + 77));
        while let Ok((len, from)) = udp.recv_from(&mut buffer) {
            let is_lost = random.below(100) < seen.loss_percent.load(SeqCst) as usize;
            let right = answer(&buffer[..len], RIGHT, true, &seen);
            if is_lost || seen.out.load(SeqCst) >> number & 1 == 1 {
                continue;
            }
            // From the right address and port: with another id, and cut off.
            if random.below(3) == 0 {
                let mut forged = answer(&buffer[..len], FORGED, true, &seen);
                forged[1] ^= 1 + random.below(255) as u8;
                let _ = udp.send_to(&forged, from);
                let _ = udp.send_to(&right[..random.below(right.len())], from);
            }
            // From elsewhere.
            if let Ok(forger) = UdpSocket::bind("127.0.0.66:0") {
                let _ = forger.send_to(&answer(&buffer[..len], FORGED, true, &seen), from);
            }
            let _ = udp.send_to(&right, from);
        }
    });
    let seen = Arc::clone(sky);
    thread::spawn(move || {
        for mut stream in tcp.incoming().map_while(Result::ok) {
            let _ = stream.set_read_timeout(Some(TRY));
            if seen.out.load(SeqCst) >> number & 1 == 1 {
                continue;
            }
            if let Some(message) = read_framed(&mut stream) {
                let _ = stream.write_all(&framed(&answer(&message, RIGHT, false, &seen)));
            }
        }
    });
    address.to_string()
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

/// Asks until there is an answer that is not a failure of ours.
fn ask(server: SocketAddr, name: &str, random: &mut Random) -> Option<Message> {
    let socket = server::client(server);
    socket.set_read_timeout(Some(TRY)).unwrap();
    let mut buffer = [0; 4096];
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let id = random.below(65_536) as u16;
        socket.send(&query(id, name)).unwrap();
        while let Ok(len) = socket.recv(&mut buffer) {
            let message = Message::from_octets(&buffer[..len]);
            match (message.id == id, message.rcode) {
                (false, _) => {}
                (true, 2) => {
                    thread::sleep(TRY);
                    break;
                }
                (true, _) => return Some(message),
            }
        }
    }
    None
}

fn live(number: u64, server: SocketAddr, sky: &Sky) {
    let mut random = Random(number * 7919 + 1);
    while !sky.is_over.load(SeqCst) {
        let n = random.below(300);
        let before = sky.darkness.load(SeqCst);
        let name = match random.below(8) {
            0 | 1 => format!("n{n}.CaSino.example."),
            2 => format!("cloaked{n}.open.example."),
            3 => format!("n{n}.turned.example."),
            4 => format!("big{n}.open.example."),
            _ => format!("n{n}.open.example."),
        };
        let message = ask(server, &name, &mut random);
        let is_dark = before % 2 == 1 || sky.darkness.load(SeqCst) != before;
        let is_listed = name.contains("CaSino");
        let Some(message) = message else {
            assert!(is_dark && !is_listed, "lost: {name}");
            sky.excused.fetch_add(1, SeqCst);
            continue;
        };
        sky.answered.fetch_add(1, SeqCst);
        let blocked = message.edns.as_ref().is_some_and(|edns| {
            edns.errors.iter().any(|error| error.starts_with("15 ") || error.starts_with("17 "))
        });
        let is_empty = message.sections[0].is_empty();
        if is_listed || name.starts_with("cloaked") {
            let rcode = if is_listed { 3 } else { 0 };
            assert!(blocked && is_empty && message.rcode == rcode, "leaked: {message:?}");
        } else if !(name.contains("turned") && blocked && is_empty) {
            let records = &message.sections[0];
            assert!(records.len() == 1 && records[0].ends_with(RIGHT), "{message:?}");
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// A thousand messages a second that are none, and connections on which nothing more comes.
fn disturb(server: SocketAddr, sky: &Sky) {
    let (mut random, mut held) = (Random(0x9E37_79B9), Vec::new());
    let socket = UdpSocket::bind("127.0.0.7:0").unwrap();
    while !sky.is_over.load(SeqCst) {
        for _ in 0..20 {
            let mut octets = query(random.below(65_536) as u16, "www.casino.example.");
            for _ in 0..1 + random.below(4) {
                let at = random.below(octets.len());
                octets[at] = random.below(256) as u8;
            }
            octets.truncate(random.below(octets.len() + 1));
            let _ = socket.send_to(&octets, server);
            sky.nonsense.fetch_add(1, SeqCst);
        }
        if random.below(10) == 0
            && let Ok(mut stream) = std::net::TcpStream::connect_timeout(&server, TRY)
        {
            let _ = stream.write_all(&[0]);
            held.push(stream);
            held.drain(..held.len().saturating_sub(64));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn memory_kb(server: &Server) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", server.process.id())).unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn nothing_leaks_and_nothing_is_lost() {
    let seconds = std::env::var("SOAK_SECONDS").map_or(20, |text| text.parse().unwrap());
    let sky = Arc::new(Sky::default());
    let upstreams: Vec<String> = (0..3).map(|number| upstream(number, &sky)).collect();
    let place = Place::new(&["casino.example"]);
    let mut arguments = vec!["--queries-per-second", "5000", "--names-per-second", "2000"];
    arguments.extend(upstreams.iter().flat_map(|address| ["--upstream", address]));
    let mut server = Server::start(&place, &arguments);
    let address = server.address;
    let mut threads: Vec<_> = (0..6)
        .map(|number| {
            let sky = Arc::clone(&sky);
            thread::spawn(move || live(number, address, &sky))
        })
        .collect();
    let seen = Arc::clone(&sky);
    threads.push(thread::spawn(move || disturb(address, &seen)));

    let mut random = Random(42);
    let (end, mut peak_kb) = (Instant::now() + Duration::from_secs(seconds), 0);
    for turn in 0.. {
        if Instant::now() > end {
            break;
        }
        sky.loss_percent.store([0, 5, 15, 30][random.below(4)], SeqCst);
        // An outage of nearly three seconds is longer than the first two waits for an answer.
        if turn % 4 == 0 {
            let out = random.below(8) as u64;
            sky.out.store(out, SeqCst);
            let was_dark = sky.darkness.load(SeqCst) % 2 == 1;
            if was_dark != (out == 7) {
                sky.darkness.fetch_add(1, SeqCst);
            }
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
        assert!(!threads.iter().any(|thread| thread.is_finished()), "somebody saw a mistake");
        thread::sleep(Duration::from_millis(700));
    }
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
    let count = |number: &AtomicU64| number.load(SeqCst);
    eprintln!(
        "{seconds} s: {} answers, {} excused, {} of nonsense, at most {peak_kb} kB; {}",
        count(&sky.answered),
        count(&sky.excused),
        count(&sky.nonsense),
        status["counters"],
    );
    assert_eq!(count(&sky.leaks), 0, "upstreams were asked about protected names");
    assert!(status["counters"]["strangers"].as_u64().unwrap() > 0, "nothing forged came in");
    assert!(peak_kb < MEMORY_MAX_KB, "{peak_kb} kB");
}
