//! What the gateway costs on the emulated Cortex-M4: flash, memory, stack, and instructions, which QEMU
//! counts. All of it is compared with `benches/record/board.csv`, and must not be worse; with RECORD
//! set, that file is written anew. Wants qemu-system-arm, without which this is left out.
#![cfg(target_os = "linux")]

mod common;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/dns.rs"]
mod dns;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/firmware.rs"]
mod firmware;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/server.rs"]
mod server;

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

use firmware::firmware_of;
use server::{PATIENCE, Place, Process, ask, client, free_port, is_installed, upstream};

const RECORD: &str = "../benches/record/board.csv";
/// How much worse a figure may be, in percent: chance draws ports and spellings, which cost a bit
/// more or less.
const TOLERANCE: u64 = 2;
/// Queries of each kind.
const QUERIES: usize = 50;
/// Where the firmware counts; see `firmware/boards/mps2-an386/src/count.rs`.
const COUNTS: (u32, usize) = (0x21FE_0000, 0x1_0000);
/// Where it keeps what survives a loss of power; see `board.rs` there.
const STORAGE: (u32, usize) = (0x21FD_0000, 0x4000);
const STACK: (u32, usize) = (0x2000_0000, 0x4000);
/// From its eighth second to its 23rd the board does not ask for the time. While it asks, the network
/// stack looks after one socket more with each frame.
const AT_REST: Duration = Duration::from_secs(12);
/// What the stack is painted with (the feature `paint-stack` of cortex-m-rt).
const PAINT: [u8; 4] = [0xCC; 4];

#[test]
fn nothing_costs_more_than_before() {
    if !is_installed("qemu-system-arm") {
        return;
    }
    let names: Vec<String> = (0..20_000).map(|number| format!("b{number}.example")).collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.push("casino.example");
    let [flash, memory] = sizes(&build(&[]));
    let board = Board::boot(&build(&["--features", "count"]), Place::new(&names));
    let mut figures =
        vec![("flash", "octets", flash), ("memory, with the stack", "octets", memory)];
    let mut count = |figure, names: &[String]| {
        figures.push((figure, "instructions", board.cost(names)));
    };
    let name = |number| format!("n{number}.school.example.");
    let blocked = |number| format!("n{number}.casino.example.");
    count("query, blocked", &(0..QUERIES).map(blocked).collect::<Vec<_>>());
    count("query, blocked again", &vec![blocked(0); QUERIES]);
    let names: Vec<_> = (0..QUERIES).map(name).collect();
    count("query, forwarded", &names);
    count("query, from the cache", &names);
    count("query, from the cache again", &vec![name(0); QUERIES]);
    figures.push(("until it listens", "instructions", board.until_it_listens()));
    figures.push(("stack, used", "octets", board.stack()));

    let record = fs::read_to_string(RECORD).unwrap_or_default();
    let mut text = "figure,unit,value\n".to_owned();
    let mut worse = Vec::new();
    for (figure, unit, value) in figures {
        writeln!(text, "\"{figure}\",{unit},{value}").unwrap();
        let before = record.lines().find_map(|line| {
            line.strip_prefix(&format!("\"{figure}\",{unit},"))?.parse::<u64>().ok()
        });
        let change = before.map(|before| value as f64 * 100.0 / before as f64 - 100.0);
        println!("{figure:24} {value:9} {unit} ({:+.1} %)", change.unwrap_or(f64::NAN));
        if before.is_none_or(|before| value * 100 > before * (100 + TOLERANCE)) {
            worse.push(figure);
        }
    }
    if std::env::var_os("RECORD").is_some() {
        fs::write(RECORD, text).unwrap();
    } else {
        assert!(worse.is_empty(), "worse than {RECORD}: {worse:?}");
    }
}

/// Prints what names cost that are evenly taken from the list an image was built of:
/// `IMAGE=x.gfi NAMES=list cargo test -p filter-cli --test budgets -- --ignored --nocapture`.
#[test]
#[ignore = "wants an image in IMAGE, and names it blocks in NAMES, one a line"]
fn what_another_image_costs() {
    let path = |variable| std::env::var_os(variable).expect("wants IMAGE and NAMES");
    let text = fs::read_to_string(path("NAMES")).unwrap();
    let listed: Vec<&str> = text.lines().collect();
    let place = Place::new(&[]);
    fs::copy(path("IMAGE"), place.path("x.gfi")).unwrap();
    let board = Board::boot(&build(&["--features", "count"]), place);
    let asked = listed.iter().step_by(listed.len().div_ceil(QUERIES));
    let asked: Vec<_> = asked.map(|name| format!("www.{name}.")).collect();
    println!("query, blocked             {:9} instructions", board.cost(&asked));
    let clean: Vec<_> = (0..QUERIES).map(|number| format!("n{number}.school.example.")).collect();
    println!("query, forwarded           {:9} instructions", board.cost(&clean));
    println!("until it listens           {:9} instructions", board.until_it_listens());
}

/// The firmware of the emulated board, built so.
fn build(arguments: &[&str]) -> Vec<u8> {
    fs::read(firmware_of("thumbv7em-none-eabi", arguments)).unwrap()
}

/// Octets of flash and of memory that a program takes, out of its section headers (ELF, figure 4-8).
fn sizes(elf: &[u8]) -> [u64; 2] {
    const WRITE: u32 = 1;
    const ALLOC: u32 = 2;
    const NOBITS: u32 = 8;
    let word = |at: usize| u32::from_le_bytes(elf[at..at + 4].try_into().unwrap());
    let half = |at: usize| usize::from(u16::from_le_bytes(elf[at..at + 2].try_into().unwrap()));
    let (table, entry_len, entries) = (word(32) as usize, half(46), half(48));
    let [mut flash, mut memory] = [0, STACK.1 as u64];
    for header in (0..entries).map(|index| table + index * entry_len) {
        let (kind, flags, len) = (word(header + 4), word(header + 8), u64::from(word(header + 20)));
        if flags & ALLOC != 0 {
            flash += if kind == NOBITS { 0 } else { len };
            memory += if flags & WRITE == 0 { 0 } else { len };
        }
    }
    [flash, memory]
}

/// A board whose instructions are counted.
struct Board {
    place: Place,
    address: SocketAddr,
    _process: Process,
}

impl Board {
    fn boot(firmware: &[u8], place: Place) -> Board {
        let upstream: SocketAddr = upstream().parse().unwrap();
        fs::write(place.path("settings"), format!("upstream 10.0.2.2:{}\n", upstream.port()))
            .unwrap();
        fs::write(place.path("firmware"), firmware).unwrap();
        fs::write(place.path("erased"), [0xFF; STORAGE.1]).unwrap();
        let port = free_port();
        let mut qemu = Command::new("qemu-system-arm");
        qemu.args("-M mps2-an386 -display none -serial none -icount shift=6".split(' '))
            .args("-semihosting-config enable=on,target=native".split(' '))
            .args(["-nic", &format!("user,model=lan9118,hostfwd=udp:127.0.0.1:{port}-:53")])
            .args(["-monitor", "unix:monitor,server=on,wait=off"])
            .args(["-device", "loader,file=x.gfi,addr=0x21000000,force-raw=on"])
            .args(["-device", "loader,file=settings,addr=0x21ff0000,force-raw=on"])
            .args(["-device", &format!("loader,file=erased,addr={:#x},force-raw=on", STORAGE.0)])
            .args(["-kernel", "firmware"])
            .current_dir(place.path(""));
        let process = Process::start(&mut qemu);
        let board = Board { place, address: ([127, 0, 0, 1], port).into(), _process: process };
        board.wait();
        std::thread::sleep(AT_REST);
        board
    }

    /// Waits until it answers.
    fn wait(&self) {
        let end = Instant::now() + PATIENCE;
        while UdpSocket::bind(self.address).is_ok() {
            assert!(Instant::now() < end, "QEMU has not begun");
            std::thread::sleep(Duration::from_millis(10));
        }
        // And until it sleeps between two queries, for it looks for exceptions first.
        let socket = client(self.address);
        while {
            ask(&socket, "casino.example.");
            self.frames().is_empty()
        } {
            assert!(Instant::now() < end, "it does not sleep");
        }
    }

    /// What it takes from waking up to going to sleep, for each query all together: the median of the
    /// queries. Nothing else goes over the network meanwhile.
    fn cost(&self, names: &[String]) -> u64 {
        let socket = client(self.address);
        let mut costs: Vec<u64> = names
            .iter()
            .map(|name| {
                let before = self.frames().len();
                ask(&socket, name);
                // The reply is here before the processor sleeps.
                std::thread::sleep(Duration::from_millis(5));
                self.frames()[before..].iter().sum()
            })
            .collect();
        costs.sort_unstable();
        costs[costs.len() / 2]
    }

    /// The instructions each frame took.
    fn frames(&self) -> Vec<u64> {
        let words = self.memory(COUNTS);
        let words: Vec<u32> =
            words.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
        words[2..][..words[1] as usize].iter().map(|&ticks| instructions(ticks)).collect()
    }

    fn until_it_listens(&self) -> u64 {
        let words = self.memory(COUNTS);
        instructions(u32::from_le_bytes(*words.first_chunk().unwrap()))
    }

    fn stack(&self) -> u64 {
        let words = self.memory(STACK);
        let untouched = words.as_chunks().0.iter().take_while(|&&word| word == PAINT).count();
        (STACK.1 - untouched * PAINT.len()) as u64
    }

    /// Reads its memory, by QEMU's monitor.
    fn memory(&self, (address, len): (u32, usize)) -> Vec<u8> {
        let mut monitor = UnixStream::connect(self.place.path("monitor")).unwrap();
        read_until(&mut monitor, b"(qemu) ");
        monitor.write_all(format!("pmemsave {address} {len} memory\n").as_bytes()).unwrap();
        read_until(&mut monitor, b"\n(qemu) ");
        fs::read(self.place.path("memory")).unwrap()
    }
}

fn read_until(monitor: &mut UnixStream, end: &[u8]) {
    let (mut said, mut octet) = (Vec::new(), [0]);
    while !said.ends_with(end) {
        monitor.read_exact(&mut octet).unwrap();
        said.extend(octet);
    }
}

/// A tick takes 40 ns, and with `shift=6` an instruction 64.
fn instructions(ticks: u32) -> u64 {
    u64::from(ticks) * 40 / 64
}
