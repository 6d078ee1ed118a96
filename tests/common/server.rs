//! `gardefou serve` as a process on loopback, an upstream for it, and clients.

use std::cell::Cell;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use filter_core::compile::{Compiler, ListInfo};
use filter_core::{Action, CategorySet, Scope};
use tempfile::TempDir;

use crate::dns::{Edns, Message, Question, rtype, wire_name};

/// Nothing here takes so long.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A folder with an image.
pub struct Place {
    folder: TempDir,
    /// How many images there have been; also the serial of the last.
    pub images: Cell<u64>,
}

impl Place {
    pub fn new(blocked: &[&str]) -> Place {
        let place = Place { folder: TempDir::new().unwrap(), images: Cell::new(0) };
        place.write_image(blocked);
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts an image that blocks these names in the place of the one there was.
    pub fn write_image(&self, blocked: &[&str]) {
        self.write_image_of(blocked, 0);
    }

    /// The same; the image's list may get so many days old.
    pub fn write_image_of(&self, blocked: &[&str], expires_days: u16) {
        self.images.set(self.images.get() + 1);
        let mut compiler = Compiler::new(self.images.get());
        compiler.category(20, "gambling").unwrap();
        let list = compiler
            .list(ListInfo { expires_days, ..ListInfo::new("demo", CategorySet::of(20)) })
            .unwrap();
        for name in blocked {
            let name = name.parse().unwrap();
            compiler.rule(&name, Scope::Subtree, Action::Block, list).unwrap();
        }
        fs::write(self.path("new.gfi"), compiler.finish().unwrap().octets).unwrap();
        fs::rename(self.path("new.gfi"), self.path("x.gfi")).unwrap();
    }
}

/// A process that ends with its owner, and what it says.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    pub said: String,
}

impl Process {
    pub fn start(command: &mut Command) -> Process {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Process { child, lines, said: String::new() }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it says this.
    pub fn wait_for(&mut self, words: &str) {
        self.wait_long_for(words, PATIENCE);
    }

    /// The same, where it has much to do before.
    pub fn wait_long_for(&mut self, words: &str, patience: Duration) {
        let end = Instant::now() + patience;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.said += &line;
                    self.said.push('\n');
                    if line.contains(words) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no `{words}` in\n{}", self.said)
                }
            }
        }
    }

    /// All it has said, when it has ended.
    pub fn hear_out(&mut self) -> &str {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.said += &line;
            self.said.push('\n');
        }
        &self.said
    }

    pub fn signal(&self, name: &str) {
        // The shell has a `kill` of its own.
        let kill = format!("kill -s {name} {}", self.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end, and gives its exit code.
    pub fn code(&mut self) -> Option<i32> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("it does not end: {}", self.said)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that is ready.
pub struct Server {
    pub process: Process,
    pub address: SocketAddr,
    admin: PathBuf,
}

impl Server {
    pub fn start(place: &Place, arguments: &[&str]) -> Server {
        let mut command = Server::command(place);
        Server::ready(place, command.args(["--listen", "127.0.0.1:0"]).args(arguments))
    }

    /// The command without where to listen.
    pub fn command(place: &Place) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gardefou"));
        command.arg("serve").arg("--image").arg(place.path("x.gfi"));
        command.arg("--admin").arg(place.path("admin.sock"));
        command
    }

    /// Starts this, and waits until it is ready.
    pub fn ready(place: &Place, command: &mut Command) -> Server {
        let mut process = Process::start(command);
        process.wait_for("listening on");
        let admin = place.path("admin.sock");
        let mut server = Server { process, address: ([127, 0, 0, 1], 0).into(), admin };
        server.address = server.status()["listen"][0].as_str().unwrap().parse().unwrap();
        server
    }

    pub fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.status_as(&["--json"])).unwrap()
    }

    pub fn status_as(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gardefou"));
        command.arg("status").arg("--admin").arg(&self.admin).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn client(&self) -> UdpSocket {
        client(self.address)
    }

    pub fn stream(&self) -> TcpStream {
        stream(self.address)
    }

    /// Asks over UDP.
    pub fn ask(&self, name: &str) -> Message {
        ask(&self.client(), name)
    }
}

/// A socket that takes nothing but what comes from there.
pub fn client(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((if server.is_ipv4() { "0.0.0.0" } else { "::" }, 0)).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// A connection.
pub fn stream(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Asks, and again where a datagram is lost.
pub fn ask(socket: &UdpSocket, name: &str) -> Message {
    socket.set_read_timeout(Some(PATIENCE / 5)).unwrap();
    let mut buffer = [0; 4096];
    let mut attempt = || {
        socket.send(&query(7, name)).unwrap();
        socket.recv(&mut buffer).ok()
    };
    let len = (0..5).find_map(|_| attempt()).unwrap_or_else(|| panic!("no answer: {name}"));
    Message::from_octets(&buffer[..len])
}

pub fn query(id: u16, name: &str) -> Vec<u8> {
    let message = Message {
        id,
        rd: true,
        question: Some(Question { name: wire_name(name), rtype: rtype("A"), class: 1 }),
        edns: Some(Edns {
            udp_len: 1232,
            version: 0,
            dnssec_ok: false,
            option: None,
            errors: vec![],
        }),
        ..Message::default()
    };
    message.to_octets()
}

pub fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

pub fn read_framed(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut len = [0; 2];
    stream.read_exact(&mut len).ok()?;
    let mut message = vec![0; u16::from_be_bytes(len).into()];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

/// An upstream that knows everything: 192.0.2.1 for each name, a hundred addresses for names that
/// begin with `big`, which do not fit into a datagram. Its threads end with the tests.
pub fn upstream() -> String {
    let (address, udp, tcp) = pair();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((len, from)) = udp.recv_from(&mut buffer) {
            let _ = udp.send_to(&answer(&buffer[..len], true), from);
        }
    });
    thread::spawn(move || {
        for mut stream in tcp.incoming().map_while(Result::ok) {
            while let Some(message) = read_framed(&mut stream) {
                let _ = stream.write_all(&framed(&answer(&message, false)));
            }
        }
    });
    address.to_string()
}

/// Sockets for UDP and TCP with one address.
pub fn pair() -> (SocketAddr, UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = udp.local_addr().unwrap();
        // Somebody may have that port for TCP.
        if let Ok(tcp) = TcpListener::bind(address) {
            return (address, udp, tcp);
        }
    }
}

fn answer(query: &[u8], is_udp: bool) -> Vec<u8> {
    let mut message = Message::from_octets(query);
    let name = &message.question.as_ref().unwrap().name;
    let is_big = name.get(1..4).is_some_and(|label| label.eq_ignore_ascii_case(b"big"));
    let owner = filter_core::Name::from_wire(name).unwrap();
    let count = if is_big { 100 } else { 1 };
    let record = |last| format!("{owner}. 60 IN A 192.0.2.{}", last + 1);
    (message.qr, message.ra, message.tc) = (true, true, is_big && is_udp);
    if !message.tc {
        message.sections[0] = (0..count).map(record).collect();
    }
    message.to_octets()
}

/// A port nobody has, for programs that cannot find one by themselves.
pub fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Whether a program is installed; where CI runs, all are.
pub fn is_installed(program: &str) -> bool {
    let mut folders = vec![PathBuf::from("/usr/sbin")];
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let found = folders.iter().any(|folder| Path::new(folder).join(program).exists());
    let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(found || !is_ci, "{program} is not installed");
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}
