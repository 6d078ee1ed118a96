//! The client's side: what becomes of a query, and how an answer reaches those who wait for it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use domain::base::iana::exterr::ExtendedErrorCode;
use domain::base::iana::{OptRcode, Rcode, Rtype};

use super::actions::Work;
use super::answer::Answer;
use super::block::block;
use super::cache::Kind;
use super::event::{Client, Transport};
use super::inspect::{Inspection, inspect};
use super::pending::Place;
use super::query::{Asker, Received, read};
use super::question::Question;
use super::repeats::Repeat;
use super::reply::{Age, Content, Reply, Statement};
use super::restrict::{Detour, alias, detour, origin};
use super::special::{Special, special};
use super::{Context, Gateway};
use crate::policy::Policy;
use crate::rule::CategorySet;
use crate::verdict::Verdict;

impl<
    const PENDING: usize,
    const CLIENTS: usize,
    const ANSWERS: usize,
    const OCTETS: usize,
    const MESSAGE: usize,
> Gateway<PENDING, CLIENTS, ANSWERS, OCTETS, MESSAGE>
{
    /// What becomes of a client's message.
    pub(super) fn on_query<'a, D: AsRef<[u8]>>(
        &mut self,
        client: Client,
        message: &[u8],
        context: &mut Context<'_, D>,
    ) -> Work<'a> {
        if client.transport == Transport::Udp {
            let since_ms = context.unchanged_since_ms;
            let (profile, now_ms) = (client.profile, context.now_ms);
            if let Some(repeat) = self.cache.repeat(profile, message, since_ms, now_ms) {
                if !self.clients.admit_query(client.key, now_ms, context.settings) {
                    self.counters.dropped += 1;
                    return Work::Done;
                }
                self.counters.queries += 1;
                self.counters.cached += u64::from(repeat.is_relayed());
                self.counters.count_blocked(repeat.blocked);
                self.writer.repeat(message, &repeat);
                return Work::Reply(client);
            }
        }
        let (mut asker, mut question) = (Asker::new(client), Question::NONE);
        let received = read(message, context.settings, &mut asker, &mut question);
        let is_query = !matches!(received, Received::Nothing);
        if !is_query || !self.clients.admit_query(client.key, context.now_ms, context.settings) {
            self.counters.dropped += 1;
            return Work::Done;
        }
        match received {
            Received::Query(question) => {
                self.counters.queries += 1;
                self.on_question(question, &asker, message, context)
            }
            Received::Rejected(question, rcode) => {
                self.counters.refused += 1;
                self.say(&asker, question, &Statement::new(rcode))
            }
            Received::Nothing => Work::Done,
        }
    }

    /// What becomes of a question: blocked before anything else is looked at, then answered here,
    /// from the cache, or upstream.
    fn on_question<'a, D: AsRef<[u8]>>(
        &mut self,
        question: &Question,
        asker: &Asker,
        message: &[u8],
        context: &mut Context<'_, D>,
    ) -> Work<'a> {
        let Some(policy) = context.policies.get(usize::from(asker.client.profile)) else {
            return self.refuse(asker, question, "unknown client");
        };
        if policy.is_closed {
            self.counters.refused += 1;
            let statement = Statement::new(OptRcode::SERVFAIL);
            let statement = statement.because(ExtendedErrorCode::NOT_READY);
            return self.say(asker, Some(question), &statement);
        }
        let own = context.check(&question.name, policy);
        if let Verdict::Block(hit) = own {
            let mut statement = Statement::new(OptRcode::NOERROR);
            block(&mut statement, question, asker, &hit, false, policy, context);
            let work = self.say(asker, Some(question), &statement);
            let blocked = statement.blocked;
            self.keep_reply(asker, message, blocked, (context.now_ms, u64::MAX), context);
            return work;
        }
        if let Some(statement) = local(question, own, policy) {
            self.counters.local += 1;
            return self.say(asker, Some(question), &statement);
        }
        let host = match detour(question, policy, context) {
            Some(Detour::Say(statement)) => {
                self.counters.local += 1;
                return self.say(asker, Some(question), &statement);
            }
            Some(Detour::Ask(host)) => Some(host),
            None => None,
        };
        let origin = host.as_ref().and_then(|_| origin(question));
        let sought = host.as_ref().unwrap_or(question);
        if !asker.recursion_desired {
            // Answers from the cache would tell one client what others asked.
            self.counters.refused += 1;
            let statement = Statement::new(OptRcode::REFUSED);
            let statement = statement.because(ExtendedErrorCode::NOT_AUTHORITATIVE);
            return self.say(asker, Some(question), &statement);
        }
        let kind =
            Kind { dnssec_ok: asker.dnssec_ok(), checking_disabled: asker.checking_disabled };
        let now_ms = context.now_ms;
        if let Some(kept) = self.cache.get(sought, kind, now_ms) {
            self.counters.cached += 1;
            let ttl_max_s = context.settings.ttl_max_s;
            let age = Age { age_s: kept.age_s, left_s: kept.left_s, ttl_max_s };
            let reply = judge(question, asker, &kept.answer, age, own, policy, context);
            self.counters.count_reply(&reply);
            self.writer.write(asker, Some(question), &reply);
            if matches!(reply, Reply::Relay(..)) {
                let times_ms = (kept.aged_ms, kept.expires_ms);
                self.keep_reply(asker, message, CategorySet::EMPTY, times_ms, context);
            }
            return Work::Reply(asker.client);
        }
        if let Some(index) = self.pending.find_kind(sought, kind, origin.as_ref()) {
            self.counters.joined += 1;
            self.pending.join(index, asker);
            return Work::Done;
        }
        if !self.clients.admit_name(asker.client.key, now_ms, context.settings) {
            return self.refuse(asker, question, "too many new names");
        }
        let Some(upstream) = self.upstreams.choose(now_ms, None, 0) else {
            return self.say(asker, Some(question), &failure());
        };
        let sent = self.draw(&sought.name, upstream, None, 0, context);
        let question = sought.clone();
        let place =
            Place { question, origin, kind, sent, timeouts: 0, excluded: 0, began_ms: now_ms };
        match self.pending.begin(place, asker) {
            Some(index) => Work::Ask(index),
            None => Work::Done,
        }
    }

    /// Writes the reply to one of those who wait for the question in a place. When nobody waits
    /// any more, the question is over.
    pub(super) fn reply_to_next<D: AsRef<[u8]>>(
        &mut self,
        index: usize,
        message: Option<&[u8]>,
        context: &Context<'_, D>,
    ) -> Option<Client> {
        let Some(asker) = self.pending.take_asker(index) else {
            self.pending.free(index);
            return None;
        };
        let question = self.pending.get(index)?.asked();
        let Some(policy) = context.policies.get(usize::from(asker.client.profile)) else {
            self.refuse(&asker, &question, "unknown client");
            return Some(asker.client);
        };
        // What was asked is decided anew: filter and policy may have changed meanwhile.
        let own = context.check(&question.name, policy);
        let answer = message.and_then(Answer::parse);
        let reply = match (&answer, own) {
            (Some(answer), own) => {
                let left_s = answer.lifetime_s(context.settings);
                let age = Age { age_s: 0, left_s, ttl_max_s: context.settings.ttl_max_s };
                judge(&question, &asker, answer, age, own, policy, context)
            }
            (None, Verdict::Block(hit)) => {
                let mut statement = Statement::new(OptRcode::NOERROR);
                block(&mut statement, &question, &asker, &hit, false, policy, context);
                Reply::Say(statement)
            }
            (None, _) => Reply::Say(failure()),
        };
        self.counters.count_reply(&reply);
        self.writer.write(&asker, Some(&question), &reply);
        Some(asker.client)
    }

    /// Refuses someone, and says why (RFC 8914 section 4.19).
    fn refuse<'a>(&mut self, asker: &Asker, question: &Question, why: &str) -> Work<'a> {
        self.counters.refused += 1;
        let mut statement =
            Statement::new(OptRcode::REFUSED).because(ExtendedErrorCode::PROHIBITED);
        // All reasons are short.
        let _ = statement.text.push_str(why);
        self.say(asker, Some(question), &statement)
    }

    fn say<'a>(
        &mut self,
        asker: &Asker,
        question: Option<&Question>,
        statement: &Statement,
    ) -> Work<'a> {
        self.counters.count_blocked(statement.blocked);
        self.writer.state(asker, question, statement);
        Work::Reply(asker.client)
    }

    /// Keeps what was just said to a message, to say it again: as it is at the first of these times, and
    /// not beyond the second.
    fn keep_reply<D>(
        &mut self,
        asker: &Asker,
        message: &[u8],
        blocked: CategorySet,
        times_ms: (u64, u64),
        context: &Context<'_, D>,
    ) {
        if asker.client.transport == Transport::Udp && context.unchanged_since_ms.is_some() {
            let (profile, overrides) = (asker.client.profile, context.overrides);
            let repeat = Repeat { octets: &self.writer.buffer, blocked, age_s: 0 };
            self.cache.keep_reply(profile, message, &repeat, overrides, times_ms);
        }
    }
}

/// What is answered here: special names, unless allowed on purpose, and ANY, which asks for
/// everything and is told that there is no such answer (RFC 8482).
fn local(question: &Question, own: Verdict, policy: &Policy) -> Option<Statement> {
    let negative = |rcode| Some(Statement::with_content(rcode, Content::Negative, policy.ttl_s));
    let loopback = |address: IpAddr| {
        let content = Content::Address(address);
        Some(Statement::with_content(OptRcode::NOERROR, content, policy.ttl_s))
    };
    let is_allowed = matches!(own, Verdict::Allow(_));
    match special(&question.name, policy.keeps_resolver).filter(|_| !is_allowed) {
        Some(Special::NxDomain) => negative(OptRcode::NXDOMAIN),
        Some(Special::NoData) => negative(OptRcode::NOERROR),
        Some(Special::Loopback) => match question.qtype {
            Rtype::A => loopback(Ipv4Addr::LOCALHOST.into()),
            Rtype::AAAA => loopback(Ipv6Addr::LOCALHOST.into()),
            _ => negative(OptRcode::NOERROR),
        },
        None if question.qtype == Rtype::ANY => {
            Some(Statement::with_content(OptRcode::NOERROR, Content::Any, policy.ttl_s))
        }
        None => None,
    }
}

/// What an answer leads to: itself, a block, or that there is none. It may be about the host that
/// stands for the name asked for.
fn judge<'r, D: AsRef<[u8]>>(
    question: &Question,
    asker: &Asker,
    answer: &'r Answer<'r>,
    age: Age,
    own: Verdict,
    policy: &Policy,
    context: &Context<'_, D>,
) -> Reply<'r> {
    match inspect(answer, own, policy, context) {
        Inspection::Block(hit, is_cloaked) => {
            let mut statement = Statement::new(OptRcode::NOERROR);
            block(&mut statement, question, asker, &hit, is_cloaked, policy, context);
            Reply::Say(statement)
        }
        // An upstream's would not have been taken: this is what we remember of a failure.
        Inspection::Pass if answer.rcode() == Rcode::SERVFAIL => Reply::Say(failure()),
        Inspection::Pass if answer.question != *question => Reply::Say(alias(answer, age, policy)),
        Inspection::Pass => Reply::Relay(answer, age),
    }
}

/// No upstream had an answer.
fn failure() -> Statement {
    Statement::new(OptRcode::SERVFAIL).because(ExtendedErrorCode::NO_REACHABLE_AUTHORITY)
}
