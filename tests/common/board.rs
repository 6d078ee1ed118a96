//! `gardefou gateway` as a process: the firmware on an emulated board, at ports of loopback.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::Duration;

use crate::server::{Place, Process, free_port};

/// For building the firmware, once, on a machine that has nothing of it.
const BUILD_TIME: Duration = Duration::from_secs(600);

/// A board that answers.
pub struct Board {
    pub process: Process,
    pub address: SocketAddr,
    /// Where its pages are.
    pub pages: SocketAddr,
    _place: Place,
}

impl Board {
    /// Boots one with the image of this place.
    pub fn boot(place: Place, arguments: &[&str]) -> Board {
        let image = place.path("x.gfi");
        Board::boot_with(place, &[&["--image", image.to_str().unwrap()], arguments].concat())
    }

    /// Boots one with whatever these arguments say.
    pub fn boot_with(place: Place, arguments: &[&str]) -> Board {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let pages = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gardefou"));
        command.args(["gateway", "--listen", &address.to_string()]);
        command.args(["--pages", &pages.to_string()]).args(arguments);
        let mut process = Process::start(&mut command);
        process.wait_long_for("listening on 127.0.0.1", BUILD_TIME);
        Board { process, address, pages, _place: place }
    }

    pub fn dig(&self, arguments: &[&str]) -> String {
        let port = self.address.port().to_string();
        let mut command = Command::new("dig");
        command.args(["@127.0.0.1", "-p", &port, "+time=5", "+tries=2"]).args(arguments);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }
}

/// Ends the board too, which a process that is killed cannot.
impl Drop for Board {
    fn drop(&mut self) {
        if self.process.is_running() {
            self.process.signal("TERM");
            self.process.code();
        }
    }
}
