//! `gardefou serve`, the real binary: real clients and upstreams where they are installed, reloads
//! under load, streams, nonsense, and what an operator sees. Everything happens on loopback.
#![cfg(target_os = "linux")]

mod common;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/conversation.rs"]
mod conversation;
#[allow(unreachable_pub, reason = "a part of this runner")]
#[path = "common/dns.rs"]
mod dns;
#[allow(unreachable_pub, reason = "a part of this runner")]
#[path = "common/live.rs"]
mod live;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/script.rs"]
mod script;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/server.rs"]
mod server;

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{Random, data};
use conversation::Conversation;
use dns::Message;
use live::Live;
use server::{
    PATIENCE, Place, Process, Server, ask, client, framed, free_port, is_installed, query,
    read_framed, upstream,
};

const NXDOMAIN: u16 = 3;

fn dig(server: &Server, arguments: &[&str]) -> String {
    let (ip, port) = (server.address.ip().to_string(), server.address.port().to_string());
    let mut command = Command::new("dig");
    command.args([&format!("@{ip}"), "-p", &port, "+time=5", "+tries=1"]).args(arguments);
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

#[test]
fn dig_sees_what_is_blocked_and_what_is_not() {
    if !is_installed("dig") {
        return;
    }
    let place = Place::new(&["casino.example"]);
    let mut server = Server::start(&place, &["--upstream", &upstream(), "--operator", "School"]);
    let blocked = dig(&server, &["www.casino.example", "A"]);
    assert!(blocked.contains("status: NXDOMAIN"), "{blocked}");
    assert!(blocked.contains("EDE: 15 (Blocked): (gambling, School)"), "{blocked}");
    for arguments in [&["school.example"][..], &["school.example", "+tcp"]] {
        let answer = dig(&server, arguments);
        assert!(answer.contains("status: NOERROR") && answer.contains("192.0.2.1"), "{answer}");
    }
    let big = dig(&server, &["big.example", "+short"]);
    assert_eq!(big.lines().filter(|line| line.starts_with("192.0.2.")).count(), 100, "{big}");
    server.process.signal("TERM");
    assert_eq!(server.process.code(), Some(0));
    assert!(!server.process.said.contains("school.example"), "{}", server.process.said);
}

#[test]
fn unbound_and_dnsmasq_are_asked() {
    let place = Place::new(&["casino.test"]);
    if is_installed("unbound") {
        let port = free_port();
        let conf = format!(
            "server:\n interface: 127.0.0.1@{port}\n do-daemonize: no\n username: \"\"\n \
             chroot: \"\"\n directory: \".\"\n pidfile: \"\"\n use-syslog: no\n \
             local-zone: \"test.\" static\n local-data: \"www.test. 60 IN A 192.0.2.77\"\n\
             remote-control:\n control-enable: no\n"
        );
        fs::write(place.path("unbound.conf"), conf).unwrap();
        let mut command = Command::new("/usr/sbin/unbound");
        command.arg("-d").arg("-c").arg(place.path("unbound.conf"));
        asks(&place, &mut command, port, "192.0.2.77");
    }
    if is_installed("dnsmasq") {
        let port = free_port();
        let mut command = Command::new("/usr/sbin/dnsmasq");
        command.args([
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
        ]);
        command.args(["--listen-address=127.0.0.1", "--bind-interfaces", "--user="]);
        command.args([&format!("--port={port}"), "--address=/test/192.0.2.78", "--pid-file="]);
        asks(&place, &mut command, port, "192.0.2.78");
    }
}

/// Those of `gateway.rs` that need no clock of their own, one policy, and upstreams that are not
/// imitated by somebody else.
#[test]
fn conversations_go_as_written() {
    for name in [
        "any",
        "cache_kinds",
        "cloaking",
        "edns_and_errors",
        "nothing_below",
        "truncation",
        "two_opts",
    ] {
        let text = fs::read_to_string(data(&format!("dns/{name}.rpl"))).unwrap();
        Conversation::replay(name, &text, &|conversation| {
            let (image, upstreams) = (conversation.image(), &conversation.upstreams);
            let live = Live::new(image, upstreams, |place, arguments| {
                (Server::start(&place, arguments), place)
            });
            conversation.server = Some(Box::new(live));
        });
    }
}

/// Asks this upstream about a name, until it has started; what is blocked it is not asked.
fn asks(place: &Place, command: &mut Command, port: u16, expected: &str) {
    let _upstream = Process::start(command);
    let server = Server::start(place, &["--upstream", &format!("127.0.0.1:{port}")]);
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = server.ask("www.test.");
        if answer.sections[0].iter().any(|record| record.ends_with(expected)) {
            break;
        }
        assert!(Instant::now() < end, "{answer:?}");
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(server.ask("casino.test.").rcode, NXDOMAIN);
}

/// A thousand queries a second while the image changes again and again: each has its answer, and
/// none that was sent after a reload is answered by the image before.
#[test]
fn reloads_lose_nothing_and_leave_nothing_behind() {
    let place = Place::new(&["casino.example"]);
    let upstream = upstream();
    let limits = ["--queries-per-second", "0", "--names-per-second", "0"];
    let mut server = Server::start(&place, &[&["--upstream", &upstream][..], &limits].concat());
    let stream = Stream::start(&server, 5000);
    // When each state of `toggled.example` is known to hold, and whether it is blocked then.
    let mut states = vec![(Instant::now(), false)];
    for turn in 0..8 {
        thread::sleep(Duration::from_millis(400));
        let is_blocked = turn % 2 == 0;
        let toggled = if is_blocked {
            &["casino.example", "toggled.example"][..]
        } else {
            &["casino.example"]
        };
        let began = Instant::now();
        place.write_image(toggled);
        // The last two are noticed without being told.
        if turn < 6 {
            server.process.signal("HUP");
        }
        // By its serial, because the signal may come when the file has been noticed already.
        server.process.wait_for(&format!("serial {},", place.images.get()));
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        states.push((Instant::now(), is_blocked));
    }
    let answers = stream.finish();
    let mut lost = 0;
    for (sent, received) in &answers {
        let Some((received, rcode)) = received else {
            lost += 1;
            continue;
        };
        // A state began some time before it was known to: the next one may hold already.
        let first = states.iter().rposition(|(since, _)| since <= sent).unwrap_or(0);
        let last = states.iter().position(|(since, _)| since > received);
        let last = last.unwrap_or(states.len() - 1);
        let is_blocked = *rcode == NXDOMAIN;
        let may = states[first..=last].iter().any(|(_, state)| *state == is_blocked);
        assert!(may, "an answer of an image that was replaced");
    }
    assert_eq!(lost, 0, "of {} queries", answers.len());
    assert_eq!(server.status()["counters"]["failed"], 0);
}

/// Queries for `toggled.example`, one each millisecond.
struct Stream {
    sender: thread::JoinHandle<Vec<Instant>>,
    receiver: thread::JoinHandle<HashMap<u16, (Instant, u16)>>,
}

impl Stream {
    fn start(server: &Server, count: u16) -> Stream {
        let socket = server.client();
        socket.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
        let receiving = socket.try_clone().unwrap();
        let receiver = thread::spawn(move || {
            let (mut buffer, mut answers) = ([0; 4096], HashMap::new());
            while answers.len() < count.into() {
                let Ok(len) = receiving.recv(&mut buffer) else { break };
                let message = Message::from_octets(&buffer[..len]);
                answers.insert(message.id, (Instant::now(), message.rcode));
            }
            answers
        });
        let sender = thread::spawn(move || {
            let began = Instant::now();
            let send = |id: u16| {
                let due = began + Duration::from_millis(id.into());
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let now = Instant::now();
                socket.send(&query(id, "www.toggled.example.")).unwrap();
                now
            };
            (0..count).map(send).collect()
        });
        Stream { sender, receiver }
    }

    /// When each query was sent, and when and how it was answered.
    fn finish(self) -> Vec<(Instant, Option<(Instant, u16)>)> {
        let sent = self.sender.join().unwrap();
        let answers = self.receiver.join().unwrap();
        (0u16..).zip(sent).map(|(id, sent)| (sent, answers.get(&id).copied())).collect()
    }
}

#[test]
fn a_bad_image_is_reported_and_the_old_one_stays() {
    let place = Place::new(&["casino.example"]);
    let mut server = Server::start(&place, &["--upstream", &upstream()]);
    fs::write(place.path("x.gfi"), "half of an image").unwrap();
    server.process.wait_for("nothing is loaded anew, what there was stays");
    server.process.wait_for("hint: build it again");
    assert_eq!(server.ask("casino.example.").rcode, NXDOMAIN);
    assert!(server.status()["image"]["failure"].as_str().unwrap().contains("x.gfi"));
    fs::remove_file(place.path("x.gfi")).unwrap();
    thread::sleep(Duration::from_millis(1200));
    assert_eq!(server.ask("casino.example.").rcode, NXDOMAIN);
    place.write_image(&["other.example"]);
    server.process.wait_for("serving image");
    assert_eq!(server.ask("casino.example.").rcode, 0);
    assert_eq!(server.ask("other.example.").rcode, NXDOMAIN);
    assert!(server.status()["image"]["failure"].is_null());
}

#[test]
fn streams_are_pipelined_and_bounded() {
    let place = Place::new(&["casino.example"]);
    let server = Server::start(&place, &["--upstream", &upstream()]);
    // Three queries at once, the first of which takes longest; and more than can wait for a reader.
    let mut stream = server.stream();
    let names = ["big.example.", "www.casino.example.", "casino.example."];
    let octets: Vec<u8> =
        (1..).zip(names).flat_map(|(id, name)| framed(&query(id, name))).collect();
    stream.write_all(&octets).unwrap();
    let mut replies: Vec<Message> =
        (0..3).map(|_| Message::from_octets(&read_framed(&mut stream).unwrap())).collect();
    replies.sort_by_key(|reply| reply.id);
    assert_eq!(replies[0].sections[0].len(), 100);
    assert_eq!((replies[1].rcode, replies[2].rcode), (NXDOMAIN, NXDOMAIN));
    let octets: Vec<u8> = (0..60).flat_map(|id| framed(&query(id, "casino.example."))).collect();
    stream.write_all(&octets).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let count = std::iter::from_fn(|| read_framed(&mut stream)).count();
    assert_eq!(count, 60, "whoever says no more is still answered");

    // Over UDP, what does not fit is said to be truncated.
    let reply = server.ask("big.example.");
    assert!(reply.tc && reply.sections[0].is_empty());

    // A client that sends half of a query on all connections it can have keeps nobody else out.
    let slow: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = server.stream();
            let _ = stream.write_all(&[0]);
            stream
        })
        .collect();
    let end = Instant::now() + PATIENCE;
    while server.status()["connections"] != 8 {
        assert!(Instant::now() < end, "{}", server.status());
    }
    let other = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    other.bind(&std::net::SocketAddr::from(([127, 0, 0, 9], 0)).into()).unwrap();
    other.connect(&server.address.into()).unwrap();
    let mut other = TcpStream::from(other);
    other.set_read_timeout(Some(PATIENCE)).unwrap();
    other.write_all(&framed(&query(1, "casino.example."))).unwrap();
    assert!(read_framed(&mut other).is_some());
    assert_eq!(server.ask("casino.example.").rcode, NXDOMAIN);
    // After a while they are closed.
    let mut first = &slow[0];
    assert_eq!(first.read(&mut [0]).unwrap(), 0);
}

#[test]
fn nonsense_does_no_harm() {
    let place = Place::new(&["casino.example"]);
    let server = Server::start(&place, &["--upstream", &upstream(), "--queries-per-second", "0"]);
    let socket = server.client();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for turn in 0..20_000 {
        let mut octets = query(turn as u16, "www.casino.example.");
        for _ in 0..1 + random.below(4) {
            let at = random.below(octets.len());
            octets[at] = random.below(256) as u8;
        }
        octets.truncate(random.below(octets.len() + 1));
        socket.send(&octets).unwrap();
        if turn % 500 == 0 {
            let mut stream = server.stream();
            let _ = stream.write_all(&octets);
        }
    }
    assert_eq!(server.ask("casino.example.").rcode, NXDOMAIN);
    assert_eq!(server.ask("school.example.").rcode, 0);
}

#[test]
fn replies_leave_from_the_address_that_was_asked() {
    let place = Place::new(&["casino.example"]);
    let mut command = Server::command(&place);
    command.args(["--listen", "0.0.0.0:0", "--listen", "[::]:0", "--workers", "2"]);
    let server = Server::ready(&place, command.args(["--upstream", &upstream()]));
    let port = server.address.port();
    for last in 1..=8 {
        let socket = client(([127, 0, 0, last], port).into());
        assert_eq!(ask(&socket, "casino.example.").rcode, NXDOMAIN);
        assert_eq!(ask(&socket, "school.example.").rcode, 0);
    }
    let ipv6 = server.status()["listen"][1].as_str().unwrap().replace("[::]", "[::1]");
    assert_eq!(ask(&client(ipv6.parse().unwrap()), "casino.example.").rcode, NXDOMAIN);
    assert_eq!(server.status()["workers"], 2);
}

#[test]
fn an_operator_sees_numbers_and_no_names() {
    let place = Place::new(&["casino.example"]);
    let (upstream, metrics) = (upstream(), format!("127.0.0.1:{}", free_port()));
    let answers = ["--categories", "gambling", "--answer", "gambling=null"];
    let arguments = [&["--upstream", &upstream, "--metrics", &metrics][..], &answers].concat();
    let mut server = Server::start(&place, &arguments);
    let reply = server.ask("www.casino.example.");
    assert!(reply.sections[0][0].ends_with("0.0.0.0"), "{reply:?}");
    server.ask("school.example.");
    let status = server.status();
    assert_eq!(status["counters"]["blocked"]["gambling"], 1);
    assert_eq!(status["upstreams"][0]["up"], true);
    let text = server.status_as(&[]);
    assert!(text.contains("1  gambling") && text.contains(" up\n"), "{text}");

    let mut stream = TcpStream::connect(&metrics).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: gardefou\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("\ngardefou_blocked_total{category=\"gambling\"} 1\n"), "{text}");
    server.process.signal("INT");
    assert_eq!(server.process.code(), Some(0));
    for seen in [&text, &status.to_string(), &server.process.said] {
        assert!(!seen.contains("casino") && !seen.contains("school"), "{seen}");
    }
    assert!(!place.path("admin.sock").exists());
}

#[test]
fn mistakes_have_a_hint() {
    let place = Place::new(&["casino.example"]);
    let server = Server::start(&place, &["--upstream", &upstream()]);
    let address = server.address.to_string();
    let absent = place.path("absent.gfi");
    let absent = absent.to_str().unwrap();
    for (arguments, words) in [
        (&["--image", absent, "--listen", &address][..], "gardefou build -o"),
        (&["--listen", &address, "--upstream", "192.0.2.1"], "who is listening already"),
        (&["--listen", "127.0.0.1:5399", "--upstream", "127.0.0.1:5399"], "is this server itself"),
        (&["--categories", "nonsense", "--upstream", "192.0.2.1"], "its categories are"),
        (&["--answer", "later"], "none of nxdomain"),
        (&["--upstream", "dns.example"], "is no address"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gardefou"));
        command.arg("serve").args(arguments);
        if !arguments.contains(&"--image") {
            command.arg("--image").arg(place.path("x.gfi"));
        }
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
}

#[test]
fn systemd_is_told_and_its_sockets_are_used() {
    let place = Place::new(&["casino.example"]);
    let notify = UnixDatagram::bind(place.path("notify.sock")).unwrap();
    notify.set_read_timeout(Some(PATIENCE)).unwrap();
    let passed = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = passed.local_addr().unwrap();
    // A shell, because the process has to know its own number and the socket has to be the third.
    let mut command = Command::new("sh");
    command.args(["-c", "export LISTEN_PID=$$; exec \"$@\" 3<&0", "sh"]);
    command.arg(env!("CARGO_BIN_EXE_gardefou")).args(["serve", "--image"]).arg(place.path("x.gfi"));
    command.arg("--admin").arg(place.path("admin.sock")).args(["--upstream", &upstream()]);
    command.env("LISTEN_FDS", "1").env("WATCHDOG_USEC", "200000");
    command.env("NOTIFY_SOCKET", place.path("notify.sock"));
    command.stdin(Stdio::from(OwnedFd::from(passed)));
    let mut server = Server::ready(&place, &mut command);
    assert_eq!(server.address, address);
    assert_eq!(server.ask("casino.example.").rcode, NXDOMAIN);
    let hear = |words: &str| {
        let mut buffer = [0; 256];
        loop {
            let len = notify.recv(&mut buffer).unwrap_or_else(|_| panic!("no {words}"));
            if String::from_utf8_lossy(&buffer[..len]).contains(words) {
                return;
            }
        }
    };
    hear("READY=1");
    hear("WATCHDOG=1");
    server.process.signal("HUP");
    hear("RELOADING=1");
    hear("READY=1");
    server.process.signal("TERM");
    hear("STOPPING=1");
    assert_eq!(server.process.code(), Some(0));
}

/// As root: the process is somebody else's when it serves.
#[test]
fn privileges_are_given_up() {
    let place = Place::new(&["casino.example"]);
    let own = fs::read_to_string("/proc/self/status").unwrap();
    if !own.lines().any(|line| line.starts_with("Uid:\t0\t")) {
        eprintln!("skipped: only root can become somebody else");
        return;
    }
    let server = Server::start(&place, &["--upstream", &upstream(), "--user", "nobody"]);
    let path = format!("/proc/{}/status", server.process.id());
    let status = fs::read_to_string(path).unwrap();
    let user = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
    assert!(!user.split_whitespace().any(|word| word == "0"), "{user}");
    assert_eq!(server.ask("casino.example.").rcode, NXDOMAIN);
}
