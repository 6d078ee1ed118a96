//! The firmware on sisters of the emulated board that have other processors: it is the same program.
//! Wants qemu-system-arm, without which all of this is left out.
#![cfg(target_os = "linux")]

#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/cable.rs"]
mod cable;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/dns.rs"]
mod dns;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/firmware.rs"]
mod firmware;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/server.rs"]
mod server;

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use cable::{BOARD, Cable};
use dns::Message;
use firmware::firmware_of;
use server::{Place, is_installed, query};

const PATIENCE: Duration = Duration::from_secs(30);
const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 40_000);
const UPSTREAM: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 53), 53);

/// Asks until there is an answer; the upstream knows everything.
fn rcode(cable: &mut Cable, name: &str) -> u16 {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        cable.send(CLIENT, SocketAddrV4::new(BOARD, 53), &query(7, name));
        while let Some(datagram) = cable.next(Duration::from_millis(200)) {
            let mut message = Message::from_octets(&datagram.octets);
            if datagram.to == CLIENT {
                return message.rcode;
            }
            if datagram.to == UPSTREAM {
                (message.qr, message.ra) = (true, true);
                cable.send(UPSTREAM, datagram.from, &message.to_octets());
            }
        }
    }
    panic!("no answer about {name}");
}

fn answers(machine: &str, psram: u32, processor: &str, arguments: &[&str]) {
    if !is_installed("qemu-system-arm") {
        return;
    }
    let program = firmware_of(processor, arguments);
    let image = fs::read(Place::new(&["casino.example"]).path("x.gfi")).unwrap();
    let settings = format!("upstream {}\n", UPSTREAM.ip());
    let mut cable = Cable::plug_into(machine, psram, &program, &image, &settings);
    assert_eq!(rcode(&mut cable, "www.casino.example."), 3, "{machine}");
    assert_eq!(rcode(&mut cable, "school.example."), 0, "{machine}");
}

#[test]
fn a_cortex_m3_answers() {
    answers("mps2-an385", 0x2100_0000, "thumbv7m-none-eabi", &[]);
}

/// Both are for the same target, and one folder has one of them at a time.
#[test]
fn a_cortex_m4_and_a_cortex_m7_answer() {
    answers("mps2-an500", 0x6000_0000, "thumbv7em-none-eabi", &["--features", "an500"]);
    answers("mps2-an386", 0x2100_0000, "thumbv7em-none-eabi", &[]);
}

#[test]
fn a_cortex_m33_answers() {
    answers("mps2-an505", 0x8000_0000, "thumbv8m.main-none-eabi", &["--features", "an505"]);
}
