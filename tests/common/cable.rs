//! The emulated board on a cable, of which the test holds the other end: it is everybody else in the
//! room, sends any frame and sees all that come. Nothing is lost on the way.

use std::collections::HashSet;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The board, by the settings it is given.
pub const BOARD: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const BOARD_MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const BROADCAST_MAC: [u8; 6] = [0xFF; 6];
const ARP: [u8; 2] = [8, 6];
const IPV4: [u8; 2] = [8, 0];
const UDP: u8 = 17;
const ETHERNET_LEN: usize = 14;
const IPV4_LEN: usize = 20;
const UDP_LEN: usize = 8;

pub struct Cable {
    socket: UnixDatagram,
    frames: Receiver<Vec<u8>>,
    /// Who does not say where they are when the board looks for them.
    pub absent: HashSet<Ipv4Addr>,
    numbers: u16,
    qemu: Child,
    folder: TempDir,
}

/// What the board has sent.
#[derive(Debug)]
pub struct Datagram {
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    pub octets: Vec<u8>,
}

impl Cable {
    /// Boots a board with this firmware and image, at its address and with these further settings.
    pub fn plug(firmware: &Path, image: &[u8], settings: &str) -> Cable {
        Cable::plug_into("mps2-an386", 0x2100_0000, firmware, image, settings)
    }

    /// The same with another machine, whose PSRAM is elsewhere.
    pub fn plug_into(
        machine: &str,
        psram: u32,
        firmware: &Path,
        image: &[u8],
        settings: &str,
    ) -> Cable {
        let folder = TempDir::new().unwrap();
        let settings = format!("address {BOARD}/24 10.0.0.1\n{settings}");
        fs::write(folder.path().join("image"), image).unwrap();
        fs::write(folder.path().join("settings"), settings).unwrap();
        let load = |file, address| format!("loader,file={file},addr={address:#x},force-raw=on");
        let socket = UnixDatagram::bind(folder.path().join("room")).unwrap();
        let qemu = Command::new("qemu-system-arm")
            .args(["-M", machine])
            .args("-display none -monitor none -serial none".split(' '))
            .args("-semihosting-config enable=on,target=native".split(' '))
            .args([
                "-netdev",
                "dgram,id=n,local.type=unix,local.path=board,remote.type=unix,remote.path=room",
            ])
            .args(["-chardev", "socket,id=g,path=debugger,server=on,wait=off", "-gdb", "chardev:g"])
            .args(["-net", "nic,model=lan9118,netdev=n,macaddr=52:54:00:12:34:56"])
            .args(["-device", &load("image", psram)])
            .args(["-device", &load("settings", psram + 0xFF_0000), "-kernel"])
            .arg(firmware)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let (sender, frames) = channel();
        let receiving = socket.try_clone().unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 2048];
            // Ends with the test, which nobody listens to any more.
            while let Ok(len) = receiving.recv(&mut buffer) {
                if sender.send(buffer[..len].to_vec()).is_err() {
                    return;
                }
            }
        });
        Cable { socket, frames, absent: HashSet::new(), numbers: 0, qemu, folder }
    }

    /// The number of QEMU's process.
    pub fn process(&self) -> u32 {
        self.qemu.id()
    }

    /// A file of the board's: its `log`, as `defmt-print` reads it, and the socket of QEMU's `debugger`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sends a datagram; to all when its address is that of all or of a group.
    pub fn send(&self, from: SocketAddrV4, to: SocketAddrV4, octets: &[u8]) {
        let mac = match *to.ip() {
            group if group.is_multicast() => group_mac(group),
            Ipv4Addr::BROADCAST => BROADCAST_MAC,
            _ => BOARD_MAC,
        };
        let udp_len = (UDP_LEN + octets.len()) as u16;
        let mut header = [0x45, 0, 0, 0, 0, 0, 0, 0, 255, UDP, 0, 0].to_vec();
        header[2..4].copy_from_slice(&(IPV4_LEN as u16 + udp_len).to_be_bytes());
        header.extend([from.ip().octets(), to.ip().octets()].concat());
        let sum: u32 = header.chunks(2).map(|two| u32::from(two[0]) << 8 | u32::from(two[1])).sum();
        let checksum = !((sum & 0xFFFF) + (sum >> 16)) as u16;
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
        let ports = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
        let frame = [
            &mac[..],
            &mac_of(*from.ip()),
            &IPV4,
            &header,
            &ports,
            &udp_len.to_be_bytes(),
            // No checksum.
            &[0, 0],
            octets,
        ];
        self.send_frame(&frame.concat());
    }

    /// A number there has not been yet.
    pub fn number(&mut self) -> u16 {
        self.numbers += 1;
        self.numbers
    }

    /// The next datagram of the board's, if there is one for so long.
    pub fn next(&mut self, patience: Duration) -> Option<Datagram> {
        let end = Instant::now() + patience;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let frame = self.frames.recv_timeout(left).ok()?;
            self.answer_arp(&frame);
            if let Some(datagram) = datagram(&frame) {
                return Some(datagram);
            }
        }
    }

    fn answer_arp(&self, frame: &[u8]) {
        let is_request = frame[12..14] == ARP && frame[20..22] == [0, 1];
        if !is_request {
            return;
        }
        let octets: [u8; 4] = frame[38..42].try_into().unwrap();
        let wanted = Ipv4Addr::from(octets);
        if wanted == BOARD || self.absent.contains(&wanted) {
            return;
        }
        let mac = mac_of(wanted);
        let answer =
            [&BOARD_MAC[..], &mac, &ARP, &[0, 1, 8, 0, 6, 4, 0, 2], &mac, &octets, &frame[22..32]];
        self.send_frame(&answer.concat());
    }

    fn send_frame(&self, frame: &[u8]) {
        let board = self.folder.path().join("board");
        // Until QEMU is there.
        let end = Instant::now() + Duration::from_secs(20);
        while let Err(error) = self.socket.send_to(frame, &board) {
            assert!(Instant::now() < end, "{error}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

fn mac_of(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [2, 0, a, b, c, d]
}

fn group_mac(group: Ipv4Addr) -> [u8; 6] {
    let [_, b, c, d] = group.octets();
    [1, 0, 0x5E, b & 0x7F, c, d]
}

fn datagram(frame: &[u8]) -> Option<Datagram> {
    let (ethernet, packet) = frame.split_at_checked(ETHERNET_LEN)?;
    if ethernet[12..] != IPV4 || packet.len() < IPV4_LEN + UDP_LEN || packet[9] != UDP {
        return None;
    }
    let address = |at: usize, port: usize| {
        let octets: [u8; 4] = packet[at..at + 4].try_into().unwrap();
        let port = u16::from_be_bytes([packet[port], packet[port + 1]]);
        SocketAddrV4::new(octets.into(), port)
    };
    let (from, to) = (address(12, IPV4_LEN), address(16, IPV4_LEN + 2));
    let is_to_all = *to.ip() == Ipv4Addr::BROADCAST;
    assert_eq!(is_to_all, ethernet[..6] == BROADCAST_MAC, "{to}");
    let len = usize::from(u16::from_be_bytes([packet[IPV4_LEN + 4], packet[IPV4_LEN + 5]]));
    Some(Datagram { from, to, octets: packet[IPV4_LEN + UDP_LEN..IPV4_LEN + len].to_vec() })
}
