//! `tests/data/dns/*.rpl`: conversations with a gateway, in the manner of Unbound's replay files.
//! `tests/README.md` tells how to write one. Then what must hold for any octets, and for a forger
//! who tries very often.

mod common;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/conversation.rs"]
mod conversation;
#[allow(unreachable_pub, reason = "a part of this runner")]
#[path = "common/dns.rs"]
mod dns;
#[allow(unreachable_pub, reason = "a part of this runner")]
#[path = "common/script.rs"]
mod script;

use std::fs;

use common::{Random, data};
use conversation::{Conversation, Done};
use dns::{Edns, Message, Question, rtype, wire_name};
use filter_core::Action;
use filter_core::gateway::Transport;

#[test]
fn conversations_go_as_written() {
    let mut files: Vec<_> =
        fs::read_dir(data("dns")).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 20, "only {} conversations were found", files.len());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("; "), "{file:?}: says what it shows in its first line");
        if text.contains("structured-errors=") && !cfg!(feature = "structured-errors") {
            continue;
        }
        Conversation::replay(&file.file_name().unwrap().to_string_lossy(), &text, &|_| ());
    }
}

const CONFIG: &str = "; A gateway for other tests.
    block: casino.example
    allow: help.casino.example
    upstream: 192.0.2.53
    settings: queries=1000000/1000000 names=1000000/1000000
";

const NXDOMAIN: u16 = 3;

fn query(name: &str, word: &str) -> Message {
    Message {
        id: 7,
        rd: true,
        question: Some(Question { name: wire_name(name), rtype: rtype(word), class: 1 }),
        edns: Some(Edns {
            udp_len: 1232,
            version: 0,
            dnssec_ok: false,
            option: None,
            errors: vec![],
        }),
        ..Message::default()
    }
}

fn response(name: &str, word: &str, records: &[&str]) -> Message {
    let sections = [records.iter().map(|record| record.to_string()).collect(), vec![], vec![]];
    Message { qr: true, ra: true, sections, ..query(name, word) }
}

/// Flips, cuts, inserts and overwrites a little of a message.
fn mutate(octets: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..1 + random.below(4) {
        let len = octets.len();
        match random.below(6) {
            _ if len == 0 => octets.push(random.below(256) as u8),
            0 => octets[random.below(len)] ^= 1 << random.below(8),
            1 => octets[random.below(len.min(12))] = random.below(256) as u8,
            2 => octets[random.below(len)] = [0, 0xC0, 12, 63, 64, 255][random.below(6)],
            3 => octets.truncate(random.below(len)),
            4 => octets.insert(random.below(len), random.below(256) as u8),
            _ => octets.extend_from_within(random.below(len)..),
        }
    }
}

/// Whatever a client or an upstream sends, the gateway neither panics nor answers a response, and
/// its replies are messages no longer than the client takes.
#[test]
fn a_million_mutated_messages_do_no_harm() {
    let mut conversation = Conversation::new(CONFIG);
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let https = ["a.example. 60 IN HTTPS 1 b.example.", "a.example. 60 IN TXT \"some-text\""];
    let seeds = [
        query("www.casino.example.", "A"),
        query("a.example.", "HTTPS"),
        query("1.0.0.10.in-addr.arpa.", "PTR"),
        response("a.example.", "HTTPS", &https),
        response(
            "a.example.",
            "A",
            &["a.example. 60 IN CNAME b.example.", "b.example. 9 IN A 192.0.2.1"],
        ),
    ];
    let seeds = seeds.map(|message| message.to_octets());
    let (mut replies, mut answered) = (0, 0);
    for turn in 0..1_000_000u32 {
        let mut octets = seeds[random.below(seeds.len())].clone();
        if turn % 16 != 0 {
            mutate(&mut octets, &mut random);
        }
        let is_response = octets.get(2).is_some_and(|flags| flags & 0x80 != 0);
        conversation.now_ms += 1;
        let done = if random.below(3) == 0 {
            // As if a forger had guessed all but the question.
            let asked = conversation.asked.last().map(|asked| (asked.port, asked.query.id));
            let (port, id) = asked.unwrap_or_default();
            if let Some(field) = octets.first_chunk_mut() {
                *field = id.to_be_bytes();
            }
            conversation.answer([192, 0, 2, 53].into(), Transport::Udp, port, &octets)
        } else {
            let transport = [Transport::Udp, Transport::Tcp][random.below(2)];
            let done = conversation.query_octets("laptop", transport, 0, &octets);
            assert!(!is_response || done.is_empty(), "a reply to a response: {octets:02x?}");
            done
        };
        if turn % 64 == 0 {
            conversation.tick();
        }
        for done in done {
            let Done::Reply { transport, octets: reply, .. } = done else { continue };
            let reply_message = Message::from_octets(&reply);
            assert!(reply_message.qr, "a reply is a response");
            assert!(transport == Transport::Tcp || reply.len() <= 1232, "{}", reply.len());
            replies += 1;
            answered += u32::from(!reply_message.sections[0].is_empty());
        }
    }
    assert!(replies > 100_000, "only {replies} replies");
    assert!(answered > 100, "only {answered} answers from upstream");
}

/// Someone who knows the question and where it went, but not what was drawn, never gets an
/// answer in, and the right one comes through.
#[test]
fn a_flood_of_forged_answers_changes_nothing() {
    let mut conversation = Conversation::new(CONFIG);
    let asked = conversation.query("laptop", "login.bank.example. IN A");
    let [Done::Ask { port, .. }] = &asked[..] else { panic!("{asked:?}") };
    let port = *port;
    let sent = conversation.asked.last().unwrap().query.clone();
    let forged = |id| {
        let record = "login.bank.example. 86400 IN A 203.0.113.66";
        Message { id, ..response("login.bank.example.", "A", &[record]) }
    };
    let from = [192, 0, 2, 53].into();
    let mut random = Random(7);
    for guess in 0..65_536u32 {
        let id = guess as u16;
        let mut message = forged(id);
        message.question = sent.question.clone();
        // The right id and spelling at the wrong port, or the other way around.
        let guessed_port = if id == sent.id { port ^ 1 } else { port };
        let done = conversation.answer(from, Transport::Udp, guessed_port, &message.to_octets());
        assert!(done.is_empty(), "{id}");
        // The right id and port, from elsewhere, over TCP, or for another question.
        let elsewhere = [192, 0, 2, random.below(53) as u8].into();
        let message = Message { question: sent.question.clone(), ..forged(sent.id) };
        assert!(
            conversation.answer(elsewhere, Transport::Udp, port, &message.to_octets()).is_empty()
        );
        assert!(conversation.answer(from, Transport::Tcp, port, &message.to_octets()).is_empty());
    }
    let other = Message { id: sent.id, ..response("other.bank.example.", "A", &[]) };
    assert!(conversation.answer(from, Transport::Udp, port, &other.to_octets()).is_empty());
    assert_eq!(conversation.gateway.counters().strangers, 3 * 65_536 + 1);

    let record = "login.bank.example. 60 IN A 192.0.2.1";
    let mut right = Message { id: sent.id, ..response("login.bank.example.", "A", &[record]) };
    right.question = sent.question.clone();
    let done = conversation.answer(from, Transport::Udp, port, &right.to_octets());
    let [Done::Reply { octets, .. }] = &done[..] else { panic!("{done:?}") };
    assert_eq!(Message::from_octets(octets).sections[0], [record]);
    // What was forged is not in the cache either.
    let done = conversation.query("phone", "login.bank.example. IN A");
    let [Done::Reply { octets, .. }] = &done[..] else { panic!("{done:?}") };
    assert_eq!(Message::from_octets(octets).sections[0], [record]);
}

/// A reply that is repeated is the one that would have been made: a gateway that repeats says the same
/// as one that makes each anew, whatever changes between, and counts the same.
#[test]
fn what_is_repeated_is_what_would_be_said() {
    let config =
        format!("{CONFIG}    profile: 1 gambling=NULL ttl=5\n    profile: 2 enabled=adult\n");
    let mut repeating = Conversation::new(&config);
    let mut making = Conversation::new(&config);
    making.unchanged_since_ms = None;
    let mut random = Random(0xD1B5_4A32_D192_ED03);
    let names =
        ["www.casino.example.", "WWW.casino.example.", "help.casino.example.", "bet.example."];
    let lists = [
        vec!["block: casino.example", "block: bet.example"],
        vec!["block: www.casino.example exact adult", "allow: help.casino.example"],
        vec![],
    ];
    for turn in 0..200_000u64 {
        let pause = [0, 0, 1, 20, 3_000][random.below(5)];
        let change = random.below(1000);
        for conversation in [&mut repeating, &mut making] {
            conversation.now_ms += pause;
            match change {
                0..3 => conversation.load(&lists[change]),
                3 => conversation.say(Action::Allow, "casino.example", "2"),
                4 => conversation.say(Action::Block, "bet.example", "30"),
                _ => {}
            }
        }
        let mut message = query(names[random.below(4)], ["A", "AAAA", "HTTPS"][random.below(3)]);
        message.id = turn as u16;
        if random.below(4) == 0 {
            message.edns = None;
        }
        let mut octets = message.to_octets();
        if random.below(16) == 0 {
            mutate(&mut octets, &mut random);
        }
        let transport = [Transport::Udp, Transport::Udp, Transport::Tcp][random.below(3)];
        let profile = random.below(4) as u8;
        let [repeated, made] = [&mut repeating, &mut making]
            .map(|conversation| conversation.query_octets("laptop", transport, profile, &octets));
        assert_eq!(format!("{repeated:?}"), format!("{made:?}"), "turn {turn}");
        repeating.tick();
        making.tick();
    }
    let of = |conversation: &Conversation| *conversation.gateway.counters();
    assert_eq!(of(&repeating), of(&making));
    assert!(of(&repeating).blocked[20] > 20_000, "{:?}", of(&repeating));
}

/// So is an answer from the cache, which gets older meanwhile.
#[test]
fn what_is_repeated_gets_older() {
    let mut repeating = Conversation::new(CONFIG);
    let mut making = Conversation::new(CONFIG);
    making.unchanged_since_ms = None;
    let mut random = Random(0x94D0_49BB_1331_11EB);
    for turn in 0..20_000u64 {
        let pause = [0, 1, 400, 1_700][random.below(4)];
        let name = ["a.example.", "none.example."][random.below(2)];
        let mut message = query(name, "A");
        message.id = turn as u16;
        if random.below(4) == 0 {
            message.edns = None;
        }
        let [repeated, made] = [&mut repeating, &mut making].map(|conversation| {
            conversation.now_ms += pause;
            let octets = message.to_octets();
            let done = conversation.query_octets("laptop", Transport::Udp, 0, &octets);
            let [Done::Ask { port, .. }] = &done[..] else { return done };
            let asked = conversation.asked.last().unwrap().query.clone();
            let mut answer = Message { qr: true, ..asked };
            if name == "a.example." {
                let records = ["a.example. 40 IN CNAME b.example.", "b.example. 14 IN A 192.0.2.1"];
                answer.sections[0] = records.map(str::to_owned).to_vec();
            } else {
                answer.rcode = NXDOMAIN;
                answer.sections[1] = vec!["example. 90 IN SOA . . 1 3600 3600 86400 9".to_owned()];
            }
            let from = [192, 0, 2, 53].into();
            conversation.answer(from, Transport::Udp, *port, &answer.to_octets())
        });
        assert_eq!(format!("{repeated:?}"), format!("{made:?}"), "turn {turn}");
    }
    let of = |conversation: &Conversation| *conversation.gateway.counters();
    assert_eq!(of(&repeating), of(&making));
    assert!(of(&repeating).cached > 15_000, "{:?}", of(&repeating));
}

/// Ids, ports and spellings are spread over all they can be.
#[test]
fn what_is_drawn_is_spread() {
    let mut conversation = Conversation::new(CONFIG);
    let (mut ids, mut ports, mut spellings) = (vec![], vec![], vec![]);
    for number in 0..2000 {
        conversation.query("laptop", &format!("name-{number}.example. IN A"));
        let asked = conversation.asked.last().unwrap();
        ids.push(asked.query.id >> 8);
        ports.push(asked.port);
        let name = &asked.query.question.as_ref().unwrap().name;
        spellings.push(name[name.len() - 8..name.len() - 1].to_vec());
    }
    let distinct = |list: &mut Vec<u16>| {
        list.sort_unstable();
        list.dedup();
        list.len()
    };
    assert_eq!(distinct(&mut ids), 256);
    assert_eq!(distinct(&mut ports), 64);
    spellings.sort_unstable();
    spellings.dedup();
    assert_eq!(spellings.len(), 128, "seven letters of `example`");
}
