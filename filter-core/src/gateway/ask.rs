//! The upstream's side: how a question is sent, which answers are taken, and what becomes of it
//! without one.

use core::net::SocketAddr;

use domain::base::iana::Rcode;
use domain::base::{Header, HeaderCounts};

use super::actions::Work;
use super::answer::Answer;
use super::buffer::{Buffer, Full};
use super::compose::{push_opt, push_question};
use super::event::Transport;
use super::pending::{Place, Sent};
use super::question::{HEADER_LEN, Question, Spelling};
use super::upstream::Kept;
use super::{Context, Gateway};
use crate::name::Name;

/// How long it is remembered that no upstream had an answer: long enough to spare them a storm,
/// short enough to be over when they are back (RFC 9520 section 3.2: at least a second).
const FAILURE_TTL_S: u32 = 2;

impl<
    const PENDING: usize,
    const CLIENTS: usize,
    const ANSWERS: usize,
    const OCTETS: usize,
    const MESSAGE: usize,
> Gateway<PENDING, CLIENTS, ANSWERS, OCTETS, MESSAGE>
{
    /// What becomes of a message that came from upstream, or seems to.
    ///
    /// It is taken if it comes from where the question went, how and to where it is expected, with
    /// the id that was drawn, for that question (RFC 5452 section 9.1). If all of this is right
    /// and only the spelling is not, it may be forged by someone lucky, or the upstream may not
    /// keep case: the question is asked over TCP, where nobody can forge blindly (section 9.3).
    pub(super) fn on_answer<'a, D: AsRef<[u8]>>(
        &mut self,
        from: SocketAddr,
        transport: Transport,
        port: u16,
        message: &'a [u8],
        context: &mut Context<'_, D>,
    ) -> Work<'a> {
        let answer = Answer::parse(message).filter(Answer::is_sound);
        let found = answer.as_ref().and_then(|answer| {
            let is_it = |sent: &Sent| {
                let upstream = self.upstreams.get(sent.upstream);
                upstream.is_some_and(|upstream| upstream.address == from)
                    && sent.transport == transport
                    && (transport == Transport::Tcp || sent.port == port)
                    && sent.id == answer.id()
            };
            self.pending.find(&answer.question).find(|(_, place)| is_it(&place.sent))
        });
        let (Some(answer), Some((index, place))) = (answer, found) else {
            self.counters.strangers += 1;
            return Work::Done;
        };
        let (sent, kind) = (place.sent, place.kind);
        let spelling = match sent.is_spelling_secret {
            false => Kept::Unasked,
            true if answer.spelling == sent.spelling => Kept::Yes,
            true => Kept::No,
        };
        self.upstreams.answered(sent.upstream, spelling, context.now_ms);
        let is_udp = transport == Transport::Udp;
        if is_udp && (spelling == Kept::No || answer.is_truncated()) {
            return self.ask(index, sent.upstream, Some(Transport::Tcp), context);
        }
        if !answer.is_conclusive() || answer.is_truncated() {
            return self.ask_another(index, sent.upstream, context);
        }
        let lifetime_s = answer.lifetime_s(context.settings);
        self.cache.insert(&answer, kind, lifetime_s, context.now_ms);
        Work::Answer(index, Some(message))
    }

    /// The time of a question has run out: another upstream is asked, or the same one again.
    pub(super) fn on_timeout<'a, D: AsRef<[u8]>>(
        &mut self,
        index: usize,
        context: &mut Context<'_, D>,
    ) -> Work<'a> {
        let Some(place) = self.pending.get_mut(index) else { return Work::Done };
        place.timeouts = place.timeouts.saturating_add(1);
        let (upstream, excluded, timeouts) = (place.sent.upstream, place.excluded, place.timeouts);
        self.upstreams.timed_out(upstream, context.now_ms);
        if timeouts >= context.settings.timeouts_max {
            return self.fail(index, context.now_ms);
        }
        match self.upstreams.choose(context.now_ms, Some(upstream), excluded) {
            Some(next) => self.ask(index, next, None, context),
            None => self.fail(index, context.now_ms),
        }
    }

    /// An upstream has nothing to say about a question: another one may.
    fn ask_another<'a, D: AsRef<[u8]>>(
        &mut self,
        index: usize,
        upstream: usize,
        context: &mut Context<'_, D>,
    ) -> Work<'a> {
        let Some(place) = self.pending.get_mut(index) else { return Work::Done };
        place.excluded |= 1u8.checked_shl(upstream as u32).unwrap_or(0);
        let excluded = place.excluded;
        match self.upstreams.choose(context.now_ms, Some(upstream), excluded) {
            Some(next) => self.ask(index, next, None, context),
            None => self.fail(index, context.now_ms),
        }
    }

    /// Asks again; answers to what was sent before are not taken any more.
    fn ask<'a, D: AsRef<[u8]>>(
        &mut self,
        index: usize,
        upstream: usize,
        transport: Option<Transport>,
        context: &mut Context<'_, D>,
    ) -> Work<'a> {
        let Some(place) = self.pending.get(index) else { return Work::Done };
        let sent = self.draw(&place.question.name, upstream, transport, place.timeouts, context);
        if let Some(place) = self.pending.get_mut(index) {
            place.sent = sent;
        }
        Work::Ask(index)
    }

    /// Draws what an answer will have to match: id, port and spelling. Without a `transport` it is
    /// the upstream's own.
    pub(super) fn draw<D>(
        &self,
        name: &Name,
        upstream: usize,
        transport: Option<Transport>,
        timeouts: u8,
        context: &mut Context<'_, D>,
    ) -> Sent {
        let usual =
            self.upstreams.get(upstream).map_or(Transport::Udp, |upstream| upstream.transport);
        let transport = transport.unwrap_or(usual);
        let chance = (context.random)();
        let (id, port_chance) = (chance as u16, chance >> 16);
        let port = match transport {
            Transport::Udp => {
                ((port_chance * u32::from(context.settings.source_ports)) >> 16) as u16
            }
            Transport::Tcp => 0,
        };
        let is_spelling_secret =
            transport == Transport::Udp && self.upstreams.keeps_case(upstream, context.now_ms);
        let spelling = match is_spelling_secret {
            true => Spelling::random(name, context.random),
            false => Spelling::LOWER_CASE,
        };
        let timeout_ms = u64::from(context.settings.timeout_ms) << timeouts.min(8);
        let deadline_ms = context.now_ms.saturating_add(timeout_ms.max(1));
        Sent { upstream, transport, port, id, spelling, is_spelling_secret, deadline_ms }
    }

    /// Writes the query for a question, and says where it goes.
    pub(super) fn write_query(&mut self, index: usize) -> Option<(SocketAddr, Transport, u16)> {
        let place = self.pending.get(index)?;
        let sent = &place.sent;
        let upstream = self.upstreams.get(sent.upstream)?;
        compose_query(&mut self.writer.buffer, place).ok()?;
        let name_end = HEADER_LEN + place.question.name.as_wire().len();
        sent.spelling.capitalize(self.writer.buffer.get_mut(HEADER_LEN..name_end)?);
        self.counters.asked += 1;
        Some((upstream.address, sent.transport, sent.port))
    }

    /// Ends a question nobody had an answer to.
    fn fail<'a>(&mut self, index: usize, now_ms: u64) -> Work<'a> {
        self.counters.failed += 1;
        let Some(place) = self.pending.get(index) else { return Work::Done };
        let failure = compose_failure(&place.question);
        if let Some(answer) = failure.as_deref().ok().and_then(Answer::parse) {
            self.cache.insert(&answer, place.kind, FAILURE_TTL_S, now_ms);
        }
        Work::Answer(index, None)
    }
}

/// A query with EDNS. Whether data is authentic is always asked (RFC 6840 section 5.7): the
/// answer may serve one who wants to know.
fn compose_query<const MESSAGE: usize>(
    buffer: &mut Buffer<MESSAGE>,
    place: &Place,
) -> Result<(), Full> {
    buffer.clear();
    buffer.push_array([0; HEADER_LEN])?;
    let header = Header::for_message_slice_mut(buffer);
    header.set_id(place.sent.id);
    header.set_rd(true);
    header.set_ad(true);
    header.set_cd(place.kind.checking_disabled);
    let counts = HeaderCounts::for_message_slice_mut(buffer);
    counts.set_qdcount(1);
    counts.set_arcount(1);
    push_question(buffer, &place.question)?;
    push_opt(buffer, 0, place.kind.dnssec_ok, 0)
}

/// A response that says that there is no answer.
fn compose_failure(question: &Question) -> Result<Buffer<{ Question::LEN_MAX }>, Full> {
    let mut buffer = Buffer::new();
    buffer.push_array([0; HEADER_LEN])?;
    let header = Header::for_message_slice_mut(&mut buffer);
    header.set_qr(true);
    header.set_rcode(Rcode::SERVFAIL);
    HeaderCounts::for_message_slice_mut(&mut buffer).set_qdcount(1);
    push_question(&mut buffer, question)?;
    Ok(buffer)
}
