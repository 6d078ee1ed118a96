//! Plays a conversation from a script, step by step, and panics where the gateway does something
//! else. `tests/README.md` has the steps.

use std::net::IpAddr;

use filter_core::Action;
use filter_core::gateway::Transport;

use crate::conversation::{Conversation, Done, is_said, parse_transport};
use crate::dns::{Edns, Message, Question, canonical_record, rcode, rcode_word, rtype, wire_name};

impl Conversation {
    /// Plays a script; panics where the gateway does something else. `prepare` sees the gateway
    /// before the first step.
    pub fn replay(file: &str, script: &str, prepare: &dyn Fn(&mut Conversation)) {
        let mut lines = script.lines().zip(1..).filter(|(line, _)| is_said(line)).peekable();
        let mut config = String::new();
        while let Some((line, _)) = lines.next_if(|(line, _)| !line.starts_with("STEP")) {
            config += line;
            config.push('\n');
        }
        let mut conversation = Conversation::new(&config);
        prepare(&mut conversation);
        while let Some((step, number)) = lines.next() {
            let mut details = Vec::new();
            while let Some((line, _)) = lines.next_if(|(line, _)| !line.starts_with("STEP")) {
                details.push(line.trim());
            }
            conversation.at = format!("{file}:{number}: {step}");
            let step = step.strip_prefix("STEP ").unwrap_or_else(|| panic!("not a step: {step}"));
            conversation.step(step, &details);
        }
        conversation.at = format!("{file}, at its end");
        conversation.expect_nothing();
    }

    /// A query as a script writes it: `NAME CLASS TYPE options`.
    pub fn query(&mut self, who: &str, words: &str) -> Vec<Done> {
        let words: Vec<&str> = words.split_whitespace().collect();
        self.ask(who, &words)
    }

    // -- Steps ---------------------------------------------------------------------------------

    fn step(&mut self, step: &str, details: &[&str]) {
        let words: Vec<&str> = step.split_whitespace().skip(1).collect();
        let (&verb, words) = words.split_first().expect(&self.at);
        if !verb.starts_with("CHECK") {
            self.expect_nothing();
        }
        let done = match (verb, words) {
            ("QUERY", [who, words @ ..]) => self.ask(who, words),
            ("QUERY_OCTETS", [who, transport, octets @ ..]) => {
                let octets: Vec<u8> =
                    octets.iter().map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect();
                self.query_octets(who, parse_transport(transport), 0, &octets)
            }
            ("REPLY", words) => self.reply(words, details),
            ("TIME_PASSES", [seconds]) => {
                self.now_ms += (seconds.parse::<f64>().unwrap() * 1000.0).round() as u64;
                self.tick()
            }
            ("SAY", [word, name, seconds]) => {
                let action = if *word == "allow" { Action::Allow } else { Action::Block };
                self.say(action, name, seconds);
                Vec::new()
            }
            ("RELOAD", []) => {
                self.load(details);
                Vec::new()
            }
            ("CHECK_ASK", words) => {
                self.check_ask(words);
                Vec::new()
            }
            ("CHECK_ANSWER", [who, words @ ..]) => {
                self.check_answer(who, words, details);
                Vec::new()
            }
            ("CHECK_NOTHING", []) => {
                self.expect_nothing();
                Vec::new()
            }
            ("CHECK_COUNTERS", words) => {
                self.check_counters(words);
                Vec::new()
            }
            _ => panic!("{}: no such step", self.at),
        };
        self.done.extend(done);
    }

    /// `QUERY who NAME IN TYPE [tcp] [noedns] [bufsize=N] [option=N] [do] [cd] [ad] [nord] [id=N] ...`
    fn ask(&mut self, who: &str, words: &[&str]) -> Vec<Done> {
        let [name, class, word, options @ ..] = words else { panic!("{}", self.at) };
        let class = if *class == "CH" { 3 } else { 1 };
        let mut edns =
            Edns { udp_len: 1232, version: 0, dnssec_ok: false, option: None, errors: vec![] };
        let mut query = Message {
            id: 1 + self.queries.len() as u16,
            rd: true,
            question: Some(Question { name: wire_name(name), rtype: rtype(word), class }),
            ..Message::default()
        };
        let (mut transport, mut has_edns, mut profile) = (Transport::Udp, true, 0);
        for option in options {
            match option.split_once('=').unwrap_or((option, "")) {
                ("tcp", _) => transport = Transport::Tcp,
                ("noedns", _) => has_edns = false,
                ("bufsize", number) => edns.udp_len = number.parse().unwrap(),
                ("version", number) => edns.version = number.parse().unwrap(),
                ("option", number) => edns.option = Some(number.parse().unwrap()),
                ("do", _) => edns.dnssec_ok = true,
                ("cd", _) => query.cd = true,
                ("ad", _) => query.ad = true,
                ("nord", _) => query.rd = false,
                ("qr", _) => query.qr = true,
                ("opcode", number) => query.opcode = number.parse().unwrap(),
                ("id", number) => query.id = number.parse().unwrap(),
                ("profile", number) => profile = number.parse().unwrap(),
                _ => panic!("{}: what is {option}?", self.at),
            }
        }
        query.edns = has_edns.then_some(edns);
        let octets = query.to_octets();
        self.queries.insert((who.into(), query.id), octets.clone());
        self.query_octets(who, transport, profile, &octets)
    }

    /// `REPLY RCODE [tc] [ad] [from=ADDRESS] [id=+N] [port=+N] [name=NAME] [lower] [to=-N] ...`:
    /// an upstream answers what it was asked last, or N questions before.
    fn reply(&mut self, words: &[&str], details: &[&str]) -> Vec<Done> {
        let [code, options @ ..] = words else { panic!("{}", self.at) };
        let back = options.iter().find_map(|option| option.strip_prefix("to=-"));
        let back: usize = back.map_or(0, |number| number.parse().unwrap());
        let asked = self.asked.iter().rev().nth(back).expect(&self.at).clone();
        let mut reply = Message {
            qr: true,
            ra: true,
            ad: false,
            rcode: rcode(code),
            sections: sections(details),
            ..asked.query.clone()
        };
        let (mut from, mut port, mut transport) = (asked.to.ip(), asked.port, asked.transport);
        for option in options {
            let question = reply.question.as_mut().unwrap();
            match option.split_once('=').unwrap_or((option, "")) {
                ("tc", _) => reply.tc = true,
                ("ad", _) => reply.ad = true,
                ("aa", _) => reply.aa = true,
                ("noqr", _) => reply.qr = false,
                ("lower", _) => question.name.make_ascii_lowercase(),
                ("tcp", _) => transport = Transport::Tcp,
                ("name", name) => question.name = wire_name(name),
                ("from", address) => from = address.parse().unwrap(),
                ("id", number) => reply.id ^= number.parse::<u16>().unwrap(),
                ("port", number) => port ^= number.parse::<u16>().unwrap(),
                ("to", _) => {}
                _ => panic!("{}: what is {option}?", self.at),
            }
        }
        self.answer(from, transport, port, &reply.to_octets())
    }

    /// `CHECK_ASK ADDRESS NAME IN TYPE [udp|tcp] [do] [cd] [lower]`
    fn check_ask(&mut self, words: &[&str]) {
        let [to, name, "IN", word, options @ ..] = words else { panic!("{}", self.at) };
        let done = self.next_done(true);
        let Some(Done::Ask { to: address, transport, octets, port }) = done else {
            panic!("{}\nbut the gateway did {done:?}", self.at);
        };
        assert_eq!(address.ip(), to.parse::<IpAddr>().unwrap(), "{}", self.at);
        assert!(port < self.settings.source_ports);
        let is = |option| options.contains(&option);
        let expected = if is("tcp") { Transport::Tcp } else { Transport::Udp };
        assert_eq!(transport, expected, "{}", self.at);
        let query = Message::from_octets(&octets);
        let question = query.question.as_ref().expect(&self.at);
        assert!(question.name.eq_ignore_ascii_case(&wire_name(name)), "{}\n{query:?}", self.at);
        assert_eq!((question.rtype, question.class), (rtype(word), 1), "{}", self.at);
        let edns = query.edns.as_ref().expect(&self.at);
        assert_eq!((edns.udp_len, edns.version), (1232, 0), "{}", self.at);
        assert_eq!((edns.dnssec_ok, query.cd), (is("do"), is("cd")), "{}", self.at);
        assert!(query.rd && query.ad && !query.qr, "{}\n{query:?}", self.at);
        let is_lower = question.name == question.name.to_ascii_lowercase();
        assert_eq!(is_lower, is("lower") || is("tcp"), "{}: how it is spelled", self.at);
    }

    /// `CHECK_ANSWER who RCODE [tc] [ad] [id=N] [header]`, then records and `EDE` lines.
    fn check_answer(&mut self, who: &str, words: &[&str], details: &[&str]) {
        let [code, options @ ..] = words else { panic!("{}", self.at) };
        let done = self.next_done(true);
        let Some(Done::Reply { who: client, transport, octets }) = done else {
            panic!("{}\nbut the gateway did {done:?}", self.at);
        };
        assert_eq!(client, who, "{}", self.at);
        let reply = Message::from_octets(&octets);
        let at = format!("{}\n{reply:#?}", self.at);
        let is = |option| options.contains(&option);
        let id = options.iter().find_map(|option| option.strip_prefix("id="));
        assert!(id.is_none_or(|id| reply.id == id.parse::<u16>().unwrap()), "{at}");
        assert_eq!(rcode_word(reply.rcode), *code, "{at}");
        assert!(reply.qr && reply.ra && !reply.aa, "{at}");
        assert_eq!((reply.tc, reply.ad), (is("tc"), is("ad")), "{at}");
        if let Some(query) = self.queries.get(&(who.to_string(), reply.id)) {
            let query = Message::from_octets(query);
            assert_eq!((reply.rd, reply.cd), (query.rd, query.cd), "{at}");
            assert_eq!(reply.opcode, query.opcode, "{at}");
            if !is("header") {
                assert_eq!(reply.question, query.question, "{at}: spelled as it was asked");
                assert_eq!(reply.edns.is_some(), query.edns.is_some(), "{at}");
            }
            let asked_len = query.edns.map_or(512, |edns| edns.udp_len.clamp(512, 1232));
            let is_short = transport == Transport::Tcp || octets.len() <= asked_len.into();
            assert!(is_short, "{} octets\n{at}", octets.len());
        }
        let errors = reply.edns.as_ref().map_or(&[][..], |edns| &edns.errors[..]);
        let expected: Vec<&str> =
            details.iter().filter_map(|line| line.strip_prefix("EDE ")).collect();
        assert_eq!(errors, expected, "{at}");
        let canonical = |list: &[Vec<String>; 3]| {
            list.clone()
                .map(|list| list.iter().map(|text| canonical_record(text)).collect::<Vec<_>>())
        };
        assert_eq!(canonical(&reply.sections), canonical(&sections(details)), "{at}");
    }

    fn check_counters(&self, words: &[&str]) {
        for word in words {
            let (name, expected) = word.split_once('=').expect(&self.at);
            let found = self.counter(name);
            assert_eq!(found, expected.parse::<u64>().unwrap(), "{}: {name}", self.at);
        }
    }

    fn expect_nothing(&mut self) {
        let done = self.next_done(false);
        assert!(done.is_none(), "{}\nbut the gateway did {done:?}", self.at);
    }
}

/// Records of the three sections; `FILL owner ttl count` stands for so many addresses.
fn sections(details: &[&str]) -> [Vec<String>; 3] {
    let mut sections = [vec![], vec![], vec![]];
    for line in details {
        let (word, record) = line.split_once(' ').unwrap();
        match word {
            "ANSWER" => sections[0].push(record.into()),
            "AUTHORITY" => sections[1].push(record.into()),
            "ADDITIONAL" => sections[2].push(record.into()),
            "FILL" => {
                let [owner, ttl, count] = record.split(' ').collect::<Vec<_>>()[..] else {
                    panic!("FILL owner ttl count, not {line}");
                };
                let count: u8 = count.parse().unwrap();
                let records = (0..count).map(|last| format!("{owner} {ttl} IN A 192.0.2.{last}"));
                sections[0].extend(records);
            }
            "EDE" => {}
            _ => panic!("no section {word}"),
        }
    }
    sections
}
