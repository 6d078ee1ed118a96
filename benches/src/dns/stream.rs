//! A reload under a steady stream: what is lost, how soon the new list counts, and for how long the
//! old one still does.
//!
//! Of twenty queries, eighteen are for names that are blocked before and after; one is for the name
//! that is new on the list, which the server may remember as let through; and one for a name below it
//! that nobody has asked for.

use std::collections::HashMap;
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::sys::socket::{setsockopt, sockopt};

use super::Target;
use super::batch::{BATCH, Batch};
use super::message::{Names, Said, labels};
use super::server::{forget_peak, status_kb};

const RECEIVE_LEN: usize = 8 << 20;
const LOST_AFTER: Duration = Duration::from_secs(2);
/// The stream before the reload, and after the new list counts.
const BEFORE: Duration = Duration::from_millis(500);
const AFTER: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Blocked,
    Remembered,
    Fresh,
}

pub(super) fn run(
    target: &Target,
    pid: u32,
    new: &str,
    per_second: u32,
    seconds: f64,
    reload_command: &[String],
) -> Result<()> {
    let names = target.names()?;
    let new = Names::new(vec![labels(new)], target.zone.as_deref());
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(target.server)?;
    socket.set_nonblocking(true)?;
    // So that what is lost is not lost here, where that is permitted.
    let _ = setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_LEN);
    forget_peak(pid)?;
    let before_kb = status_kb(pid, "VmRSS")?;

    let (mut sending, mut receiving) = (Batch::new(), Batch::new());
    let mut open: HashMap<u16, (Kind, Instant)> = HashMap::new();
    let (mut answered, mut lost, mut stale) = (0u32, 0u32, 0u32);
    let (mut reload, mut effective): (Option<(Instant, _)>, Option<Instant>) = (None, None);
    let began = Instant::now();
    let mut number = 0u32;
    loop {
        let due = began + Duration::from_secs(1) * number / per_second;
        sleep(due.saturating_duration_since(Instant::now()));
        let now = Instant::now();
        if reload.is_none() && now - began > BEFORE {
            let mut command = Command::new(&reload_command[0]);
            command.args(&reload_command[1..]).stdout(Stdio::null());
            reload = Some((now, command.spawn()?));
        }
        let over = effective.map(|at| at + AFTER);
        let at_most = began + BEFORE + Duration::from_secs_f64(seconds);
        if now > over.unwrap_or(at_most) {
            break;
        }
        let due_now = ((now - began).as_secs_f64() * f64::from(per_second)) as u32;
        let numbers = number..(due_now + 1).clamp(number + 1, number + BATCH as u32);
        number = numbers.end;
        let mut questions = Vec::new();
        for number in numbers {
            let (kind, mut question) = match number % 20 {
                9 => (Kind::Remembered, new.question(0, false)),
                19 => (Kind::Fresh, new.question(number as usize, true)),
                _ => (Kind::Blocked, names.question(number as usize, false)),
            };
            let id = number as u16;
            question[..2].copy_from_slice(&id.to_be_bytes());
            // Whoever has not answered before all other numbers were taken does not in time.
            if open.insert(id, (kind, now)).is_some() {
                lost += 1;
            }
            questions.push(question);
        }
        let datagrams: Vec<_> = questions.iter().map(|question| (&question[..], None)).collect();
        // What the system does not take now is lost.
        sending.send(&socket, &datagrams)?;
        loop {
            let received = receiving.receive(&socket)?;
            let is_last = received.len() < BATCH;
            for (message, len, _) in received {
                let message = &message[..len];
                let id = u16::from_be_bytes([message[0], message[1]]);
                let Some((kind, sent)) = open.remove(&id) else { continue };
                answered += 1;
                let said = names.said(message);
                let after_reload = reload.as_ref().is_some_and(|(at, _)| sent > *at);
                match (kind, said) {
                    (Kind::Fresh, Said::Blocked) if after_reload => {
                        effective.get_or_insert(now);
                    }
                    (Kind::Remembered, Said::Passed) if effective.is_some_and(|at| sent > at) => {
                        stale += 1;
                    }
                    // Refused is as good as lost.
                    (_, Said::Failed) => lost += 1,
                    _ => {}
                }
            }
            if is_last {
                break;
            }
        }
    }
    lost += open.values().filter(|(_, sent)| sent.elapsed() > LOST_AFTER).count() as u32;
    let peak_kb = status_kb(pid, "VmHWM")?;
    if let Some((_, child)) = &mut reload {
        child.wait()?;
    }
    ensure!(answered > 0, "no answers");
    let took = effective.zip(reload).map(|(at, (reload, _))| at - reload);
    let took_ms = took.map_or("-".to_owned(), |took| format!("{:.0}", took.as_secs_f64() * 1e3));
    println!("{lost} {took_ms} {stale} {:.2}", peak_kb / before_kb);
    Ok(())
}
