//! The time, of which a board without a battery knows nothing when it begins: asks a server by SNTP
//! (RFC 4330), and tells the worker.
//!
//! Asked is the server of the settings; else the router of the network, and then the name servers
//! DHCP has named: boxes that have the time tell it at the addresses they are known by. Servers
//! elsewhere are not asked unless the owner says so.
//!
//! Whoever sees the request can forge the answer, as with all of SNTP; who does not would have to
//! guess the port it left from and the 64 bits it has to bring back.

use core::convert::Infallible;
use core::net::Ipv4Addr;

use embassy_net::udp::{UdpMetadata, UdpSocket};
use embassy_net::{IpEndpoint, StaticConfigV4};
use embassy_time::{Duration, Timer, with_timeout};
use heapless::Vec;

use crate::memory::Buffers;
use crate::notice::Notice;
use crate::settings::Settings;
use crate::worker::Worker;

/// Octets of a request, and of what counts of an answer.
const PACKET_LEN: usize = 48;
/// What waits at the socket.
pub(super) type Datagrams = Buffers<4, { 4 * PACKET_LEN }, PACKET_LEN>;
const PORT: u16 = 123;
/// Clients come first: the stack looks for one neighbor a second.
const COURTESY: Duration = Duration::from_secs(2);
/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long to wait before asking again: twice as long each time, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(15);
const LONGEST_WAIT: Duration = Duration::from_secs(960);
/// When it is known. Clocks of boards are off by less than a second then.
const REFRESH: Duration = Duration::from_secs(3600);

/// No leap second to tell of, version 4, from a client.
const CLIENT: u8 = 4 << 3 | 3;
const SERVER_MODE: u8 = 4;
/// What a server says that does not know the time itself.
const LEAP_UNKNOWN: u8 = 3;
const ORIGINATE: usize = 24;
const TRANSMIT: usize = 40;
const TIMESTAMP_LEN: usize = 8;

/// Seconds from the beginning of 1900, from which NTP counts, to that of 1970; and until it begins
/// anew, in 2036.
const BEGIN_1970_S: i64 = 2_208_988_800;
const ERA_S: i64 = 1 << 32;
/// Earlier than this it cannot be.
const BEGIN_2025_S: i64 = 1_735_689_600;

/// Asks for the time, and again when it may have become wrong; for ever.
pub(super) async fn keep(
    worker: &Worker,
    datagrams: &mut Datagrams,
    settings: &Settings,
    notice: fn(Notice),
) -> Infallible {
    let (mut wait, mut is_known) = (FIRST_WAIT, false);
    worker.stack.wait_config_up().await;
    Timer::after(COURTESY).await;
    loop {
        worker.stack.wait_config_up().await;
        match ask_all(worker, datagrams, settings).await {
            Some(unix_s) => {
                worker.set_time(unix_s);
                if !is_known {
                    notice(Notice::Time);
                }
                (wait, is_known) = (FIRST_WAIT, true);
                Timer::after(REFRESH).await;
            }
            None => {
                if !is_known && wait == FIRST_WAIT {
                    notice(Notice::NoTime);
                }
                Timer::after(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}

/// The time by the first server that tells it.
async fn ask_all(worker: &Worker, datagrams: &mut Datagrams, settings: &Settings) -> Option<i64> {
    let mut socket = datagrams.socket(worker.stack);
    for server in servers(settings, &worker.stack.config_v4()?) {
        let cookie = worker.random().to_be_bytes();
        socket.close();
        // One that cannot be foreseen (RFC 9109). It is not bound, and the port is one.
        let _ = socket.bind(worker.random() as u16 | 1 << 15);
        let asked = ask(&socket, (server, PORT).into(), cookie);
        if let Ok(unix_s) = with_timeout(PATIENCE, asked).await {
            return Some(unix_s);
        }
    }
    None
}

/// Asks a server, and waits for what can only be its answer.
async fn ask(socket: &UdpSocket<'_>, server: IpEndpoint, cookie: [u8; TIMESTAMP_LEN]) -> i64 {
    // What cannot be sent gets no answer, like what is lost on the way.
    let _ = socket.send_to(&request(cookie), server).await;
    let mut buffer = [0; PACKET_LEN];
    loop {
        // What is longer, with a signature nobody could check, does not fit and is an error.
        let Ok((len, UdpMetadata { endpoint, .. })) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let answer = buffer.get(..len).filter(|_| endpoint == server);
        if let Some(unix_s) = answer.and_then(|answer| unix_s(answer, cookie)) {
            return unix_s;
        }
    }
}

/// Who may know the time.
fn servers(settings: &Settings, network: &StaticConfigV4) -> Vec<Ipv4Addr, 4> {
    match settings.time {
        Some(server) => Vec::from_iter([server]),
        None => {
            let others =
                network.dns_servers.iter().filter(|server| Some(**server) != network.gateway);
            network.gateway.iter().chain(others).copied().take(4).collect()
        }
    }
}

/// Says nothing about us but what has to be: where our own time stands, there is a number nobody can
/// foresee.
fn request(cookie: [u8; TIMESTAMP_LEN]) -> [u8; PACKET_LEN] {
    let mut packet = [0; PACKET_LEN];
    packet[0] = CLIENT;
    packet[TRANSMIT..].copy_from_slice(&cookie);
    packet
}

/// The time an answer tells, in seconds since 1970; `None` when it is no answer to this request, or
/// of a server that does not know (RFC 4330 section 5).
fn unix_s(answer: &[u8], cookie: [u8; TIMESTAMP_LEN]) -> Option<i64> {
    let answer: &[u8; PACKET_LEN] = answer.first_chunk()?;
    let [leap_version_mode, stratum, ..] = *answer;
    let (leap, version, mode) =
        (leap_version_mode >> 6, leap_version_mode >> 3 & 7, leap_version_mode & 7);
    let knows = leap != LEAP_UNKNOWN && (1..=15).contains(&stratum);
    if !knows || mode != SERVER_MODE || !(3..=4).contains(&version) {
        return None;
    }
    let originate: &[u8; TIMESTAMP_LEN] = answer.get(ORIGINATE..)?.first_chunk()?;
    let seconds = u32::from_be_bytes(*answer.get(TRANSMIT..)?.first_chunk()?);
    if *originate != cookie || seconds == 0 {
        return None;
    }
    let unix_s = i64::from(seconds) - BEGIN_1970_S;
    Some(if unix_s < BEGIN_2025_S { unix_s + ERA_S } else { unix_s })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOKIE: [u8; TIMESTAMP_LEN] = *b"a cookie";
    const NOON_S: i64 = 1_800_014_400;

    fn answer(unix_s: i64) -> [u8; PACKET_LEN] {
        let mut answer = [0; PACKET_LEN];
        (answer[0], answer[1]) = (4 << 3 | SERVER_MODE, 2);
        answer[ORIGINATE..][..TIMESTAMP_LEN].copy_from_slice(&COOKIE);
        answer[TRANSMIT..][..4].copy_from_slice(&((unix_s + BEGIN_1970_S) as u32).to_be_bytes());
        answer
    }

    #[test]
    fn an_answer_tells_the_time_before_and_after_ntp_begins_anew() {
        let in_2040_s = 2_209_000_000;
        for unix_s in [NOON_S, BEGIN_2025_S, in_2040_s] {
            assert_eq!(super::unix_s(&answer(unix_s), COOKIE), Some(unix_s));
        }
    }

    #[test]
    fn what_is_forged_or_does_not_know_tells_nothing() {
        let unix_s = |change: &dyn Fn(&mut [u8; PACKET_LEN])| {
            let mut answer = answer(NOON_S);
            change(&mut answer);
            super::unix_s(&answer, COOKIE)
        };
        assert_eq!(unix_s(&|_| {}), Some(NOON_S));
        assert_eq!(unix_s(&|answer| answer[ORIGINATE + 7] ^= 1), None, "another request");
        assert_eq!(unix_s(&|answer| answer[0] |= LEAP_UNKNOWN << 6), None, "not synchronized");
        assert_eq!(unix_s(&|answer| answer[0] = CLIENT), None, "a request");
        assert_eq!(unix_s(&|answer| answer[0] = 4 << 3 | 5), None, "a broadcast");
        assert_eq!(unix_s(&|answer| answer[0] = 7 << 3 | SERVER_MODE), None, "another version");
        assert_eq!(unix_s(&|answer| answer[1] = 0), None, "go away");
        assert_eq!(unix_s(&|answer| answer[1] = 16), None, "not synchronized");
        assert_eq!(unix_s(&|answer| answer[TRANSMIT..].fill(0)), None, "no time at all");
        for len in 0..PACKET_LEN {
            assert_eq!(super::unix_s(&answer(NOON_S)[..len], COOKIE), None);
        }
    }

    #[test]
    fn a_request_says_nothing_about_us() {
        let request = request(COOKIE);
        assert_eq!((request[0], &request[TRANSMIT..]), (0x23, &COOKIE[..]));
        assert!(request[1..TRANSMIT].iter().all(|octet| *octet == 0));
    }

    #[test]
    fn the_settings_say_who_is_asked_or_else_the_network() {
        let router = Ipv4Addr::new(10, 0, 0, 1);
        let name_server = Ipv4Addr::new(10, 0, 0, 3);
        let network = StaticConfigV4 {
            address: embassy_net::Ipv4Cidr::new([10, 0, 0, 2].into(), 24),
            gateway: Some(router),
            dns_servers: Vec::from_iter([router, name_server]),
        };
        let mut settings = Settings::default();
        assert_eq!(servers(&settings, &network), [router, name_server]);
        settings.time = Some([192, 0, 2, 123].into());
        assert_eq!(servers(&settings, &network), [Ipv4Addr::new(192, 0, 2, 123)]);
    }
}
