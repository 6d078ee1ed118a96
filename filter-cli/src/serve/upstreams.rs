//! Who is asked: takes the addresses of the command line, gives the upstreams; without any, those
//! of the system.

use std::fs;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use anyhow::Context;
use filter_core::gateway::{Transport, Upstream};
use nix::net::if_::if_nametoindex;
use resolv_conf::ScopedIp;

use crate::output::{Hint, hinted};

const SYSTEM_PATH: &str = "/etc/resolv.conf";
/// What the engine takes.
const COUNT_MAX: usize = 8;
const HINT: &str = "name one with `--upstream ADDRESS`, for example your provider's resolver";

/// The upstreams of the command line, else those of the system.
pub(super) fn choose(addresses: &[SocketAddr]) -> anyhow::Result<Vec<Upstream>> {
    let addresses = match addresses {
        [] => {
            let text = fs::read(SYSTEM_PATH).context(SYSTEM_PATH).hint(|| HINT)?;
            of_system(&text).context(SYSTEM_PATH)?
        }
        addresses => addresses.to_vec(),
    };
    if addresses.len() > COUNT_MAX {
        let error =
            format!("there are {} upstreams, at most {COUNT_MAX} are asked", addresses.len());
        return Err(hinted(error, "leave some `--upstream` out"));
    }
    let upstream = |address| Upstream { address, transport: Transport::Udp };
    Ok(addresses.into_iter().map(upstream).collect())
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
pub(super) fn refuse_loops(upstreams: &[Upstream], listen: &[SocketAddr]) -> anyhow::Result<()> {
    for upstream in upstreams {
        let to = upstream.address;
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
        let upstream =
            |text: &str| Upstream { address: text.parse().unwrap(), transport: Transport::Udp };
        let listen = ["0.0.0.0:53".parse().unwrap(), "[::1]:5300".parse().unwrap()];
        assert!(refuse_loops(&[upstream("127.0.0.53:53")], &listen).is_err());
        assert!(refuse_loops(&[upstream("[::1]:5300")], &listen).is_err());
        assert!(refuse_loops(&[upstream("[::1]:53")], &listen).is_ok());
        assert!(refuse_loops(&[upstream("192.0.2.53:53")], &listen).is_ok());
    }
}
