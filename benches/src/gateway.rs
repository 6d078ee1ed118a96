//! `gateway`: how many queries a second the firmware answers in QEMU, beside a firmware that says to
//! everything that there is no such name, without a look at it: the limit of network and processor there.
//!
//! Both are asked over a cable that loses nothing, with 32 questions on their way. What counts is answers
//! by processor second of QEMU: a second of the clock also has whatever else the machine does.

#[allow(dead_code, unreachable_pub, reason = "a part of a test runner")]
#[path = "../../tests/common/cable.rs"]
mod cable;

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use filter_core::compile::{Compiler, ListInfo};
use filter_core::{Action, CategorySet, Scope};
use serde::Serialize;

use self::cable::{BOARD, Cable};
use crate::dns::server::processor_ns;
use crate::lists::root;
use crate::measure::median;
use crate::record::Records;

/// Rules of the image, as many as in `tests/budgets.rs`.
const RULES: usize = 20_000;
/// Questions on their way.
const ON_THE_WAY: usize = 32;
/// A client is one of many: the gateway has a budget for each, and nobody here exceeds it.
const QUESTIONS_PER_CLIENT: usize = 200;
const CLIENTS: usize = 1 << 14;
const NXDOMAIN: u8 = 3;
/// An answer that takes longer is lost.
const PATIENCE: Duration = Duration::from_millis(500);
const BEGINNING: Duration = Duration::from_secs(60);

/// Answers a second of the firmware.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long a round asks each firmware for each kind of name.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Writes `<date>-gateway.csv` into this folder.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
}

#[derive(Serialize)]
struct Row {
    firmware: &'static str,
    names: &'static str,
    /// By second of QEMU's processor time.
    per_processor_second: u64,
    /// By second of the clock.
    per_second: u64,
    /// The first, beside that of the bare responder asked the same.
    relative: f64,
    lost: usize,
}

/// What is asked for.
#[derive(Clone, Copy)]
enum Asked {
    /// Another blocked name each time.
    New,
    /// A few, again and again.
    Again,
}

impl Asked {
    const ALL: [(Asked, &str); 2] = [(Asked::New, "blocked"), (Asked::Again, "blocked again")];
}

/// Builds, boots, asks, prints, records.
///
/// # Errors
/// When something is missing, or an answer is another than that there is no such name.
pub(crate) fn run(args: &Args) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let image = image()?;
    let mut boards = Vec::new();
    for (firmware, features) in [("bare", &["--features", "bare"][..]), ("gateway", &[])] {
        let program = folder.path().join(firmware);
        fs::copy(build(features)?, &program)?;
        // A network with room for all clients.
        boards.push((firmware, Cable::plug(&program, &image, "address 10.0.0.2/9 10.0.0.1\n")));
    }
    let mut taken: Vec<[Vec<Taken>; 2]> = boards.iter().map(|_| Default::default()).collect();
    let mut number = 0;
    for _ in 0..args.rounds {
        for ((_, cable), taken) in boards.iter_mut().zip(&mut taken) {
            for ((asked, _), taken) in Asked::ALL.into_iter().zip(taken) {
                let duration = Duration::from_secs_f64(args.seconds);
                taken.push(ask(cable, asked, duration, &mut number)?);
            }
        }
    }
    let rows = rows(&boards, &taken);
    crate::print(&rows)?;
    if let Some(folder) = &args.record {
        Records::open(folder)?.rows("gateway", &rows)?;
    }
    Ok(())
}

fn rows(boards: &[(&'static str, Cable)], taken: &[[Vec<Taken>; 2]]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (kind, (_, names)) in Asked::ALL.iter().enumerate() {
        let rate = |rounds: &Vec<Taken>, seconds: fn(&Taken) -> f64| {
            median(rounds.iter().map(|taken| taken.answers as f64 / seconds(taken)).collect())
        };
        let bare = rate(&taken[0][kind], |taken| taken.processor_s);
        for ((firmware, _), rounds) in boards.iter().zip(taken) {
            let rounds = &rounds[kind];
            let per_processor_second = rate(rounds, |taken| taken.processor_s);
            rows.push(Row {
                firmware,
                names,
                per_processor_second: per_processor_second as u64,
                per_second: rate(rounds, |taken| taken.clock_s) as u64,
                relative: (per_processor_second / bare * 100.0).round() / 100.0,
                lost: rounds.iter().map(|taken| taken.lost).sum(),
            });
        }
    }
    rows
}

/// What a round came to.
struct Taken {
    answers: usize,
    lost: usize,
    processor_s: f64,
    clock_s: f64,
}

/// Keeps questions on their way for so long.
fn ask(cable: &mut Cable, asked: Asked, duration: Duration, number: &mut usize) -> Result<Taken> {
    wait(cable)?;
    let (began, used_ns) = (Instant::now(), processor_ns(cable.process())?);
    let (mut answers, mut on_the_way, mut lost) = (0, 0, 0);
    while began.elapsed() < duration {
        while on_the_way < ON_THE_WAY {
            send(cable, asked, *number);
            *number += 1;
            on_the_way += 1;
        }
        match cable.next(PATIENCE) {
            Some(datagram) if datagram.from.port() == 53 => {
                let rcode = datagram.octets.get(3).map(|octet| octet & 0xF);
                ensure!(rcode == Some(NXDOMAIN), "another answer: {:?}", datagram.octets);
                (answers, on_the_way) = (answers + 1, on_the_way - 1);
            }
            Some(_) => {}
            None => (lost, on_the_way) = (lost + on_the_way, 0),
        }
    }
    let processor_s = (processor_ns(cable.process())? - used_ns) as f64 / 1e9;
    let clock_s = began.elapsed().as_secs_f64();
    // What is still to come belongs to nobody.
    while cable.next(PATIENCE).is_some_and(|datagram| datagram.from.port() == 53) {}
    Ok(Taken { answers, lost, processor_s, clock_s })
}

/// Waits until it answers.
fn wait(cable: &mut Cable) -> Result<()> {
    let began = Instant::now();
    loop {
        ensure!(began.elapsed() < BEGINNING, "a board does not answer");
        send(cable, Asked::Again, 0);
        if cable.next(PATIENCE).is_some_and(|datagram| datagram.from.port() == 53) {
            return Ok(());
        }
    }
}

fn send(cable: &Cable, asked: Asked, number: usize) {
    let client = number / QUESTIONS_PER_CLIENT % CLIENTS;
    let [high, low] = (client as u16).to_be_bytes();
    let from = SocketAddrV4::new(Ipv4Addr::new(10, 1, high, low), 40_000);
    let label = match asked {
        Asked::New => number,
        Asked::Again => number % 16,
    };
    let label = format!("q{label}");
    let id = (number as u16).to_be_bytes();
    let question = [
        &id[..],
        b"\x01\0\0\x01\0\0\0\0\0\0",
        &[label.len() as u8],
        label.as_bytes(),
        b"\x06casino\x07example\0\0\x01\0\x01",
    ];
    cable.send(from, SocketAddrV4::new(BOARD, 53), &question.concat());
}

/// An image that blocks `casino.example` and enough else.
fn image() -> Result<Vec<u8>> {
    let mut compiler = Compiler::new(1);
    compiler.category(20, "gambling")?;
    let list = compiler.list(ListInfo::new("demo", CategorySet::of(20)))?;
    let names = (0..RULES).map(|number| format!("b{number}.example"));
    for name in names.chain(["casino.example".to_owned()]) {
        compiler.rule(&name.parse()?, Scope::Subtree, Action::Block, list)?;
    }
    Ok(compiler.finish()?.octets)
}

/// Builds a firmware in a folder beside the running program, and gives its path.
fn build(arguments: &[&str]) -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).map(|folder| folder.join("boards"));
    let target = target.context("where is this program?")?;
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--locked", "--quiet", "--target-dir"]).arg(&target);
    let folder: &Path = &root().join("firmware/boards/mps2-an386");
    let status = cargo.args(arguments).current_dir(folder).status();
    ensure!(status.context("cannot start cargo")?.success(), "the firmware does not build");
    Ok(target.join("thumbv7em-none-eabi/release/mps2-an386"))
}
