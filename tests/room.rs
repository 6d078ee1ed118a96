//! What the firmware does for a room besides answers, on a real QEMU at a cable whose other end is
//! the test. Wants qemu-system-arm, without which all of this is left out.
#![cfg(target_os = "linux")]

#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/cable.rs"]
mod cable;
mod common;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/dns.rs"]
mod dns;
#[allow(unreachable_pub, reason = "a part of this runner")]
#[path = "common/firmware.rs"]
mod firmware;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/server.rs"]
mod server;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use cable::{BOARD, Cable, Datagram};
use common::Random;
use dns::Message;
use filter_core::compile::{Compiler, ListInfo};
use filter_core::policy::{ClientMatch, Days, Policy, PolicyBuilder, Schedule};
use filter_core::{Action, CategorySet, Scope};
use firmware::firmware;
use server::{is_installed, query};

const GAMBLING: CategorySet = CategorySet::of(20);
const NXDOMAIN: u16 = 3;
const NOERROR: u16 = 0;
/// Longer than the board takes for anything here, but the search for other servers.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(200);
/// The board has given up its search for other servers by then.
const SEARCH_TIME: Duration = Duration::from_secs(8);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const UPSTREAM: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 53), 53);
const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 40_000);
const DNS: SocketAddrV4 = SocketAddrV4::new(BOARD, 53);

/// Boots a board on which `casino.example` is blocked, from 8 to 9 o'clock if there are hours.
fn boot(has_hours: bool, settings: &str) -> Option<Cable> {
    let policy = has_hours.then(|| {
        let mut builder = PolicyBuilder::new();
        let profile = builder.profile("everyone", Policy::new(CategorySet::EMPTY)).unwrap();
        let (action, categories, days) = (Action::Block, GAMBLING, Days::of(0..7));
        let (from, to) = (8 * 60, 9 * 60);
        builder.schedule(Schedule { profile, action, categories, days, from, to });
        builder
    });
    boot_with(policy, settings)
}

/// Boots a board on which this policy says what it means that `casino.example` is about gambling.
fn boot_with(policy: Option<PolicyBuilder>, settings: &str) -> Option<Cable> {
    if !is_installed("qemu-system-arm") {
        return None;
    }
    let mut compiler = Compiler::new(1);
    compiler.category(20, "gambling").unwrap();
    let list = compiler.list(ListInfo::new("demo", GAMBLING)).unwrap();
    compiler.rule(&"casino.example".parse().unwrap(), Scope::Subtree, Action::Block, list).unwrap();
    if let Some(policy) = policy {
        compiler.policy(policy.finish().unwrap());
    }
    let settings = format!("upstream {}\n{settings}", UPSTREAM.ip());
    Some(Cable::plug(&firmware(), &compiler.finish().unwrap().octets, &settings))
}

/// Asks until there is an answer, and plays the upstream meanwhile; other datagrams are kept.
fn ask(cable: &mut Cable, name: &str, others: &mut Vec<Datagram>) -> Message {
    let end = Instant::now() + PATIENCE;
    let id = cable.number();
    while Instant::now() < end {
        cable.send(CLIENT, DNS, &query(id, name));
        while let Some(datagram) = cable.next(PAUSE) {
            if datagram.to == UPSTREAM {
                let mut answer = Message::from_octets(&datagram.octets);
                (answer.qr, answer.ra) = (true, true);
                answer.sections[0] = vec![format!("{name} 60 IN A 192.0.2.1")];
                cable.send(UPSTREAM, datagram.from, &answer.to_octets());
            } else if datagram.to == CLIENT {
                let answer = Message::from_octets(&datagram.octets);
                // There may be more to earlier attempts.
                if answer.id == id {
                    return answer;
                }
            } else {
                others.push(datagram);
            }
        }
    }
    panic!("no answer about {name}");
}

fn rcode(cable: &mut Cable, name: &str) -> u16 {
    ask(cable, name, &mut Vec::new()).rcode
}

// -- The time --------------------------------------------------------------------------------------

/// A datagram of SNTP for this request.
fn time_answer(request: &[u8], unix_s: u32) -> Vec<u8> {
    let mut answer = vec![0; 48];
    (answer[0], answer[1]) = (4 << 3 | 4, 2);
    answer[24..32].copy_from_slice(&request[40..48]);
    answer[40..44].copy_from_slice(&unix_s.wrapping_add(2_208_988_800).to_be_bytes());
    answer
}

#[test]
fn schedules_hold_by_the_time_of_a_server_but_not_of_a_forger() {
    let server = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 123), 123);
    let Some(mut cable) = boot(true, &format!("time {}\n", server.ip())) else { return };
    let mut others = Vec::new();
    assert_eq!(ask(&mut cable, "casino.example.", &mut others).rcode, NXDOMAIN);
    let request = others.into_iter().find(|datagram| datagram.to == server);
    let request = request.or_else(|| next_to(&mut cable, server, PATIENCE)).unwrap();
    let noon = time_answer(&request.octets, 1_800_014_400);
    let mut forged = noon.clone();
    forged[31] ^= 1;
    cable.send(server, request.from, &forged);
    let elsewhere = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 124), 123);
    cable.send(elsewhere, request.from, &noon);
    assert_eq!(rcode(&mut cable, "casino.example."), NXDOMAIN, "still strict");
    cable.send(server, request.from, &noon);
    let end = Instant::now() + PATIENCE;
    while rcode(&mut cable, "casino.example.") != NOERROR {
        assert!(Instant::now() < end, "it does not believe the server");
    }
}

/// The next datagram to an address; questions to the upstream get no answer.
fn next_to(cable: &mut Cable, to: SocketAddrV4, patience: Duration) -> Option<Datagram> {
    let end = Instant::now() + patience;
    // Ends with its patience.
    loop {
        let datagram = cable.next(end.saturating_duration_since(Instant::now()))?;
        if datagram.to == to {
            return Some(datagram);
        }
    }
}

// -- Addresses -------------------------------------------------------------------------------------

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACK: u8 = 5;
const NOBODY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68);
const ALL_SERVERS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::BROADCAST, 67);
const ALL_CLIENTS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::BROADCAST, 68);

/// A message of DHCP: fields that are not zero, and options.
fn dhcp(is_reply: bool, mac: u32, message_type: u8, options: &[(u8, [u8; 4])]) -> Vec<u8> {
    let mut octets = vec![0; 240];
    octets[..3].copy_from_slice(&[if is_reply { 2 } else { 1 }, 1, 6]);
    octets[4..8].copy_from_slice(&mac.to_be_bytes());
    octets[28] = 2;
    octets[30..34].copy_from_slice(&mac.to_be_bytes());
    octets[236..].copy_from_slice(&[99, 130, 83, 99]);
    octets.extend([53, 1, message_type]);
    for (code, value) in options {
        octets.extend([*code, 4]);
        octets.extend(value);
    }
    octets.push(255);
    octets
}

fn option(octets: &[u8], wanted: u8) -> Option<&[u8]> {
    let mut rest = octets.get(240..)?;
    while let [code, len, after @ ..] = rest {
        let (value, next) = after.split_at(usize::from(*len));
        match *code {
            255 => return None,
            code if code == wanted => return Some(value),
            _ => rest = next,
        }
    }
    None
}

fn is_of_type(octets: &[u8], message_type: u8) -> bool {
    option(octets, 53) == Some(&[message_type])
}

/// Says this until there is such a reply to it.
fn converse(
    cable: &mut Cable,
    said: &[u8],
    message_type: u8,
    patience: Duration,
) -> Option<Vec<u8>> {
    let end = Instant::now() + patience;
    while Instant::now() < end {
        cable.send(NOBODY, ALL_SERVERS, said);
        while let Some(heard) = next_to(cable, ALL_CLIENTS, PAUSE) {
            // The id is the same.
            if heard.octets[4..8] == said[4..8] && is_of_type(&heard.octets, message_type) {
                return Some(heard.octets);
            }
        }
    }
    None
}

#[test]
fn a_room_gets_addresses_and_a_flood_takes_none_away() {
    let settings = "lease 10.0.0.100-10.0.0.199\ncaptive-portal https://gardefou.example/api\n";
    let Some(mut cable) = boot(false, settings) else { return };
    assert_eq!(rcode(&mut cable, "casino.example."), NXDOMAIN);
    let patience = SEARCH_TIME + PATIENCE;
    let offer = converse(&mut cable, &dhcp(false, 1, DISCOVER, &[]), OFFER, patience).unwrap();
    let offered: [u8; 4] = offer[16..20].try_into().unwrap();
    assert!(offered[..3] == [10, 0, 0] && (100..=199).contains(&offered[3]), "{offered:?}");
    let request = dhcp(false, 1, REQUEST, &[(50, offered), (54, BOARD.octets())]);
    let ack = converse(&mut cable, &request, ACK, PATIENCE).unwrap();
    assert_eq!(ack[16..20], offered);
    assert_eq!(option(&ack, 6), Some(&BOARD.octets()[..]), "the gateway is the name server");
    assert_eq!(option(&ack, 3), Some(&ROUTER.octets()[..]));
    assert_eq!(option(&ack, 1), Some(&[255, 255, 255, 0][..]));
    assert_eq!(option(&ack, 54), Some(&BOARD.octets()[..]));
    assert_eq!(option(&ack, 114), Some(&b"https://gardefou.example/api"[..]));

    for mac in 2..5000 {
        cable.send(NOBODY, ALL_SERVERS, &dhcp(false, mac, DISCOVER, &[(50, offered)]));
    }
    assert_eq!(rcode(&mut cable, "casino.example."), NXDOMAIN);
    assert_eq!(rcode(&mut cable, "school.example."), NOERROR);
    let again = converse(&mut cable, &request, ACK, PATIENCE).unwrap();
    assert_eq!(again[16..20], offered, "whoever has an address keeps it");
    let new = converse(&mut cable, &dhcp(false, 9999, DISCOVER, &[]), OFFER, PATIENCE).unwrap();
    let new: [u8; 4] = new[16..20].try_into().unwrap();
    let request = dhcp(false, 9999, REQUEST, &[(50, new), (54, BOARD.octets())]);
    assert!(converse(&mut cable, &request, ACK, PATIENCE).is_some(), "and others get one");
}

#[test]
fn where_another_server_answers_the_board_gives_out_nothing() {
    let Some(mut cable) = boot(false, "lease 10.0.0.100-10.0.0.199\n") else { return };
    let search = next_to(&mut cable, ALL_SERVERS, PATIENCE).unwrap();
    assert!(is_of_type(&search.octets, DISCOVER));
    assert_eq!(search.octets[10] & 0x80, 0x80, "offers have to be sent to all");
    let mut offer = dhcp(true, 0, OFFER, &[(54, ROUTER.octets()), (51, [0, 0, 14, 16])]);
    offer[4..8].copy_from_slice(&search.octets[4..8]);
    offer[28..34].copy_from_slice(&search.octets[28..34]);
    offer[16..20].copy_from_slice(&[10, 0, 0, 77]);
    cable.send(SocketAddrV4::new(ROUTER, 67), ALL_CLIENTS, &offer);
    let discover = dhcp(false, 1, DISCOVER, &[]);
    assert_eq!(converse(&mut cable, &discover, OFFER, SEARCH_TIME), None);
    assert_eq!(rcode(&mut cable, "casino.example."), NXDOMAIN, "but it answers");
}

// -- Name and neighbors ----------------------------------------------------------------------------

#[test]
fn the_board_answers_to_its_name() {
    let Some(mut cable) = boot(false, "") else { return };
    assert_eq!(rcode(&mut cable, "casino.example."), NXDOMAIN);
    let group = SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 251), 5353);
    let asker = SocketAddrV4::new(*CLIENT.ip(), 5353);
    let name = b"\x08gardefou\x05local\0";
    let question =
        |class: &[u8; 2]| [b"\0\0\0\0\0\x01\0\0\0\0\0\0", &name[..], b"\0\x01", class].concat();
    let record = [&name[..], b"\0\x01\x80\x01\0\0\0\x78\0\x04", &BOARD.octets()].concat();
    for (class, to) in [(b"\0\x01", group), (b"\x80\x01", asker)] {
        cable.send(asker, group, &question(class));
        let answer = next_to(&mut cable, to, PATIENCE).unwrap();
        assert_eq!(answer.from, SocketAddrV4::new(BOARD, 5353));
        assert!(answer.octets.ends_with(&record), "{answer:?}");
    }
    let stranger = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 9), 5353);
    cable.send(stranger, group, &question(b"\x80\x01"));
    assert!(next_to(&mut cable, stranger, PAUSE).is_none(), "not of this link");
}

#[test]
fn who_is_not_there_keeps_no_one_else_from_an_answer() {
    let Some(mut cable) = boot(false, "") else { return };
    assert_eq!(rcode(&mut cable, "casino.example."), NXDOMAIN);
    let clients = (100..160).map(|last| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), 40_000));
    cable.absent.extend(clients.clone().map(|client| *client.ip()));
    for round in 1..=2 {
        for client in clients.clone() {
            cable.send(client, DNS, &query(round, "casino.example."));
            let answer = next_to(&mut cable, client, PATIENCE).unwrap();
            assert_eq!(Message::from_octets(&answer.octets).rcode, NXDOMAIN);
        }
    }
    assert_eq!(rcode(&mut cable, "casino.example."), NXDOMAIN);
}

#[test]
fn a_client_is_known_by_its_network_card() {
    let mut builder = PolicyBuilder::new();
    builder.profile("everyone", Policy::new(GAMBLING)).unwrap();
    let staff = builder.profile("staff", Policy::new(CategorySet::EMPTY)).unwrap();
    // The card of the client, whatever its address; and another one's.
    builder.client(ClientMatch::Mac([2, 0, 10, 0, 0, 9]), staff);
    builder.client(ClientMatch::Mac([2, 0, 10, 0, 0, 73]), staff);
    let Some(mut cable) = boot_with(Some(builder), "") else { return };
    assert_eq!(rcode(&mut cable, "casino.example."), NOERROR);
    // The second has the place in the board's table that the first had.
    for (last, expected) in [(10, NXDOMAIN), (73, NOERROR), (137, NXDOMAIN)] {
        let client = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), 40_000);
        cable.send(client, DNS, &query(u16::from(last), "casino.example."));
        let answer = loop {
            let datagram = cable.next(PATIENCE).unwrap();
            if datagram.to == UPSTREAM {
                let mut answer = Message::from_octets(&datagram.octets);
                (answer.qr, answer.ra) = (true, true);
                cable.send(UPSTREAM, datagram.from, &answer.to_octets());
            } else if datagram.to == client {
                break Message::from_octets(&datagram.octets);
            }
        };
        assert_eq!(answer.rcode, expected, "{client}");
    }
    assert_eq!(rcode(&mut cable, "casino.example."), NOERROR);
}

#[test]
fn nonsense_at_any_port_stops_nothing() {
    let Some(mut cable) = boot(false, "lease 10.0.0.100-10.0.0.199\n") else { return };
    assert_eq!(rcode(&mut cable, "casino.example."), NXDOMAIN);
    // The server of addresses begins when it has found no other one.
    let discover = dhcp(false, 1, DISCOVER, &[]);
    assert!(converse(&mut cable, &discover, OFFER, SEARCH_TIME + PATIENCE).is_some());
    let group = Ipv4Addr::new(224, 0, 0, 251);
    let messages = [discover, query(1, "gardefou.local."), query(1, "casino.example.")];
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for _ in 0..5000 {
        let mut octets = messages[random.below(messages.len())].clone();
        for _ in 0..1 + random.below(4) {
            let place = random.below(octets.len());
            octets[place] = random.below(256) as u8;
        }
        octets.truncate(random.below(octets.len() + 1));
        let (address, port) =
            [(BOARD, 53), (BOARD, 123), (Ipv4Addr::BROADCAST, 67), (group, 5353)][random.below(4)];
        let from = [CLIENT, SocketAddrV4::new(*CLIENT.ip(), 5353), NOBODY][random.below(3)];
        cable.send(from, SocketAddrV4::new(address, port), &octets);
    }
    assert_eq!(rcode(&mut cable, "casino.example."), NXDOMAIN);
    assert_eq!(rcode(&mut cable, "school.example."), NOERROR);
    assert!(converse(&mut cable, &dhcp(false, 2, DISCOVER, &[]), OFFER, PATIENCE).is_some());
}
