//! `gardefou serve`, the real binary, as real clients see it: dig, kdig, drill and the resolver of the
//! C library, with Unbound and dnsmasq behind it and before it. On loopback; the resolver, which asks
//! at port 53 only, in a network namespace.
#![cfg(target_os = "linux")]

mod common;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/dns.rs"]
mod dns;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/namespace.rs"]
mod namespace;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/server.rs"]
mod server;

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use namespace::{Namespace, at_53};
use server::{PATIENCE, Place, Process, Server, free_port, is_installed, upstream};

/// What upstreams know: a name, one that leads to a blocked one, and one with more addresses than a
/// datagram takes.
const ADDRESS: &str = "192.0.2.77";
const ADDRESS6: &str = "2001:db8::77";
const BIG: usize = 100;

fn unbound(place: &Place, at: SocketAddr, clauses: &str) -> Command {
    let (ip, port) = (at.ip(), at.port());
    let file = place.path(&format!("unbound-{port}-{ip}.conf"));
    let conf = format!(
        "server:\n interface: {ip}@{port}\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n \
         directory: \".\"\n pidfile: \"\"\n use-syslog: no\n do-not-query-localhost: no\n \
         module-config: \"iterator\"\n{clauses}remote-control:\n control-enable: no\n"
    );
    fs::write(&file, conf).unwrap();
    let mut command = Command::new("/usr/sbin/unbound");
    command.arg("-d").arg("-c").arg(file);
    command
}

fn unbound_upstream(place: &Place, at: SocketAddr) -> Command {
    let mut clauses = format!(
        " local-zone: \"test.\" static\n local-data: \"www.test. 60 IN A {ADDRESS}\"\n \
         local-data: \"www.test. 60 IN AAAA {ADDRESS6}\"\n \
         local-data: \"cloaked.test. 60 IN CNAME x.casino.test.\"\n"
    );
    for last in 1..=BIG {
        clauses += &format!(" local-data: \"big.test. 60 IN A 192.0.2.{last}\"\n");
    }
    unbound(place, at, &clauses)
}

fn unbound_downstream(place: &Place, at: SocketAddr, to: SocketAddr) -> Command {
    let (ip, port) = (to.ip(), to.port());
    let forward = format!("forward-zone:\n name: \".\"\n forward-addr: {ip}@{port}\n");
    // Else it would answer about `test.` by itself (RFC 6761).
    unbound(place, at, &format!(" local-zone: \"test.\" nodefault\n{forward}"))
}

fn dnsmasq(at: SocketAddr) -> Command {
    let mut command = Command::new("/usr/sbin/dnsmasq");
    command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"]);
    command.args(["--bind-interfaces", "--user=", "--pid-file="]);
    command.arg(format!("--listen-address={}", at.ip())).arg(format!("--port={}", at.port()));
    command
}

fn dnsmasq_upstream(at: SocketAddr) -> Command {
    let mut command = dnsmasq(at);
    command.arg("--local=/test/").arg(format!("--host-record=www.test,{ADDRESS},{ADDRESS6}"));
    command.args(["--cname=cloaked.test,x.casino.test", "--host-record=x.casino.test,192.0.2.66"]);
    let record = |last| format!("--host-record=big.test,192.0.2.{last}");
    command.args((1..=BIG).map(record));
    command
}

/// A client, and how it is told what to do.
struct Client {
    program: &'static str,
    once: &'static [&'static str],
    tcp: &'static str,
    plain: &'static [&'static str],
    edns: &'static [&'static str],
}

const CLIENTS: [Client; 3] = [
    Client {
        program: "dig",
        once: &["+time=5", "+tries=1"],
        tcp: "+tcp",
        plain: &["+noedns"],
        edns: &["+bufsize=1232"],
    },
    Client {
        program: "kdig",
        once: &["+timeout=5", "+retry=0"],
        tcp: "+tcp",
        plain: &["+noedns"],
        edns: &["+edns=0", "+bufsize=1232"],
    },
    Client {
        program: "drill",
        // Asks over TCP only where it is told that it may.
        once: &["-a"],
        tcp: "-t",
        plain: &[],
        edns: &["-b", "1232"],
    },
];

impl Client {
    fn ask(&self, to: SocketAddr, options: &[&str], name: &str, rtype: &str) -> String {
        let (ip, port) = (format!("@{}", to.ip()), to.port().to_string());
        let mut command = Command::new(self.program);
        command.args(["-p", &port]).args(self.once).args(options).args([name, &ip, rtype]);
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What is to be seen of a server whose upstream knows the names above.
    fn looks(&self, to: SocketAddr) {
        let Client { program, tcp, .. } = self;
        for options in [self.plain, self.edns, &[tcp]] {
            let at = format!("{program} {options:?} {to}");
            let blocked = self.ask(to, options, "wWw.casino.test", "A");
            assert!(blocked.contains("NXDOMAIN"), "{at}: {blocked}");
            let allowed = self.ask(to, options, "www.test", "A");
            assert!(allowed.contains(ADDRESS), "{at}: {allowed}");
            let allowed = self.ask(to, options, "www.test", "AAAA");
            assert!(allowed.contains(ADDRESS6), "{at}: {allowed}");
            let cloaked = self.ask(to, options, "cloaked.test", "A");
            assert!(cloaked.contains("NOERROR"), "{at}: {cloaked}");
            assert!(!cloaked.contains("192.0.2.66") && !cloaked.contains("CNAME"), "{cloaked}");
            // Over TCP where it does not fit.
            let big = self.ask(to, options, "big.test", "A");
            assert_eq!(big.matches("\t192.0.2.").count(), BIG, "{at}: {big}");
        }
        for name in ["www.casino.test", "cloaked.test"] {
            let blocked = self.ask(to, self.edns, name, "A");
            assert!(blocked.contains("EDE: 15 (Blocked)"), "{program}: {blocked}");
            assert!(blocked.contains("gambling"), "{program}: {blocked}");
        }
    }
}

fn wait_until(words: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "{words}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// A server before this upstream, when both answer, on IPv4 and IPv6.
fn server_before(place: &Place, upstream: SocketAddr) -> (Server, SocketAddr) {
    let mut command = Server::command(place);
    command.args(["--listen", "127.0.0.1:0", "--listen", "[::1]:0", "--workers", "2"]);
    let server = Server::ready(place, command.args(["--upstream", &upstream.to_string()]));
    let at6 = server.status()["listen"][1].as_str().unwrap().parse().unwrap();
    let knows = || !server.ask("www.test.").sections[0].is_empty();
    wait_until("no answer from upstream", knows);
    (server, at6)
}

fn local(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

#[test]
fn clients_see_the_same_whoever_is_upstream() {
    for program in ["unbound", "dnsmasq"] {
        if !is_installed(program) {
            continue;
        }
        let place = Place::new(&["casino.test"]);
        let at = local(free_port());
        let _upstream = Process::start(&mut match program {
            "unbound" => unbound_upstream(&place, at),
            _ => dnsmasq_upstream(at),
        });
        let (server, at6) = server_before(&place, at);
        for client in CLIENTS.iter().filter(|client| is_installed(client.program)) {
            client.looks(server.address);
            client.looks(at6);
        }
    }
}

#[test]
fn forwarders_before_it_pass_on_what_it_says() {
    if !is_installed("unbound") || !is_installed("dnsmasq") || !is_installed("dig") {
        return;
    }
    let place = Place::new(&["casino.test"]);
    let at = local(free_port());
    let _upstream = Process::start(&mut unbound_upstream(&place, at));
    let (server, _) = server_before(&place, at);
    let to = server.address;
    for program in ["unbound", "dnsmasq"] {
        let at = local(free_port());
        let forward = format!("--server={}#{}", to.ip(), to.port());
        let _downstream = Process::start(&mut match program {
            "unbound" => unbound_downstream(&place, at, to),
            _ => {
                let mut command = dnsmasq(at);
                command.arg(forward);
                command
            }
        });
        let [dig, ..] = &CLIENTS;
        let ask = |name| dig.ask(at, &[], name, "A");
        wait_until(program, || ask("www.test").contains(ADDRESS));
        assert!(ask("www.casino.test").contains("NXDOMAIN"), "{program}");
        let cloaked = ask("cloaked.test");
        assert!(cloaked.contains("NOERROR") && !cloaked.contains("casino"), "{cloaked}");
        let big = ask("big.test");
        assert_eq!(big.matches("\t192.0.2.").count(), BIG, "{program}: {big}");
    }
}

#[test]
fn clients_are_led_to_safe_search() {
    let place = Place::new(&[]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_gardefou"));
    command.arg("serve").arg("--admin").arg(place.path("admin.sock"));
    command.arg("--cache").arg(place.path("cache")).args(["--listen", "127.0.0.1:0"]);
    command.args(["--upstream", &upstream(), "--profile", "child_strict"]);
    let server = Server::ready(&place, &mut command);
    for client in CLIENTS.iter().filter(|client| is_installed(client.program)) {
        let search = client.ask(server.address, client.edns, "www.google.fr", "A");
        let is_safe =
            search.contains("forcesafesearch.google.com.") && search.contains("192.0.2.1");
        assert!(is_safe, "{}: {search}", client.program);
    }
}

/// The resolver of the C library, as programs use it: it reads `/etc/resolv.conf`.
#[test]
fn programs_are_protected() {
    let Some(namespace) = Namespace::new() else {
        eprintln!("skipped: the resolver of the C library asks at port 53 only");
        return;
    };
    if !is_installed("unbound") {
        return;
    }
    // Without an address beyond loopback it asks for none (AI_ADDRCONFIG, RFC 3493 section 6.1).
    namespace.run("ip address add 192.0.2.10/32 dev lo");
    namespace.run("ip address add 2001:db8:1::10/128 dev lo nodad");
    let place = Place::new(&["casino.test"]);
    let upstream = at_53("127.0.0.2");
    let command = unbound_upstream(&place, upstream);
    let _upstream = Process::start(&mut namespace.enter(&command));
    let mut command = Server::command(&place);
    command.args(["--listen", "127.0.0.1", "--listen", "::1", "--upstream", "127.0.0.2"]);
    let _server = Server::ready(&place, &mut namespace.enter(&command));
    fs::write(place.path("nsswitch.conf"), "hosts: files dns\n").unwrap();
    let resolv_conf = place.path("resolv.conf");
    // In a mount namespace these files lie over the system's.
    let over = format!(
        "mount --bind {} /etc/resolv.conf && mount --bind {} /etc/nsswitch.conf && \
         exec getent \"$@\"",
        resolv_conf.display(),
        place.path("nsswitch.conf").display()
    );
    let getent = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &over, "sh"]).args(arguments);
        let output = namespace.enter(&command).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.is_empty(), "{text}");
        String::from_utf8(output.stdout).unwrap()
    };
    for server in ["127.0.0.1", "::1"] {
        for options in ["", "options edns0\n", "options use-vc\n", "options single-request\n"] {
            fs::write(&resolv_conf, format!("nameserver {server}\n{options}")).unwrap();
            wait_until(options, || getent(&["ahostsv4", "www.test"]).contains(ADDRESS));
            assert!(getent(&["ahostsv6", "www.test"]).contains(ADDRESS6), "{server} {options}");
            assert_eq!(getent(&["ahosts", "www.casino.test"]), "", "{server} {options}");
            assert_eq!(getent(&["ahosts", "cloaked.test"]), "", "{server} {options}");
            let big = getent(&["ahostsv4", "big.test"]);
            assert_eq!(big.matches("STREAM").count(), BIG, "{server} {options}: {big}");
        }
    }
}
