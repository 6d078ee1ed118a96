//! A load: 64 questions on their way at any time, each sent when another is answered.

use std::net::UdpSocket;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;

use super::Target;
use super::batch::{BATCH, Batch};
use super::message::Said;
use super::server::processor_ns;

/// After so long a question is taken for lost.
const LOST_AFTER: Duration = Duration::from_millis(500);

pub(super) fn run(target: &Target, pid: u32, seconds: f64, fresh: bool) -> Result<()> {
    let names = target.names()?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(target.server)?;
    socket.set_read_timeout(Some(LOST_AFTER))?;
    // Whoever asks for fresh names must not ask for those of the run before.
    let since = SystemTime::UNIX_EPOCH.elapsed()?.as_micros() as usize;
    let mut load = Load { slots: vec![Slot::default(); BATCH], ..Load::default() };
    let (mut sending, mut receiving) = (Batch::new(), Batch::new());
    let mut free: Vec<usize> = (0..BATCH).collect();
    let mut number = if fresh { since } else { 0 };

    let (began, used_ns) = (Instant::now(), processor_ns(pid)?);
    let run = Duration::from_secs_f64(seconds);
    while began.elapsed() < run {
        let now = Instant::now();
        let questions: Vec<Vec<u8>> = free
            .drain(..)
            .map(|slot| {
                let mut question = names.question(number, fresh);
                number += 1;
                question[..2].copy_from_slice(&load.slots[slot].take(slot, now).to_be_bytes());
                question
            })
            .collect();
        let datagrams: Vec<_> = questions.iter().map(|question| (&question[..], None)).collect();
        sending.send(&socket, &datagrams)?;
        let received = receiving.receive(&socket)?;
        let now = Instant::now();
        for (message, len, _) in received {
            let message = &message[..len];
            let id = u16::from_be_bytes([message[0], message[1]]);
            let slot = usize::from(id) % BATCH;
            if load.slots[slot].id == id && load.slots[slot].is_open {
                load.slots[slot].is_open = false;
                load.count(names.said(message), now - load.slots[slot].sent.unwrap_or(now));
                free.push(slot);
            }
        }
        for (index, slot) in load.slots.iter_mut().enumerate() {
            if slot.is_open && slot.sent.is_some_and(|sent| now - sent > LOST_AFTER) {
                slot.is_open = false;
                load.lost += 1;
                free.push(index);
            }
        }
    }
    let used = (processor_ns(pid)? - used_ns) as f64 / 1e9;
    let answers = load.latencies_us.len();
    load.latencies_us.sort_unstable();
    let percentile =
        |part: usize| load.latencies_us.get(answers * part / 100).copied().unwrap_or(0);
    println!(
        "{:.0} {} {} {} {} {} {}",
        answers as f64 / used,
        percentile(50),
        percentile(99),
        load.blocked,
        load.passed,
        load.failed,
        load.lost,
    );
    Ok(())
}

/// What is on its way and what came back.
#[derive(Default)]
struct Load {
    slots: Vec<Slot>,
    latencies_us: Vec<u32>,
    blocked: u64,
    passed: u64,
    failed: u64,
    lost: u64,
}

#[derive(Clone, Default)]
struct Slot {
    /// Tells one question in this place from the one before.
    id: u16,
    is_open: bool,
    sent: Option<Instant>,
}

impl Slot {
    /// Takes the place with this index; gives the id of the question.
    fn take(&mut self, index: usize, now: Instant) -> u16 {
        let turn = (self.id / BATCH as u16 + 1) % (u16::MAX / BATCH as u16);
        *self = Slot { id: turn * BATCH as u16 + index as u16, is_open: true, sent: Some(now) };
        self.id
    }
}

impl Load {
    fn count(&mut self, said: Said, latency: Duration) {
        self.latencies_us.push(latency.as_micros() as u32);
        match said {
            Said::Blocked => self.blocked += 1,
            Said::Passed => self.passed += 1,
            Said::Failed => self.failed += 1,
        }
    }
}
