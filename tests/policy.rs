//! The policy of `gardefou serve`, the real binary: who is kept from what, what the operator says
//! meanwhile, and what happens where something is missing. Everything happens on loopback.
#![cfg(target_os = "linux")]

mod common;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/dns.rs"]
mod dns;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/server.rs"]
mod server;

use std::fs;
use std::net::UdpSocket;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use dns::Message;
use server::{PATIENCE, Place, Server, ask, upstream};

const NXDOMAIN: u16 = 3;
const SERVFAIL: u16 = 2;

/// A client at another address of this machine.
fn client_at(address: &str, server: &Server) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    socket.connect(server.address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn ask_from(address: &str, server: &Server, name: &str) -> Message {
    ask(&client_at(address, server), name)
}

/// Runs a command beside the server.
fn gardefou(place: &Place, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gardefou"));
    command.args(arguments).arg("--admin").arg(place.path("admin.sock")).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn write_policy(place: &Place, text: &str) -> String {
    fs::write(place.path("new.toml"), text).unwrap();
    fs::rename(place.path("new.toml"), place.path("policy.toml")).unwrap();
    place.path("policy.toml").display().to_string()
}

const POLICY: &str = r#"schema = 1
operator = "School of Example"
default_profile = "adult"
page = ["192.0.2.80"]
[[profile]]
id = "child"
block = ["gambling"]
reason = "request"
[[profile]]
id = "adult"
[[profile]]
id = "guest"
block = ["gambling"]
answer = "page"
[[client]]
profile = "child"
address = "127.0.1.0/24"
[[client]]
profile = "guest"
address = "127.0.1.9"
"#;

#[test]
fn clients_have_their_profiles_and_a_new_policy_holds_at_once() {
    let place = Place::new(&["casino.example"]);
    let policy = write_policy(&place, POLICY);
    let mut server = Server::start(&place, &["--upstream", &upstream(), "--policy", &policy]);
    assert_eq!(server.ask("casino.example.").rcode, 0);
    let child = ask_from("127.0.1.7", &server, "casino.example.");
    assert_eq!(child.rcode, NXDOMAIN);
    assert_eq!(child.edns.unwrap().errors, ["17 \"gambling, School of Example\""]);
    let guest = ask_from("127.0.1.9", &server, "casino.example.");
    assert_eq!(guest.sections[0], ["casino.example. 30 IN A 192.0.2.80"]);
    assert_eq!(server.status()["profile"], "adult");

    // A mistake is told with its place, and changes nothing.
    write_policy(&place, &POLICY.replace("\"adult\"\npage", "\"adlut\"\npage"));
    server.process.wait_for("policy.toml:3:19: unknown profile `adlut`");
    server.process.wait_for("hint: the profiles are child, adult, guest");
    assert_eq!(ask_from("127.0.1.7", &server, "casino.example.").rcode, NXDOMAIN);
    assert!(server.status()["image"]["failure"].as_str().unwrap().contains("adlut"));

    write_policy(&place, &POLICY.replace("\"adult\"\npage", "\"child\"\npage"));
    server.process.wait_for("serving image");
    assert_eq!(server.ask("casino.example.").rcode, NXDOMAIN);
    assert!(server.status()["image"]["failure"].is_null());
}

#[test]
fn hours_are_kept() {
    let place = Place::new(&["casino.example"]);
    let hours = |zone: &str, way: &str| {
        format!(
            "schema = 1\ntime_zone = \"{zone}\"\n[[profile]]\nid = \"school\"\n\
             [[schedule]]\nprofile = \"school\"\n{way} = [\"gambling\"]\n\
             from = \"00:00\"\nto = \"00:00\"\n"
        )
    };
    let policy = write_policy(&place, &hours("Europe/Paris", "block"));
    let mut server = Server::start(&place, &["--upstream", &upstream(), "--policy", &policy]);
    assert_eq!(server.ask("casino.example.").rcode, NXDOMAIN);
    write_policy(&place, &hours("Africa/Dakar", "allow"));
    server.process.wait_for("serving image");
    assert_eq!(server.ask("casino.example.").rcode, 0);
}

#[test]
fn the_operators_word_holds_for_as_long_as_it_is_said() {
    let place = Place::new(&["casino.example"]);
    let server = Server::start(&place, &["--upstream", &upstream()]);
    assert_eq!(server.ask("www.casino.example.").rcode, NXDOMAIN);
    let allowed = gardefou(&place, &["allow", "casino.example", "--for", "3s"]);
    let text = said(&allowed);
    assert!(text.starts_with("casino.example: allow (local), for 3 s more\n"), "{text}");
    assert_eq!(server.ask("www.casino.example.").rcode, 0);
    let status = server.status_as(&[]);
    assert!(status.contains("\nallow      casino.example for "), "{status}");
    let explained = said(&gardefou(&place, &["explain", "www.casino.example"]));
    assert!(explained.starts_with("www.casino.example: allow (local), for "), "{explained}");
    assert!(explained.contains("\nrule       casino.example\n"), "{explained}");
    thread::sleep(Duration::from_millis(3100));
    assert_eq!(server.ask("www.casino.example.").rcode, NXDOMAIN);

    assert!(gardefou(&place, &["deny", "games.example"]).status.success());
    assert_eq!(server.ask("www.games.example.").rcode, NXDOMAIN);
    let json = said(&gardefou(&place, &["--json", "explain", "games.example"]));
    let explained: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(explained["verdict"], "block");
    assert_eq!(explained["tier"], "local");
    assert!(gardefou(&place, &["forget", "games.example"]).status.success());
    assert_eq!(server.ask("www.games.example.").rcode, 0);

    let again = gardefou(&place, &["forget", "games.example"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(said(&again).contains("nothing is said about games.example"), "{}", said(&again));
    let wrong = said(&gardefou(&place, &["allow", "casino..example"]));
    assert!(wrong.contains("`casino..example`"), "{wrong}");
    let listed = said(&gardefou(&place, &["explain", "--client", "127.0.0.1", "a.casino.example"]));
    assert!(listed.contains("category   gambling\nlist       demo\n"), "{listed}");
}

#[test]
fn the_embedded_lists_come_with_profiles_and_safe_search() {
    let place = Place::new(&[]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_gardefou"));
    command.arg("serve").arg("--admin").arg(place.path("admin.sock"));
    command.arg("--cache").arg(place.path("cache")).args(["--listen", "127.0.0.1:0"]);
    command.args(["--upstream", &upstream(), "--profile", "child_strict"]);
    let server = Server::ready(&place, &mut command);
    assert_eq!(server.status()["profile"], "child_strict");
    let search = server.ask("www.google.fr.");
    let host = "forcesafesearch.google.com.";
    let expected =
        [format!("www.google.fr. 60 IN CNAME {host}"), format!("{host} 60 IN A 192.0.2.1")];
    assert_eq!(search.sections[0], expected);
    assert_eq!(search.edns.unwrap().errors, ["4 \"safe search\""]);
    let video = server.ask("www.youtube.com.");
    assert!(video.sections[0][0].ends_with(" CNAME restrict.youtube.com."), "{video:?}");
    // Strict profiles do without engines that cannot be strict.
    let engine = server.ask("search.yahoo.com.");
    assert_eq!(engine.edns.unwrap().errors, ["17 \"no safe search\""]);
    // A resolver that devices could use instead of this one.
    assert_eq!(server.ask("dns.google.").rcode, NXDOMAIN);
    let explained = said(&gardefou(&place, &["explain", "www.bing.com"]));
    assert!(explained.contains("\nsafe       strict.bing.com\n"), "{explained}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_gardefou"));
    command.arg("serve").arg("--cache").arg(place.path("cache"));
    let output = command.args(["--upstream", "192.0.2.53", "--profile", "kindergarten"]).output();
    let text = said(&output.unwrap());
    assert!(text.contains("there is no profile `kindergarten`"), "{text}");
    assert!(text.contains("the profiles are library_child, school"), "{text}");
}

#[test]
fn without_an_image_a_place_does_what_it_wants() {
    let place = Place::new(&["casino.example"]);
    let start = |way: &str| {
        fs::write(place.path("x.gfi"), "half of an image").unwrap();
        Server::start(&place, &["--upstream", &upstream(), "--without-image", way])
    };
    for (way, rcode) in [("closed", SERVFAIL), ("open", 0)] {
        let mut server = start(way);
        assert!(server.process.said.contains("until there is an image"), "{}", server.process.said);
        assert_eq!(server.ask("school.example.").rcode, rcode);
        assert_eq!(server.ask("casino.example.").rcode, rcode);
        place.write_image(&["casino.example"]);
        server.process.wait_for("serving image");
        assert_eq!(server.ask("school.example.").rcode, 0);
        assert_eq!(server.ask("casino.example.").rcode, NXDOMAIN);
    }
    fs::write(place.path("x.gfi"), "half of an image").unwrap();
    let stopped = Server::command(&place).args(["--upstream", "192.0.2.53"]).output().unwrap();
    assert_eq!(stopped.status.code(), Some(2));
}

#[test]
fn an_image_that_is_too_old_is_told_and_may_be_closed() {
    let place = Place::new(&["casino.example"]);
    place.write_image_of(&["casino.example"], 7);
    let age = |days: u64| {
        let file = fs::File::options().write(true).open(place.path("x.gfi")).unwrap();
        let time = std::time::SystemTime::now() - Duration::from_secs(days * 86_400);
        file.set_modified(time).unwrap();
    };
    age(6);
    let upstream = upstream();
    let server = Server::start(&place, &["--upstream", &upstream, "--closed-when-expired"]);
    assert_eq!(server.ask("school.example.").rcode, 0);
    drop(server);
    age(8);
    let server = Server::start(&place, &["--upstream", &upstream, "--closed-when-expired"]);
    assert_eq!(server.ask("school.example.").rcode, SERVFAIL);
    assert_eq!(server.status()["image"]["is_expired"], true);
    drop(server);
    let server = Server::start(&place, &["--upstream", &upstream]);
    assert_eq!(server.ask("school.example.").rcode, 0);
    assert_eq!(server.ask("casino.example.").rcode, NXDOMAIN);
    assert!(server.status_as(&[]).contains("older than its lists may get"));
}

#[test]
fn only_the_networks_that_are_served_get_an_answer() {
    let place = Place::new(&["casino.example"]);
    let allowed = ["--allow-from", "127.0.1.0/24"];
    let server = Server::start(&place, &[&["--upstream", &upstream()][..], &allowed].concat());
    assert_eq!(ask_from("127.0.1.7", &server, "casino.example.").rcode, NXDOMAIN);
    let outsider = client_at("127.0.2.7", &server);
    outsider.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    outsider.send(&server::query(7, "casino.example.")).unwrap();
    assert!(outsider.recv(&mut [0; 512]).is_err(), "an outsider has an answer");
    // This client is 127.0.0.1: its connection is closed.
    assert!(server::read_framed(&mut server.stream()).is_none());
    assert_eq!(server.status()["counters"]["outsiders"], 2);
}
