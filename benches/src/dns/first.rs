//! From start to first correct answer, and what is let through meanwhile.

use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::Target;
use super::message::Said;

/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// So many blocked names in a row mean that the list is there.
const ENOUGH: u32 = 2000;

pub(super) fn run(target: &Target, command: &[String]) -> Result<()> {
    let names = target.names()?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(target.server)?;
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    let mut process = Command::new(&command[0]);
    process.args(&command[1..]).stdin(Stdio::null()).stdout(Stdio::null());
    let began = Instant::now();
    let mut child = process.stderr(Stdio::null()).spawn()?;
    let (mut first_ms, mut in_a_row, mut passed) = (None, 0, 0);
    let mut answer = [0; 2048];
    for number in 0.. {
        let mut question = names.question(number, false);
        let id = (number as u16).to_be_bytes();
        question[..2].copy_from_slice(&id);
        // Refused until somebody listens.
        let mut said = None;
        if socket.send(&question).is_ok() {
            // Ends because the socket has a time limit. Some bind their socket before they load, and
            // answer what came meanwhile first.
            while let Ok(len) = socket.recv(&mut answer) {
                if answer[..2] == id {
                    said = Some(names.said(&answer[..len]));
                    break;
                }
            }
        }
        match said {
            Some(Said::Blocked) => {
                first_ms.get_or_insert_with(|| began.elapsed().as_secs_f64() * 1e3);
                in_a_row += 1;
            }
            Some(Said::Passed) => {
                passed += 1;
                in_a_row = 0;
            }
            _ => sleep(Duration::from_micros(100)),
        }
        if in_a_row == ENOUGH {
            break;
        }
        if began.elapsed() > PATIENCE || child.try_wait()?.is_some() {
            let _ = child.kill();
            bail!("{} does not answer", command.join(" "));
        }
    }
    println!("{} {:.1} {passed}", child.id(), first_ms.unwrap_or(0.0));
    Ok(())
}
