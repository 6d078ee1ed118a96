//! Network namespaces: machines of their own inside this one, with addresses, routes and port 53.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

use nix::sched::{CloneFlags, setns};

/// A namespace, kept by a process that waits for our end, however that comes.
pub struct Namespace {
    keeper: Child,
    _until: Option<ChildStdin>,
}

impl Namespace {
    /// `None`, with a word on standard error, where that is not permitted.
    pub fn new() -> Option<Namespace> {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", "ip link set lo up && echo ready && exec cat"]);
        let keeper = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut keeper) = keeper.spawn() else {
            eprintln!("there is no `unshare` (util-linux)");
            return None;
        };
        let _until = keeper.stdin.take();
        let mut line = String::new();
        let _ = BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line);
        let namespace = Namespace { keeper, _until };
        if line != "ready\n" {
            eprintln!(
                "network namespaces are not permitted here, or there is no `ip`: be root, or try \
                 `unshare --map-root-user`"
            );
            return None;
        }
        Some(namespace)
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.keeper.id())
    }

    /// The process that keeps it, which `ip link set … netns` wants to know.
    pub fn id(&self) -> u32 {
        self.keeper.id()
    }

    /// The same command, to be run there.
    pub fn enter(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.arg(format!("--net={}", self.path())).arg(command.get_program());
        inside.args(command.get_args());
        inside
    }

    /// Runs a line of a shell there.
    pub fn run(&self, line: &str) {
        let output = self.enter(Command::new("sh").args(["-c", line])).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {said}");
    }

    /// Does something there. Sockets stay where they were made.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let file = File::open(self.path()).unwrap();
        let inside = move || {
            setns(file, CloneFlags::CLONE_NEWNET).unwrap();
            work()
        };
        thread::scope(|scope| scope.spawn(inside).join().unwrap())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// Port 53 of an address.
pub fn at_53(address: &str) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), 53)
}
