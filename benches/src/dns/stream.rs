//! A reload under a steady stream: what is lost, how soon the new list counts, and for how long the
//! old one still does.
//!
//! Of twenty queries, eighteen are for names that are blocked before and after; one is for the name
//! that is new on the list, which the server may remember as let through; and one for a name below it
//! that nobody has asked for.

use std::collections::HashMap;
use std::net::UdpSocket;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Target;
use super::batch::Batch;
use super::message::{Names, Said, labels};
use super::server::{forget_peak, status_kb};

const PER_SECOND: u32 = 1000;
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
    seconds: f64,
    command: &[String],
) -> Result<()> {
    let names = target.names()?;
    let new = Names::new(vec![labels(new)], target.zone.as_deref());
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(target.server)?;
    socket.set_nonblocking(true)?;
    forget_peak(pid)?;
    let before_kb = status_kb(pid, "VmRSS")?;

    let mut batch = Batch::new();
    let mut open: HashMap<u16, (Kind, Instant)> = HashMap::new();
    let (mut answered, mut lost, mut stale) = (0u32, 0u32, 0u32);
    let (mut reload, mut effective): (Option<(Instant, _)>, Option<Instant>) = (None, None);
    let began = Instant::now();
    for number in 0u32.. {
        let due = began + Duration::from_secs(1) / PER_SECOND * number;
        sleep(due.saturating_duration_since(Instant::now()));
        let now = Instant::now();
        if reload.is_none() && now - began > BEFORE {
            reload = Some((now, Command::new(&command[0]).args(&command[1..]).spawn()?));
        }
        let over = effective.map(|at| at + AFTER);
        let at_most = began + BEFORE + Duration::from_secs_f64(seconds);
        if now > over.unwrap_or(at_most) {
            break;
        }
        let kind = match number % 20 {
            9 => Kind::Remembered,
            19 => Kind::Fresh,
            _ => Kind::Blocked,
        };
        let mut question = match kind {
            Kind::Blocked => names.question(number as usize, false),
            Kind::Remembered => new.question(0, false),
            Kind::Fresh => new.question(number as usize, true),
        };
        let id = number as u16;
        question[..2].copy_from_slice(&id.to_be_bytes());
        if open.insert(id, (kind, now)).is_some() {
            lost += 1;
        }
        // What the system does not take now is lost.
        let _ = socket.send(&question);
        for (message, len, _) in batch.receive(&socket)? {
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
