//! `gardefou gateway`: the real firmware in a real QEMU, asked over a real network. Its answers are
//! those of the engine on the host, octet by octet. Wants qemu-system-arm, without which all of this
//! is left out.
#![cfg(target_os = "linux")]

#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/board.rs"]
mod board;
mod common;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/conversation.rs"]
mod conversation;
#[allow(unreachable_pub, reason = "a part of this runner")]
#[path = "common/dns.rs"]
mod dns;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/live.rs"]
mod live;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/script.rs"]
mod script;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/server.rs"]
mod server;

use std::collections::VecDeque;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use board::Board;
use common::{Random, data};
use conversation::{Conversation, Done, Server};
use filter_core::gateway::Transport;
use live::{Live, Running};
use server::{Place, ask, client, is_installed, upstream};

const NXDOMAIN: u16 = 3;
/// Octets of a header (RFC 1035 section 4.1.1), and of the id it begins with.
const HEADER_LEN: usize = 12;
const ID_LEN: usize = 2;

fn has_qemu() -> bool {
    is_installed("qemu-system-arm")
}

#[test]
fn dig_sees_what_is_blocked_and_what_is_not() {
    if !has_qemu() || !is_installed("dig") {
        return;
    }
    let arguments = ["--upstream", &upstream(), "--operator", "School"];
    let mut board = Board::boot(Place::new(&["casino.example"]), &arguments);
    for transport in ["+notcp", "+tcp"] {
        let blocked = board.dig(&["www.casino.example", "A", transport]);
        assert!(blocked.contains("status: NXDOMAIN"), "{blocked}");
        assert!(blocked.contains("EDE: 15 (Blocked): (gambling, School)"), "{blocked}");
        let answer = board.dig(&["school.example", transport]);
        assert!(answer.contains("status: NOERROR") && answer.contains("192.0.2.1"), "{answer}");
    }
    // Too long for a datagram on both sides: asked over TCP, and answered so.
    let big = board.dig(&["big.example", "+short"]);
    assert_eq!(big.lines().filter(|line| line.starts_with("192.0.2.")).count(), 100, "{big}");

    board.process.signal("INT");
    assert_eq!(board.process.code(), Some(0));
    assert!(!board.process.said.contains("school.example"), "{}", board.process.said);
    UdpSocket::bind(board.address).expect("QEMU has ended, too");
}

#[test]
fn an_image_that_is_not_sound_is_not_gone_by() {
    if !has_qemu() {
        return;
    }
    for (way, expected) in [("closed", "SERVFAIL"), ("open", "NOERROR")] {
        let place = Place::new(&["casino.example"]);
        let mut image = fs::read(place.path("x.gfi")).unwrap();
        *image.last_mut().unwrap() ^= 1;
        fs::write(place.path("x.gfi"), image).unwrap();
        let board = Board::boot(place, &["--upstream", &upstream(), "--without-image", way]);
        let answer = ask(&client(board.address), "casino.example.");
        assert_eq!(dns::rcode_word(answer.rcode), expected, "{answer:?}");
    }
}

#[test]
fn a_manifest_is_built_with_its_policy() {
    if !has_qemu() {
        return;
    }
    let place = Place::new(&[]);
    fs::write(place.path("names"), "casino.example\nbet.example\n").unwrap();
    let policy =
        "schema = 1\n[[profile]]\nid = \"all\"\nblock = [\"gambling\"]\nanswer = \"refused\"\n";
    fs::write(place.path("policy.toml"), policy).unwrap();
    let manifest = format!(
        "schema = 1\n[categories]\npath = {:?}\n[policy]\npath = \"policy.toml\"\n\
        [[list]]\nid = \"demo\"\ncategory = \"gambling\"\npath = \"names\"\nformat = \"domains\"\n",
        fs::canonicalize("../blocklists/categories.toml").unwrap()
    );
    fs::write(place.path("gardefou.toml"), manifest).unwrap();
    let (config, cache) = (place.path("gardefou.toml"), place.path("cache"));
    let (config, cache) = (config.to_str().unwrap(), cache.to_str().unwrap());
    let arguments = ["--upstream", &upstream(), "--config", config, "--cache", cache];
    let board = Board::boot_with(place, &arguments);
    for (name, expected) in [("www.bet.example.", "REFUSED"), ("school.example.", "NOERROR")] {
        let answer = ask(&client(board.address), name);
        assert_eq!(dns::rcode_word(answer.rcode), expected, "{answer:?}");
    }
}

#[test]
fn nonsense_does_not_stop_it() {
    if !has_qemu() {
        return;
    }
    let board = Board::boot(Place::new(&["casino.example"]), &["--upstream", &upstream()]);
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for turn in 0..20 {
        // From many ports, most of it more than the budget of a client.
        let socket = client(board.address);
        for _ in 0..100 {
            let len = random.below(1500);
            let octets: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
            socket.send(&octets).unwrap();
        }
        if turn % 5 == 0 {
            // And a connection that says half a message and no more.
            let mut stream = server::stream(board.address);
            std::io::Write::write_all(&mut stream, &[1, 0, 7]).unwrap();
        }
    }
    assert_eq!(ask(&client(board.address), "casino.example.").rcode, NXDOMAIN);
    assert_eq!(ask(&client(board.address), "school.example.").rcode, 0);
}

/// Those that `serve.rs` holds, too.
#[test]
fn conversations_go_as_on_the_host() {
    if !has_qemu() {
        return;
    }
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
        let steps = text.find("STEP").unwrap();
        Conversation::replay(name, &text, &|conversation| {
            let live = Live::new(conversation.image(), &conversation.upstreams, Board::boot);
            let twins = Twins::new(live, Conversation::new(&text[..steps]));
            conversation.server = Some(Box::new(twins));
        });
    }
}

impl Running for Board {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn counter(&self, name: &str) -> u64 {
        panic!("the board does not tell about {name}")
    }
}

/// A board and the engine of the host, told the same: they must do the same, up to what each draws
/// by chance for its questions.
struct Twins {
    board: Live<Board>,
    host: Conversation,
    /// What the host did and the board has not yet done.
    due: VecDeque<Done>,
    /// The questions of both, by the board's numbers.
    asked: Vec<(Done, Done)>,
}

impl Twins {
    fn new(board: Live<Board>, host: Conversation) -> Twins {
        Twins { board, host, due: VecDeque::new(), asked: Vec::new() }
    }
}

impl Server for Twins {
    fn query(&mut self, who: &str, transport: Transport, octets: &[u8]) {
        self.due.extend(self.host.query_octets(who, transport, 0, octets));
        self.board.query(who, transport, octets);
    }

    /// The host gets the same answer, as it would be to its own question.
    fn answer(&mut self, number: u16, octets: &[u8]) {
        let asked = &self.asked[usize::from(number)];
        let (
            Done::Ask { octets: of_board, .. },
            Done::Ask { to, transport, port, octets: of_host },
        ) = asked
        else {
            unreachable!("only questions are kept")
        };
        let mut mirrored = octets.to_vec();
        for ((octet, board), host) in mirrored.iter_mut().zip(of_board).zip(of_host).take(ID_LEN) {
            *octet ^= board ^ host;
        }
        // The question, in the letters the host has drawn.
        let letters = mirrored.iter_mut().zip(of_board).zip(of_host).skip(HEADER_LEN);
        for ((octet, _), host) in letters.take_while(|((octet, board), _)| octet == board) {
            *octet = *host;
        }
        self.due.extend(self.host.answer(to.ip(), *transport, *port, &mirrored));
        self.board.answer(number, octets);
    }

    fn next(&mut self, patience: Duration) -> Option<Done> {
        let done = self.board.next(patience)?;
        let due = self.due.pop_front().unwrap_or_else(|| panic!("the board alone did {done:?}"));
        match (&done, &due) {
            (Done::Reply { .. }, Done::Reply { .. }) => assert_eq!(done, due),
            (
                Done::Ask { to, transport, .. },
                Done::Ask { to: due_to, transport: due_transport, .. },
            ) => {
                assert_eq!((to, transport), (due_to, due_transport));
                self.asked.push((done.clone(), due));
            }
            _ => panic!("the board did {done:?}\nand the host {due:?}"),
        }
        Some(done)
    }

    fn counter(&self, name: &str) -> u64 {
        self.host.counter(name)
    }
}
