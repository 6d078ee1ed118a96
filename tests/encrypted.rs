//! `gardefou serve`, the real binary, over TLS and HTTPS on both sides: kdig and curl before it,
//! Unbound and itself behind it, with certificates made for the test.
#![cfg(target_os = "linux")]

mod common;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/dns.rs"]
mod dns;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/server.rs"]
mod server;

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use server::{PATIENCE, Place, Process, Server, client, free_port, is_installed, query, upstream};

const NAME: &str = "dns.test";

/// An authority that only we know, and what it vouches for.
struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    /// Writes `authority.pem`.
    fn new(place: &Place) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Authority of the test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(place.path("authority.pem"), certificate.pem()).unwrap();
        Authority(Issuer::new(params, key))
    }

    /// Writes `cert.pem` and `key.pem` of this name.
    fn vouch(&self, place: &Place, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        fs::write(place.path("cert.new"), certificate.pem()).unwrap();
        fs::write(place.path("key.pem"), key.serialize_pem()).unwrap();
        // The certificate last, and at once: only then do the two belong together.
        fs::rename(place.path("cert.new"), place.path("cert.pem")).unwrap();
    }
}

fn text(path: PathBuf) -> String {
    path.to_str().unwrap().to_owned()
}

/// A server for clients over TLS and HTTPS, and its ports.
fn secure_server(place: &Place, arguments: &[&str]) -> (Server, u16, u16) {
    let (certificate, key) = (text(place.path("cert.pem")), text(place.path("key.pem")));
    let mut all = vec!["--listen-tls", "127.0.0.1:0", "--listen-https", "127.0.0.1:0"];
    all.extend(["--tls-certificate", &certificate, "--tls-key", &key, "--workers", "2"]);
    all.extend(arguments);
    let server = Server::start(place, &all);
    let listen = server.status()["listen"].clone();
    let port = |index: usize| {
        let address = listen[index].as_str().unwrap();
        address.rsplit_once(':').unwrap().1.parse().unwrap()
    };
    (server, port(1), port(2))
}

fn kdig(place: &Place, port: u16, options: &[&str], name: &str) -> String {
    let mut command = Command::new("kdig");
    command.args(["@127.0.0.1", "-p", &port.to_string(), "+timeout=5", "+retry=0"]);
    command.arg(format!("+tls-ca={}", text(place.path("authority.pem"))));
    command.arg(format!("+tls-hostname={NAME}"));
    let output = command.args(options).args([name, "A"]).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn clients_ask_over_tls_and_https() {
    if !is_installed("kdig") {
        return;
    }
    let place = Place::new(&["casino.test"]);
    Authority::new(&place).vouch(&place, NAME);
    let (server, tls, https) = secure_server(&place, &["--upstream", &upstream()]);
    let ways = [
        (tls, ["+tls", "+keepopen"]),
        (https, ["+https", "+keepopen"]),
        (https, ["+https-get", "+keepopen"]),
    ];
    for (port, options) in ways {
        let blocked = kdig(&place, port, &options, "www.casino.test");
        assert!(blocked.contains("NXDOMAIN"), "{options:?}: {blocked}");
        let allowed = kdig(&place, port, &options, "www.test");
        assert!(allowed.contains("192.0.2.1"), "{options:?}: {allowed}");
        let big = kdig(&place, port, &options, "big.test");
        assert_eq!(big.matches("\t192.0.2.").count(), 100, "{options:?}: {big}");
    }
    assert_eq!(server.status()["counters"]["blocked"]["gambling"], 3);
}

#[test]
fn requests_that_are_no_queries_get_a_status() {
    if !is_installed("curl") {
        return;
    }
    let place = Place::new(&["casino.test"]);
    Authority::new(&place).vouch(&place, NAME);
    let (_server, _, https) = secure_server(&place, &["--upstream", &upstream()]);
    fs::write(place.path("query"), query(7, "www.casino.test.")).unwrap();
    fs::write(place.path("long"), vec![0; 5000]).unwrap();
    let get = data_encoding::BASE64URL_NOPAD.encode(&query(0, "www.casino.test."));
    let post = |file: &str| format!("--data-binary @{}", text(place.path(file)));
    let dns = "-H Content-Type:application/dns-message";
    let cases = [
        (format!("/dns-query?dns={get}"), String::new(), "200"),
        (format!("/dns-query?x=1&dns={get}"), String::new(), "200"),
        ("/dns-query".to_owned(), format!("{dns} {}", post("query")), "200"),
        ("/dns-query".to_owned(), String::new(), "400"),
        ("/dns-query?dns=%20".to_owned(), String::new(), "400"),
        ("/dns-query?dns=AA".to_owned(), String::new(), "400"),
        ("/".to_owned(), String::new(), "404"),
        ("/dns-query".to_owned(), "-X PUT".to_owned(), "405"),
        ("/dns-query".to_owned(), format!("{dns} {}", post("long")), "413"),
        ("/dns-query".to_owned(), post("query"), "415"),
    ];
    for version in ["--http1.1", "--http2"] {
        for (path, options, status) in &cases {
            let mut command = Command::new("curl");
            command.args([version, "--silent", "--show-error", "--max-time", "8"]);
            command.arg("--cacert").arg(place.path("authority.pem"));
            command.args(["--resolve", &format!("{NAME}:{https}:127.0.0.1")]);
            command.arg("--output").arg(place.path("body"));
            command.args(["--write-out", "%{http_code} %{content_type}"]);
            command.args(options.split_whitespace());
            command.arg(format!("https://{NAME}:{https}{path}"));
            let output = command.output().unwrap();
            let seen = String::from_utf8_lossy(&output.stdout).into_owned();
            let case = format!("{version} {path} {options}: {output:?}");
            assert!(seen.starts_with(status), "{case}");
            if *status == "200" {
                assert!(seen.ends_with("application/dns-message"), "{case}");
                let reply = dns::Message::from_octets(&fs::read(place.path("body")).unwrap());
                assert_eq!((reply.rcode, reply.qr), (3, true), "{case}");
                assert_eq!(reply.id, if options.is_empty() { 0 } else { 7 }, "{case}");
            }
        }
    }
}

/// Asks until it is so, a name of its own each time, so that nothing comes from the cache.
fn until(server: &Server, words: &str, is_so: impl Fn(&dns::Message) -> bool) {
    let end = Instant::now() + PATIENCE;
    let socket = client(server.address);
    socket.set_read_timeout(Some(Duration::from_secs(6))).unwrap();
    let mut buffer = [0; 4096];
    for number in 0.. {
        socket.send(&query(number, &format!("n{number}.www.test."))).unwrap();
        if let Ok(len) = socket.recv(&mut buffer)
            && is_so(&dns::Message::from_octets(&buffer[..len]))
        {
            return;
        }
        assert!(Instant::now() < end, "{words}");
        thread::sleep(Duration::from_millis(200));
    }
}

fn is_answered(message: &dns::Message) -> bool {
    message.rcode == 0 && !message.sections[0].is_empty()
}

/// Unbound, that knows all below `www.test.`, over TLS or HTTPS at this port.
fn unbound(place: &Place, port: u16, is_https: bool) -> Command {
    let file = place.path("unbound.conf");
    let (certificate, key) = (text(place.path("cert.pem")), text(place.path("key.pem")));
    let carrier = if is_https { "https-port" } else { "tls-port" };
    let conf = format!(
        "server:\n interface: 127.0.0.1@{port}\n {carrier}: {port}\n do-daemonize: no\n \
         username: \"\"\n chroot: \"\"\n directory: \".\"\n pidfile: \"\"\n use-syslog: no\n \
         tls-service-pem: \"{certificate}\"\n tls-service-key: \"{key}\"\n \
         module-config: \"iterator\"\n local-zone: \"www.test.\" redirect\n \
         local-data: \"www.test. 60 IN A 192.0.2.77\"\nremote-control:\n control-enable: no\n"
    );
    fs::write(&file, conf).unwrap();
    let mut command = Command::new("/usr/sbin/unbound");
    command.arg("-d").arg("-c").arg(file);
    command
}

#[test]
fn an_upstream_is_asked_over_tls_and_https_and_again_when_it_is_back() {
    if !is_installed("unbound") {
        return;
    }
    for is_https in [false, true] {
        let place = Place::new(&["casino.test"]);
        Authority::new(&place).vouch(&place, NAME);
        let port = free_port();
        let scheme = if is_https { "https" } else { "tls" };
        let upstream = format!("{scheme}://127.0.0.1:{port}#{NAME}");
        let authorities = text(place.path("authority.pem"));
        let arguments = ["--upstream", &upstream, "--upstream-authorities", &authorities];
        let server = Server::start(&place, &arguments);
        for round in 0..2 {
            let process = Process::start(&mut unbound(&place, port, is_https));
            until(&server, &format!("no answer, {scheme}, round {round}"), is_answered);
            assert_eq!(server.status()["upstreams"][0]["up"], true, "{scheme}");
            drop(process);
        }
    }
}

#[test]
fn one_server_stands_behind_another() {
    let place = Place::new(&["casino.test"]);
    let behind = Place::new(&["bet.test"]);
    Authority::new(&behind).vouch(&behind, NAME);
    let (_behind, tls, https) = secure_server(&behind, &["--upstream", &upstream()]);
    let authorities = text(behind.path("authority.pem"));
    for at in [format!("tls://127.0.0.1:{tls}"), format!("https://127.0.0.1:{https}/dns-query")] {
        let to = format!("{at}#{NAME}");
        let arguments = ["--upstream", &to, "--upstream-authorities", &authorities];
        let server = Server::start(&place, &arguments);
        until(&server, "no answer", is_answered);
        assert_eq!(server.ask("www.bet.test.").rcode, 3);
        assert_eq!(server.ask("www.casino.test.").rcode, 3);
        // Many at once, on one connection.
        let socket = client(server.address);
        socket.set_read_timeout(Some(PATIENCE / 4)).unwrap();
        for id in 0..15 {
            socket.send(&query(id, &format!("m{id}.test."))).unwrap();
        }
        let mut buffer = [0; 4096];
        for _ in 0..15 {
            let len = socket.recv(&mut buffer).unwrap();
            assert!(is_answered(&dns::Message::from_octets(&buffer[..len])));
        }
    }
}

/// An upstream that is somebody else is not asked, and nothing is asked in the open instead.
#[test]
fn an_upstream_that_is_somebody_else_is_not_asked() {
    let place = Place::new(&["casino.test"]);
    let behind = Place::new(&[]);
    Authority::new(&behind).vouch(&behind, NAME);
    let stranger = Place::new(&[]);
    Authority::new(&stranger);
    let (asked, tls, https) = secure_server(&behind, &["--upstream", &upstream()]);
    let known = text(behind.path("authority.pem"));
    let unknown = text(stranger.path("authority.pem"));
    let cases = [
        (format!("tls://127.0.0.1:{tls}#other.test"), &known),
        (format!("tls://127.0.0.1:{tls}"), &known),
        (format!("tls://127.0.0.1:{tls}#{NAME}"), &unknown),
        (format!("https://127.0.0.1:{https}#other.test"), &known),
        (format!("https://127.0.0.1:{https}#{NAME}"), &unknown),
    ];
    for (upstream, authorities) in cases {
        let port = upstream.split(['/', '#', ':']).nth(4).unwrap().parse::<u16>().unwrap();
        // Whatever is asked in the open would come here.
        let open = UdpSocket::bind(("127.0.0.1", port)).unwrap();
        open.set_nonblocking(true).unwrap();
        let arguments = ["--upstream", &upstream, "--upstream-authorities", authorities];
        let mut server = Server::start(&place, &arguments);
        until(&server, &upstream, |reply| reply.rcode == 2);
        server.process.signal("TERM");
        let said = server.process.hear_out();
        assert!(said.contains("cannot ask upstream"), "{upstream}: {said}");
        assert!(said.contains("certificate"), "{upstream}: {said}");
        assert!(!said.contains("www.test"), "{upstream}: {said}");
        assert_eq!(open.recv(&mut [0; 9]).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
    assert_eq!(asked.status()["counters"]["queries"], 0);
}

#[test]
fn a_new_certificate_is_taken_and_a_bad_one_is_not() {
    if !is_installed("kdig") {
        return;
    }
    let place = Place::new(&["casino.test"]);
    let authority = Authority::new(&place);
    authority.vouch(&place, "old.test");
    let (mut server, tls, _) = secure_server(&place, &["--upstream", &upstream()]);
    let is_known = || kdig(&place, tls, &["+tls"], "www.casino.test").contains("NXDOMAIN");
    assert!(!is_known());
    authority.vouch(&place, NAME);
    let end = Instant::now() + PATIENCE;
    while !is_known() {
        assert!(Instant::now() < end, "the new certificate is not there");
        thread::sleep(Duration::from_millis(200));
    }
    fs::write(place.path("cert.pem"), "no certificate").unwrap();
    server.process.wait_for("the certificate there was stays");
    assert!(is_known());
}

#[test]
fn what_cannot_be_is_said_at_the_start() {
    let place = Place::new(&["casino.test"]);
    let authority = Authority::new(&place);
    authority.vouch(&place, NAME);
    fs::write(place.path("empty.pem"), "").unwrap();
    let (cert, key) = (text(place.path("cert.pem")), text(place.path("key.pem")));
    let (empty, other) = (text(place.path("empty.pem")), text(place.path("authority.pem")));
    let cases: [(&[&str], &str); 6] = [
        (&["--listen-tls", "127.0.0.1:0"], "--tls-certificate"),
        (&["--tls-certificate", &cert, "--tls-key", &empty], "private key in PEM"),
        (&["--tls-certificate", &empty, "--tls-key", &key], "certificates in PEM"),
        (&["--tls-certificate", &other, "--tls-key", &key], "that of the key"),
        (&["--upstream", "tls://dns.test"], "is no address"),
        (
            &["--upstream", "tls://192.0.2.53", "--upstream-authorities", &empty],
            "certificates in PEM",
        ),
    ];
    for (arguments, words) in cases {
        let mut command = Server::command(&place);
        let mut process = Process::start(command.args(["--listen", "127.0.0.1:0"]).args(arguments));
        assert_eq!(process.code(), Some(2), "{arguments:?}");
        let said = process.hear_out();
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}

/// Connections that say nothing, or no TLS, are closed, and leave room for others.
#[test]
fn connections_that_are_of_no_use_end() {
    let place = Place::new(&["casino.test"]);
    Authority::new(&place).vouch(&place, NAME);
    let (server, tls, https) = secure_server(&place, &["--upstream", &upstream()]);
    let open = |port| TcpStream::connect(("127.0.0.1", port)).unwrap();
    let _silent = [tls, https].map(open);
    for mut stream in [tls, https].map(open) {
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    }
    let end = Instant::now() + PATIENCE;
    while server.status()["connections"] != 0 {
        assert!(Instant::now() < end, "{}", server.status());
        thread::sleep(Duration::from_millis(500));
    }
}
