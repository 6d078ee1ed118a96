//! Who is asked, and how: takes the servers of the command line, without any those of the system, and
//! gives the upstreams.

use std::fmt;
use std::fs;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::str::FromStr;

use anyhow::Context;
use filter_core::gateway::{Transport, Upstream};
use hyper::Uri;
use nix::net::if_::if_nametoindex;
use resolv_conf::ScopedIp;
use rustls::pki_types::ServerName;

use crate::output::{Hint, hinted};

const SYSTEM_PATH: &str = "/etc/resolv.conf";
/// What the engine takes.
const COUNT_MAX: usize = 8;
const HINT: &str = "name one with `--upstream ADDRESS`, for example your provider's resolver";

/// Of plain DNS.
pub const PORT: u16 = 53;
/// Of DNS over TLS (RFC 7858 section 3.1).
pub const TLS_PORT: u16 = 853;
/// Of DNS over HTTPS (RFC 8484 section 8.1).
pub const HTTPS_PORT: u16 = 443;

/// A server that is asked, as it is written on the command line:
///
/// | written | asked |
/// |---------|-------|
/// | `192.0.2.53`, `[2001:db8::53]:5300` | in plain DNS |
/// | `tls://192.0.2.53#dns.example` | over TLS (RFC 7858); the certificate has to be of `dns.example` |
/// | `https://192.0.2.53/dns-query#dns.example` | over HTTPS (RFC 8484), likewise |
///
/// Addresses, not names: a name would have to be looked up first, and whom would one ask? Without a
/// `#` the certificate has to be of the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub(super) address: SocketAddr,
    /// How it is asked where nobody can listen; plain DNS where there is nothing.
    pub(super) secure: Option<Secure>,
}

/// Whom a server has to prove to be, and what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Secure {
    pub(super) name: ServerName<'static>,
    /// The address of the questions over HTTPS; TLS alone where there is none.
    pub(super) uri: Option<Uri>,
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Server, String> {
        let (is_https, rest) = match (text.strip_prefix("tls://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) if text.contains("://") => {
                return Err("is asked over nothing we know: write tls:// or https://".to_owned());
            }
            (None, None) => {
                return Ok(Server { address: address(text, PORT)?, secure: None });
            }
        };
        let (rest, name) = match rest.split_once('#') {
            Some((rest, name)) => (rest, Some(name)),
            None => (rest, None),
        };
        let (host, path) = match rest.find('/') {
            Some(at) if is_https => rest.split_at(at),
            Some(_) => return Err("has a path, which is for https://".to_owned()),
            None if is_https => (rest, "/dns-query"),
            None => (rest, ""),
        };
        let address = address(host, if is_https { HTTPS_PORT } else { TLS_PORT })?;
        let name = match name {
            Some(name) => ServerName::try_from(name.to_owned())
                .map_err(|_| format!("names `{name}`, which no certificate can be of"))?,
            None => ServerName::from(address.ip()),
        };
        let uri = is_https.then(|| {
            let host = match &name {
                ServerName::DnsName(name) => name.as_ref().to_owned(),
                _ if address.is_ipv6() => format!("[{}]", address.ip()),
                _ => address.ip().to_string(),
            };
            let authority = match address.port() {
                HTTPS_PORT => host,
                port => format!("{host}:{port}"),
            };
            format!("https://{authority}{path}").parse().map_err(|_| "has an odd path".to_owned())
        });
        Ok(Server { address, secure: Some(Secure { name, uri: uri.transpose()? }) })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Secure { name, uri }) = &self.secure else { return self.address.fmt(f) };
        match uri {
            Some(uri) => write!(f, "https://{}{}", self.address, uri.path())?,
            None => write!(f, "tls://{}", self.address)?,
        }
        match name {
            ServerName::DnsName(name) => write!(f, "#{}", name.as_ref()),
            _ => Ok(()),
        }
    }
}

impl Server {
    /// As the engine knows it.
    pub(super) fn of_engine(&self) -> Upstream {
        let transport = if self.secure.is_some() { Transport::Tcp } else { Transport::Udp };
        Upstream { address: self.address, transport }
    }
}

/// An address, at this port unless it has one.
///
/// # Errors
/// Says how one is written.
pub fn address(text: &str, port: u16) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let at_port = || bare.parse::<IpAddr>().map(|address| SocketAddr::from((address, port)));
    let why =
        "is no address: write 192.0.2.53, 192.0.2.53:5300, 2001:db8::53 or [2001:db8::53]:5300";
    text.parse().or_else(|_| at_port()).map_err(|_| why.to_owned())
}

/// The servers of the command line, else those of the system.
pub(super) fn choose(servers: &[Server]) -> anyhow::Result<Vec<Server>> {
    let servers = match servers {
        [] => {
            let text = fs::read(SYSTEM_PATH).context(SYSTEM_PATH).hint(|| HINT)?;
            let addresses = of_system(&text).context(SYSTEM_PATH)?;
            addresses.into_iter().map(|address| Server { address, secure: None }).collect()
        }
        servers => servers.to_vec(),
    };
    if servers.len() > COUNT_MAX {
        let error = format!("there are {} upstreams, at most {COUNT_MAX} are asked", servers.len());
        return Err(hinted(error, "leave some `--upstream` out"));
    }
    for (index, server) in servers.iter().enumerate() {
        if servers.iter().take(index).any(|other| other.address == server.address) {
            let error = format!("upstream {} is there twice", server.address);
            return Err(hinted(error, "leave one `--upstream` out"));
        }
    }
    Ok(servers)
}

/// The name servers of a `resolv.conf`.
fn of_system(text: &[u8]) -> anyhow::Result<Vec<SocketAddr>> {
    // What is not understood there is the system's business, as long as there is a name server.
    let (config, _) = resolv_conf::Config::parse_with_errors(text);
    let mut addresses = Vec::new();
    for server in config.nameservers {
        addresses.push(match server {
            ScopedIp::V4(address) => SocketAddr::from((address, 53)),
            ScopedIp::V6(address, scope) => {
                let scope_id = match scope.as_deref() {
                    Some(name) => match name.parse() {
                        Ok(number) => number,
                        Err(_) => if_nametoindex(name)
                            .with_context(|| format!("name server {address}%{name}"))
                            .hint(|| HINT)?,
                    },
                    None => 0,
                };
                SocketAddrV6::new(address, 53, 0, scope_id).into()
            }
        });
    }
    match addresses.is_empty() {
        true => Err(hinted("there is no name server to ask", HINT)),
        false => Ok(addresses),
    }
}

/// Refuses to ask ourselves, which is what a `resolv.conf` that points here leads to.
pub(super) fn refuse_loops(servers: &[Server], listen: &[SocketAddr]) -> anyhow::Result<()> {
    for server in servers {
        let to = server.address;
        let is_us = |address: &SocketAddr| {
            let is_any = address.ip().is_unspecified()
                && address.is_ipv4() == to.is_ipv4()
                && is_loopback(to.ip());
            address.port() == to.port() && (address.ip() == to.ip() || is_any)
        };
        if listen.iter().any(is_us) {
            return Err(hinted(format!("upstream {to} is this server itself"), HINT));
        }
    }
    Ok(())
}

fn is_loopback(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_of_the_system_are_found() {
        let text = b"# made by a program\nsearch example\nnameserver 192.0.2.53\n\
                     nameserver fe80::1%7\nodd line\nnameserver 2001:db8::53\n";
        let found: Vec<String> =
            of_system(text).unwrap().iter().map(SocketAddr::to_string).collect();
        assert_eq!(found, ["192.0.2.53:53", "[fe80::1%7]:53", "[2001:db8::53]:53"]);
        let error = of_system(b"search example\n").unwrap_err();
        assert!(error.to_string().contains("no name server"));
    }

    #[test]
    fn nobody_asks_himself() {
        let server = |text: &str| text.parse::<Server>().unwrap();
        let listen = ["0.0.0.0:53".parse().unwrap(), "[::1]:5300".parse().unwrap()];
        assert!(refuse_loops(&[server("127.0.0.53:53")], &listen).is_err());
        assert!(refuse_loops(&[server("[::1]:5300")], &listen).is_err());
        assert!(refuse_loops(&[server("[::1]:53")], &listen).is_ok());
        assert!(refuse_loops(&[server("192.0.2.53:53")], &listen).is_ok());
    }

    #[test]
    fn servers_are_written_in_three_ways() {
        let shown = |text: &str| text.parse::<Server>().unwrap().to_string();
        assert_eq!(shown("192.0.2.53"), "192.0.2.53:53");
        assert_eq!(shown("192.0.2.53:5300"), "192.0.2.53:5300");
        assert_eq!(shown("2001:db8::53"), "[2001:db8::53]:53");
        assert_eq!(shown("[2001:db8::53]"), "[2001:db8::53]:53");
        assert_eq!(shown("tls://192.0.2.53"), "tls://192.0.2.53:853");
        assert_eq!(shown("tls://[::1]:8853#dns.example"), "tls://[::1]:8853#dns.example");
        assert_eq!(shown("https://192.0.2.53"), "https://192.0.2.53:443/dns-query");
        assert_eq!(
            shown("https://192.0.2.53/q#dns.example"),
            "https://192.0.2.53:443/q#dns.example"
        );
        for text in [
            "dns.example",
            "tls://dns.example",
            "tls://192.0.2.53/dns-query",
            "tls://192.0.2.53#not a name",
            "quic://192.0.2.53",
            "https://192.0.2.53/a b",
        ] {
            assert!(text.parse::<Server>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_server_over_https_is_asked_by_its_name() {
        let uri =
            |text: &str| text.parse::<Server>().unwrap().secure.unwrap().uri.unwrap().to_string();
        assert_eq!(uri("https://192.0.2.53"), "https://192.0.2.53/dns-query");
        assert_eq!(uri("https://[2001:db8::53]"), "https://[2001:db8::53]/dns-query");
        assert_eq!(uri("https://192.0.2.53:8443/q#dns.example"), "https://dns.example:8443/q");
    }

    #[test]
    fn one_address_is_asked_in_one_way() {
        let servers = ["192.0.2.53:853", "tls://192.0.2.53"].map(|text| text.parse().unwrap());
        assert!(choose(&servers).unwrap_err().to_string().contains("twice"));
    }
}
