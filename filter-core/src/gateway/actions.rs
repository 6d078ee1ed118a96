//! What an event leads to, one action after the other: [`Actions`].

use core::net::SocketAddr;

use super::event::{Action, Client, Transport};
use super::{Context, Gateway};

/// What is to be done after an event; see [`Gateway::handle`].
///
/// Each action lends its message from the gateway until the next one is taken. What is not taken
/// out is not done: clients are then without a reply, and ask again.
#[must_use = "nothing is sent before it is taken out with `next`"]
pub struct Actions<
    'a,
    D,
    const PENDING: usize,
    const CLIENTS: usize,
    const ANSWERS: usize,
    const OCTETS: usize,
    const MESSAGE: usize,
> {
    pub(super) gateway: &'a mut Gateway<PENDING, CLIENTS, ANSWERS, OCTETS, MESSAGE>,
    pub(super) context: Context<'a, D>,
    pub(super) work: Work<'a>,
    pub(super) is_tick: bool,
}

/// What is still to be done.
pub(super) enum Work<'a> {
    /// Nothing.
    Done,
    /// Sending the reply that has been written.
    Reply(Client),
    /// Sending a question, in its place, upstream.
    Ask(usize),
    /// Replying to all who wait for the question in a place: with this message of an upstream, or
    /// that there is none.
    Answer(usize, Option<&'a [u8]>),
    /// Looking for questions whose time has run out.
    Overdue,
}

/// Where the message in the gateway's buffer goes.
enum Recipient {
    Client(Client),
    Upstream(SocketAddr, Transport, u16),
}

impl<
    D: AsRef<[u8]>,
    const PENDING: usize,
    const CLIENTS: usize,
    const ANSWERS: usize,
    const OCTETS: usize,
    const MESSAGE: usize,
> Actions<'_, D, PENDING, CLIENTS, ANSWERS, OCTETS, MESSAGE>
{
    /// The next thing to do, or `None` when all is done.
    #[allow(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Option<Action<'_>> {
        // An empty message is one that could not be written. Ends as `step` does.
        let recipient = loop {
            let recipient = self.step()?;
            if !self.gateway.writer.buffer.is_empty() {
                break recipient;
            }
        };
        let message = &self.gateway.writer.buffer;
        Some(match recipient {
            Recipient::Client(client) => Action::Reply { client, message },
            Recipient::Upstream(to, transport, port) => {
                Action::Ask { to, transport, port, message }
            }
        })
    }

    /// Writes the next message.
    fn step(&mut self) -> Option<Recipient> {
        let (gateway, context) = (&mut *self.gateway, &mut self.context);
        // Ends because each turn gives a message, ends a question, or counts one of its timeouts,
        // of which it has no more than the settings say; and `Done` is the last.
        loop {
            match self.work {
                Work::Done => return None,
                Work::Reply(client) => {
                    self.work = Work::Done;
                    return Some(Recipient::Client(client));
                }
                Work::Ask(index) => {
                    self.work = if self.is_tick { Work::Overdue } else { Work::Done };
                    if let Some((to, transport, port)) = gateway.write_query(index) {
                        return Some(Recipient::Upstream(to, transport, port));
                    }
                }
                Work::Answer(index, message) => {
                    if let Some(client) = gateway.reply_to_next(index, message, context) {
                        return Some(Recipient::Client(client));
                    }
                    self.work = if self.is_tick { Work::Overdue } else { Work::Done };
                }
                Work::Overdue => {
                    self.work = match gateway.pending.overdue(context.now_ms) {
                        Some(index) => gateway.on_timeout(index, context),
                        None => Work::Done,
                    };
                }
            }
        }
    }
}
