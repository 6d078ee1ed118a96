//! What survives a loss of power: `gardefou gateway` is killed, and QEMU with it, and the next board has
//! the same flash. Wants qemu-system-arm, setpriv, curl and dig, without which all of this is left out.
#![cfg(target_os = "linux")]

#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/board.rs"]
mod board;
mod common;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/dns.rs"]
mod dns;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/server.rs"]
mod server;

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use board::Board;
use common::Random;
use filter_core::compile::{Compiler, ListInfo};
use filter_core::policy::{Policy, PolicyBuilder};
use filter_core::{Action, CategorySet, Scope};
use server::{PATIENCE, Place, is_installed, upstream};
use tempfile::TempDir;

const GAMBLING: CategorySet = CategorySet::of(20);
const PIN: &str = "pin=123456";

/// Boots a board on which `casino.example` is blocked for all but staff, with this state.
fn boot(profiles: [&str; 2], state: &Path) -> Board {
    let mut compiler = Compiler::new(1);
    compiler.category(20, "gambling").unwrap();
    let list = compiler.list(ListInfo::new("demo", GAMBLING)).unwrap();
    compiler.rule(&"casino.example".parse().unwrap(), Scope::Subtree, Action::Block, list).unwrap();
    let mut builder = PolicyBuilder::new();
    for id in profiles {
        let categories = if id == "staff" { CategorySet::EMPTY } else { GAMBLING };
        builder.profile(id, Policy::new(categories)).unwrap();
    }
    compiler.policy(builder.finish().unwrap());
    let place = Place::new(&[]);
    fs::write(place.path("x.gfi"), compiler.finish().unwrap().octets).unwrap();
    Board::boot(place, &["--upstream", &upstream(), "--state", state.to_str().unwrap()])
}

fn is_possible() -> bool {
    ["qemu-system-arm", "setpriv", "curl", "dig"].into_iter().all(is_installed)
}

/// Sends a form as the owner, whose cookies are in a file.
fn post(board: &Board, jar: &Path, way: &str, form: &str) -> String {
    let mut command = Command::new("curl");
    command.args(["-s", "--max-time", "10", "-d", form, "-b"]).arg(jar).arg("-c").arg(jar);
    command.arg(format!("http://{}/gardefou/{way}", board.pages));
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

fn is_blocked(board: &Board) -> bool {
    let answer = board.dig(&["casino.example"]);
    let is_blocked = answer.contains("status: NXDOMAIN");
    assert!(is_blocked || answer.contains("192.0.2.1"), "{answer}");
    is_blocked
}

/// Kills the gateway, which cannot do anything about its board any more.
fn cut(board: Board) {
    let address = board.address;
    board.process.signal("KILL");
    drop(board);
    let end = Instant::now() + PATIENCE;
    while UdpSocket::bind(address).is_err() {
        assert!(Instant::now() < end, "the board goes on");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn pin_and_profile_survive() {
    if !is_possible() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let (state, jar) = (folder.path().join("state"), folder.path().join("cookies"));
    let board = boot(["everyone", "staff"], &state);
    assert!(is_blocked(&board));
    assert!(post(&board, &jar, "choose", PIN).contains("This place is protected"));
    post(&board, &jar, "profile", "profile=1");
    assert!(!is_blocked(&board));
    cut(board);

    // By its id, wherever the profile is now.
    let board = boot(["staff", "everyone"], &state);
    assert!(!is_blocked(&board));
    assert!(post(&board, &jar, "", "a=b").contains("/gardefou/enter"), "there is a PIN");
    assert!(post(&board, &jar, "choose", "pin=654321").contains("This is not the PIN."));
    assert!(post(&board, &jar, "enter", "pin=000000").contains("This is not the PIN."));
    assert!(post(&board, &jar, "enter", PIN).contains("This place is protected"));
    post(&board, &jar, "profile", "profile=1");
    cut(board);

    let board = boot(["everyone", "pupils"], &state);
    assert!(is_blocked(&board));
    cut(board);
    let board = boot(["staff", "pupils"], &state);
    assert!(!is_blocked(&board), "without the profile that was kept, the image's usual one holds");
    // In a flash that is nobody's, nothing is kept yet, and there is room.
    cut(board);
    fs::write(&state, vec![0; 1 << 24]).unwrap();
    let board = boot(["everyone", "staff"], &state);
    assert!(is_blocked(&board));
    assert!(post(&board, &jar, "choose", PIN).contains("This place is protected"));
    cut(board);
    let board = boot(["everyone", "staff"], &state);
    assert!(post(&board, &jar, "enter", PIN).contains("This place is protected"));
}

#[test]
fn whenever_the_power_goes_the_pin_stays_and_the_board_answers() {
    if !is_possible() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let (state, jar) = (folder.path().join("state"), folder.path().join("cookies"));
    let mut board = boot(["everyone", "staff"], &state);
    post(&board, &jar, "choose", PIN);
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for _ in 0..8 {
        // Changes one after the other, faster than anybody, until it is gone.
        let (pages, jar_) = (board.pages, jar.clone());
        let url = format!("http://{pages}/gardefou/profile");
        let changing = thread::spawn(move || {
            for change in 0.. {
                let form = format!("profile={}", change % 2);
                let mut curl = Command::new("curl");
                curl.args(["-s", "-o", "/dev/null", "--max-time", "10", "-d", &form, "-b"]);
                if !curl.arg(&jar_).arg(&url).status().unwrap().success() {
                    return change;
                }
            }
            0
        });
        thread::sleep(Duration::from_micros(200_000 + random.below(300_000) as u64));
        cut(board);
        assert!(changing.join().unwrap() > 0, "nothing was changed");
        board = boot(["everyone", "staff"], &state);
        is_blocked(&board);
        assert!(post(&board, &jar, "enter", PIN).contains("This place is protected"));
    }
}

#[test]
fn a_state_is_for_one_gateway_and_for_nothing_else() {
    if !is_possible() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let state = folder.path().join("state");
    let _board = boot(["everyone", "staff"], &state);
    let other = folder.path().join("other");
    fs::write(&other, "notes").unwrap();
    let place = Place::new(&["casino.example"]);
    for (state, words) in [(&state, "another gateway"), (&other, "is no board's state")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gardefou"));
        command.args(["gateway", "--listen", "127.0.0.1:0", "--pages", "127.0.0.1:0", "--image"]);
        command.arg(place.path("x.gfi")).arg("--state").arg(state);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(words), "{said}");
    }
    assert_eq!(fs::read(&other).unwrap(), b"notes");
}
