//! What goes wrong inside of the firmware, made to by QEMU's debugger: the board says what it was, begins
//! anew and answers, within a second. Wants qemu-system-arm, defmt-print and nm, without which all of
//! this is left out.
#![cfg(target_os = "linux")]

#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/cable.rs"]
mod cable;
mod common;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/dns.rs"]
mod dns;
#[allow(unreachable_pub, reason = "a part of this runner")]
#[path = "common/firmware.rs"]
mod firmware;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/server.rs"]
mod server;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

use cable::{BOARD, Cable};
use dns::Message;
use firmware::firmware;
use server::{Place, is_installed, query};

const NXDOMAIN: u16 = 3;
const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 40_000);
const DNS: SocketAddrV4 = SocketAddrV4::new(BOARD, 53);
/// Nothing here takes so long, not even on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a board may take, where nothing else keeps the machine busy: once in so many times.
const RECOVERY: Duration = Duration::from_secs(1);
const TIMES: usize = 5;
/// The end of the stack that is never used, by `regions.x`.
const SPARE: u32 = 0x2000_0000;
/// Nothing is at this address.
const NOWHERE: u32 = 0x6000_0000;
const PC: u8 = 15;

fn is_possible() -> bool {
    ["qemu-system-arm", "defmt-print", "nm"].into_iter().all(is_installed)
}

/// Boots a board on which `casino.example` is blocked, and waits until it says so.
fn boot() -> Cable {
    let image = fs::read(Place::new(&["casino.example"]).path("x.gfi")).unwrap();
    let mut cable = Cable::plug(&firmware(), &image, "");
    wait(&mut cable);
    cable
}

/// Asks until there is an answer, and gives how long that takes.
fn wait(cable: &mut Cable) -> Duration {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        let id = cable.number();
        cable.send(CLIENT, DNS, &query(id, "casino.example."));
        while let Some(datagram) = cable.next(Duration::from_millis(20)) {
            if datagram.to == CLIENT {
                let answer = Message::from_octets(&datagram.octets);
                assert_eq!(answer.rcode, NXDOMAIN);
                if answer.id == id {
                    return begin.elapsed();
                }
            }
        }
    }
    panic!("it does not answer any more:\n{}", log(cable));
}

/// What the board has said.
fn log(cable: &Cable) -> String {
    let mut reader = Command::new("defmt-print");
    reader.arg("-e").arg(firmware()).stdin(File::open(cable.path("log")).unwrap());
    String::from_utf8(reader.output().unwrap().stdout).unwrap()
}

/// Lets something go wrong several times; the board has to say so, and to answer soon. Gives its log.
fn recovers(what: &str, fail: impl Fn(&mut Debugger)) -> String {
    let mut cable = boot();
    let times: Vec<_> = (0..TIMES)
        .map(|_| {
            let mut debugger = Debugger::stop(&cable);
            fail(&mut debugger);
            debugger.go_on();
            wait(&mut cable)
        })
        .collect();
    println!("{what}: answers after {times:?}");
    let log = log(&cable);
    assert_eq!(log.matches(what).count(), TIMES, "{log}");
    assert!(times.iter().any(|time| *time < RECOVERY), "{times:?}");
    log
}

#[test]
fn a_hard_fault_is_told_and_got_over() {
    if !is_possible() {
        return;
    }
    recovers("hard fault at 0x60000000, called from ", |debugger| debugger.set(PC, NOWHERE));
}

#[test]
fn a_panic_is_told_and_got_over() {
    if !is_possible() {
        return;
    }
    // Where `core` finds that something is borrowed already, whoever called it.
    let panic = address("core::cell::panic_already_borrowed");
    let log = recovers("panicked", |debugger| debugger.set(PC, panic));
    let callers = log.lines().filter_map(|line| line.split_once("called from 0x"));
    let mut callers = callers.map(|(_, address)| u32::from_str_radix(address.trim(), 16).unwrap());
    assert!(callers.any(|caller| (panic..panic + 16).contains(&caller)), "{log}");
}

#[test]
fn what_hangs_is_ended_by_the_watchdog() {
    if !is_possible() {
        return;
    }
    let mut cable = boot();
    let mut debugger = Debugger::stop(&cable);
    // A branch to itself.
    debugger.write(SPARE, &[0xFE, 0xE7]);
    debugger.set(PC, SPARE);
    debugger.go_on();
    let time = wait(&mut cable);
    println!("hanging: answers after {time:?}");
    assert!(log(&cable).contains("nothing has come to an end"), "{}", log(&cable));
}

/// The address of a function of the firmware.
fn address(name: &str) -> u32 {
    let output = Command::new("nm").arg("-C").arg(firmware()).output().unwrap();
    let symbols = String::from_utf8(output.stdout).unwrap();
    let line = symbols.lines().find(|line| line.ends_with(name)).unwrap();
    // The lowest bit says which instructions it has.
    u32::from_str_radix(line.split(' ').next().unwrap(), 16).unwrap() & !1
}

/// QEMU's debugger, by GDB's remote serial protocol. The board stands still as long as there is one.
struct Debugger(UnixStream);

impl Debugger {
    fn stop(cable: &Cable) -> Debugger {
        let stream = UnixStream::connect(cable.path("debugger")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut debugger = Debugger(stream);
        // Who does not ask for the registers there are is not let at single ones.
        assert!(debugger.say("qXfer:features:read:target.xml:0,40").starts_with('m'));
        debugger
    }

    /// Sets a register.
    fn set(&mut self, register: u8, value: u32) {
        let value = hex(&value.to_le_bytes());
        assert_eq!(self.say(&format!("P{register:x}={value}")), "OK");
    }

    /// Writes to memory.
    fn write(&mut self, address: u32, octets: &[u8]) {
        let command = format!("M{address:x},{:x}:{}", octets.len(), hex(octets));
        assert_eq!(self.say(&command), "OK");
    }

    /// Leaves the board alone.
    fn go_on(mut self) {
        assert_eq!(self.say("D"), "OK");
    }

    /// Sends a packet, and gives the reply.
    fn say(&mut self, text: &str) -> String {
        let sum = text.bytes().fold(0u8, u8::wrapping_add);
        write!(self.0, "${text}#{sum:02x}").unwrap();
        let mut heard = Vec::new();
        // Behind the confirmation of what was said; it ends with a sum of two digits.
        loop {
            let mut octet = [0];
            self.0.read_exact(&mut octet).unwrap();
            heard.extend(octet);
            let text = str::from_utf8(&heard).unwrap();
            let reply = text.split_once("+$").and_then(|(_, reply)| reply.split_once('#'));
            if let Some((reply, sum)) = reply
                && sum.len() == 2
            {
                self.0.write_all(b"+").unwrap();
                return reply.to_owned();
            }
        }
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
