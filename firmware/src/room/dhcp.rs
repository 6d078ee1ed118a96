//! Addresses for the room (RFC 2131), and with them the gateway as its name server: takes messages,
//! gives each the reply the leases allow.
//!
//! Off unless the settings say which addresses to give out; and still off where another server
//! answers, which is asked first and from time to time, for two of them in a room give the same
//! addresses to different clients.

use core::convert::Infallible;
use core::future::pending;
use core::net::Ipv4Addr;

use embassy_futures::select::{Either, select};
use embassy_net::{HardwareAddress, Ipv4Cidr, Stack};
use embassy_time::{Duration, Instant, Timer};
use heapless::Vec;
use smoltcp::wire::{
    DHCP_CLIENT_PORT, DHCP_SERVER_PORT, DhcpMessageType, DhcpOption, DhcpPacket, DhcpRepr,
    EthernetAddress,
};

use super::flush;
use super::leases::{LEASE_S, Leases, Pool};
use crate::memory::Buffers;
use crate::notice::Notice;
use crate::settings::Settings;
use crate::worker::Worker;

/// Octets of the longest message that waits; all clients are content with this (RFC 2131 section 2).
const MESSAGE_LEN_MAX: usize = 548;
/// Octets of all replies. Whoever knows BOOTP only wants 300 at least.
const REPLY_LEN: usize = 400;
/// What waits at the socket.
pub(super) type Datagrams = Buffers<2, { 2 * MESSAGE_LEN_MAX }, REPLY_LEN>;
/// How often and how long others are asked whether they are there.
const TRIES: usize = 2;
const TRY_TIME: Duration = Duration::from_secs(3);
/// When they were: asked again after so long.
const RETRY: Duration = Duration::from_secs(300);
/// Where clients that know more than DNS find a page of the room's (RFC 8910).
const CAPTIVE_PORTAL: u8 = 114;

/// Serves; for ever.
pub(super) async fn serve(
    worker: &Worker,
    datagrams: &mut Datagrams,
    leases: &mut Leases,
    settings: &Settings,
    notice: fn(Notice),
) -> Infallible {
    let (Some((first, last)), Some((network, router))) = (settings.lease, settings.address) else {
        return pending().await;
    };
    while let Some(server) = other_server(worker, datagrams).await {
        notice(Notice::OtherDhcp { server });
        Timer::after(RETRY).await;
    }
    let mut socket = datagrams.socket(worker.stack);
    // It is not bound, and the port is one.
    let _ = socket.bind(DHCP_SERVER_PORT);
    notice(Notice::Dhcp);
    let portal = &settings.captive_portal;
    let mut server = Server { network, router, portal, pool: Pool { first, last, leases } };
    loop {
        let now_s = Instant::now().as_secs() as u32;
        let reply = socket.recv_from_with(|message, _| server.reply(message, now_s)).await;
        if let Some(reply) = reply {
            let to = (reply.to(), DHCP_CLIENT_PORT);
            // What cannot be sent is as good as lost on the way: the client asks again.
            let write = |octets: &mut [u8]| (server.write(&reply, octets), ());
            let _ = socket.send_to_with(REPLY_LEN, to, write).await;
            flush(&mut socket, DHCP_SERVER_PORT).await;
        }
    }
}

/// Who else gives out addresses here.
async fn other_server(worker: &Worker, datagrams: &mut Datagrams) -> Option<Ipv4Addr> {
    worker.stack.wait_link_up().await;
    worker.stack.wait_config_up().await;
    let mut socket = datagrams.socket(worker.stack);
    let _ = socket.bind(DHCP_CLIENT_PORT);
    let question = question(worker.stack, worker.random() as u32);
    for _ in 0..TRIES {
        let to = (Ipv4Addr::BROADCAST, DHCP_SERVER_PORT);
        let write = |octets: &mut [u8]| (emit(&question, octets), ());
        let _ = socket.send_to_with(REPLY_LEN, to, write).await;
        let offer = async {
            loop {
                let offer = |message: &[u8]| offer_to(message, question.transaction_id);
                if let Some(server) = socket.recv_from_with(|message, _| offer(message)).await {
                    return server;
                }
            }
        };
        if let Either::First(server) = select(offer, Timer::after(TRY_TIME)).await {
            return Some(server);
        }
    }
    None
}

fn question(stack: Stack<'_>, transaction_id: u32) -> DhcpRepr<'static> {
    let HardwareAddress::Ethernet(mac) = stack.hardware_address();
    // What is sent to us alone would not reach us: we have another address than would be offered.
    let broadcast = true;
    DhcpRepr { transaction_id, broadcast, ..message(DhcpMessageType::Discover, mac) }
}

/// Whose offer this is, if it is one to this question.
fn offer_to(message: &[u8], transaction_id: u32) -> Option<Ipv4Addr> {
    let packet = DhcpPacket::new_checked(message).ok()?;
    let offer = DhcpRepr::parse(&packet).ok()?;
    let is_ours = offer.transaction_id == transaction_id;
    let is_offer = offer.message_type == DhcpMessageType::Offer;
    (is_ours && is_offer).then_some(offer.server_identifier)?
}

/// What is said, and by whom.
struct Server<'a> {
    network: Ipv4Cidr,
    router: Option<Ipv4Addr>,
    /// An address of a page, or nothing.
    portal: &'a str,
    pool: Pool<'a>,
}

/// What is said to a client.
struct Reply {
    message_type: DhcpMessageType,
    transaction_id: u32,
    mac: EthernetAddress,
    broadcast: bool,
    /// Where the client is already.
    client_ip: Ipv4Addr,
    your_ip: Ipv4Addr,
}

impl Server<'_> {
    /// Takes in a message, and gives the reply if there is one. What comes through a relay is not of
    /// this room.
    fn reply(&mut self, message: &[u8], now_s: u32) -> Option<Reply> {
        let packet = DhcpPacket::new_checked(message).ok()?;
        let asked = DhcpRepr::parse(&packet).ok()?;
        if !asked.relay_agent_ip.is_unspecified() {
            return None;
        }
        let mac = asked.client_hardware_address.0;
        let us = self.network.address();
        let (message_type, client_ip, your_ip) = match asked.message_type {
            DhcpMessageType::Discover => {
                let address = self.pool.offer(mac, asked.requested_ip, now_s)?;
                (DhcpMessageType::Offer, Ipv4Addr::UNSPECIFIED, address)
            }
            DhcpMessageType::Request if asked.server_identifier.is_some_and(|it| it != us) => {
                self.pool.release(mac);
                return None;
            }
            DhcpMessageType::Request => {
                let has = Some(asked.client_ip).filter(|address| !address.is_unspecified());
                let address = asked.requested_ip.or(has)?;
                match self.pool.lease(mac, address, now_s) {
                    true => (DhcpMessageType::Ack, asked.client_ip, address),
                    false => (DhcpMessageType::Nak, Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED),
                }
            }
            DhcpMessageType::Decline => {
                self.pool.decline(mac, now_s);
                return None;
            }
            DhcpMessageType::Release => {
                self.pool.release(mac);
                return None;
            }
            _ => return None,
        };
        Some(Reply {
            message_type,
            transaction_id: asked.transaction_id,
            mac: asked.client_hardware_address,
            broadcast: asked.broadcast,
            client_ip,
            your_ip,
        })
    }

    /// Writes a reply, and gives its length.
    fn write(&self, reply: &Reply, octets: &mut [u8]) -> usize {
        let &Reply { message_type, transaction_id, broadcast, client_ip, your_ip, mac } = reply;
        let us = self.network.address();
        let portal = [DhcpOption { kind: CAPTIVE_PORTAL, data: self.portal.as_bytes() }];
        let mut message = DhcpRepr {
            transaction_id,
            broadcast,
            client_ip,
            your_ip,
            server_identifier: Some(us),
            ..message(message_type, mac)
        };
        if message_type != DhcpMessageType::Nak {
            message.router = self.router;
            message.subnet_mask = Some(self.network.netmask());
            message.dns_servers = Some(Vec::from_iter([us]));
            message.lease_duration = Some(LEASE_S);
            message.additional_options = if self.portal.is_empty() { &[] } else { &portal };
        }
        emit(&message, octets)
    }
}

impl Reply {
    /// A client without an address cannot be asked for the way to it, so it is told among all.
    fn to(&self) -> Ipv4Addr {
        if self.client_ip.is_unspecified() { Ipv4Addr::BROADCAST } else { self.client_ip }
    }
}

/// A message that says nothing yet.
fn message(message_type: DhcpMessageType, mac: EthernetAddress) -> DhcpRepr<'static> {
    DhcpRepr {
        message_type,
        transaction_id: 0,
        secs: 0,
        client_hardware_address: mac,
        client_ip: Ipv4Addr::UNSPECIFIED,
        your_ip: Ipv4Addr::UNSPECIFIED,
        server_ip: Ipv4Addr::UNSPECIFIED,
        router: None,
        subnet_mask: None,
        relay_agent_ip: Ipv4Addr::UNSPECIFIED,
        broadcast: false,
        requested_ip: None,
        client_identifier: None,
        server_identifier: None,
        parameter_request_list: None,
        dns_servers: None,
        max_size: None,
        lease_duration: None,
        renew_duration: None,
        rebind_duration: None,
        additional_options: &[],
    }
}

fn emit(message: &DhcpRepr<'_>, octets: &mut [u8]) -> usize {
    // What was there before is no part of it.
    octets.fill(0);
    // There is room for the longest: see REPLY_LEN.
    let _ = message.emit(&mut DhcpPacket::new_unchecked(&mut *octets));
    octets.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
    const MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 7]);
    /// As long as the settings take them.
    const PORTAL: &str = "https://gardefou.example/a/portal/as/long/as/the/settings/take/it";

    fn with_server(portal: &str, work: impl FnOnce(&mut Server<'_>)) {
        let mut leases = Leases::new();
        let [first, last] = [100, 199].map(|last| Ipv4Addr::new(10, 0, 0, last));
        let pool = Pool { first, last, leases: &mut leases };
        let router = Some([10, 0, 0, 1].into());
        work(&mut Server { network: Ipv4Cidr::new(US, 24), router, portal, pool });
    }

    fn say<T>(
        server: &mut Server<'_>,
        said: &DhcpRepr<'_>,
        hear: impl FnOnce(&DhcpRepr<'_>, &[u8]) -> T,
    ) -> Option<T> {
        let mut octets = [0; MESSAGE_LEN_MAX];
        emit(said, &mut octets);
        let reply = server.reply(&octets, 0)?;
        let mut octets = [0xEE; REPLY_LEN];
        let len = server.write(&reply, &mut octets);
        let packet = DhcpPacket::new_checked(&octets[..len]).unwrap();
        Some(hear(&DhcpRepr::parse(&packet).unwrap(), &octets))
    }

    #[test]
    fn a_client_gets_an_address_and_us_as_its_name_server() {
        with_server(PORTAL, |server| {
            let discover =
                DhcpRepr { transaction_id: 77, ..message(DhcpMessageType::Discover, MAC) };
            let offered = say(server, &discover, |offer, octets| {
                assert_eq!(offer.message_type, DhcpMessageType::Offer);
                assert_eq!((offer.transaction_id, offer.client_hardware_address), (77, MAC));
                assert_eq!(offer.dns_servers.as_deref(), Some(&[US][..]));
                assert_eq!(offer.router, Some([10, 0, 0, 1].into()));
                assert_eq!(offer.subnet_mask, Some([255, 255, 255, 0].into()));
                assert_eq!(
                    (offer.server_identifier, offer.lease_duration),
                    (Some(US), Some(LEASE_S))
                );
                let portal = [&[CAPTIVE_PORTAL, PORTAL.len() as u8], PORTAL.as_bytes()].concat();
                assert!(octets.windows(portal.len()).any(|window| window == portal));
                offer.your_ip
            });
            let requested_ip = offered;
            let request = DhcpRepr {
                requested_ip,
                server_identifier: Some(US),
                ..message(DhcpMessageType::Request, MAC)
            };
            let acked = say(server, &request, |ack, _| (ack.message_type, ack.your_ip));
            assert_eq!(acked, Some((DhcpMessageType::Ack, offered.unwrap())));
            let other = DhcpRepr {
                requested_ip,
                ..message(DhcpMessageType::Request, EthernetAddress([2; 6]))
            };
            let refused = say(server, &other, |nak, _| (nak.message_type, nak.dns_servers.clone()));
            assert_eq!(refused, Some((DhcpMessageType::Nak, None)));
        });
    }

    #[test]
    fn what_is_for_others_gets_no_reply() {
        with_server("", |server| {
            let other: Ipv4Addr = [10, 0, 0, 3].into();
            let discover = message(DhcpMessageType::Discover, MAC);
            let silent = [
                DhcpRepr {
                    server_identifier: Some(other),
                    ..message(DhcpMessageType::Request, MAC)
                },
                DhcpRepr { relay_agent_ip: other, ..discover.clone() },
                message(DhcpMessageType::Request, MAC),
                message(DhcpMessageType::Offer, MAC),
                message(DhcpMessageType::Release, MAC),
                message(DhcpMessageType::Decline, MAC),
                message(DhcpMessageType::Inform, MAC),
            ];
            for said in silent {
                assert_eq!(say(server, &said, |_, _| ()), None, "{said:?}");
            }
            let has_portal =
                say(server, &discover, |_, octets| octets[240..].contains(&CAPTIVE_PORTAL));
            assert_eq!(has_portal, Some(false));
        });
    }

    #[test]
    fn nonsense_gets_no_reply() {
        with_server("", |server| {
            let mut octets = [0; MESSAGE_LEN_MAX];
            emit(&message(DhcpMessageType::Discover, MAC), &mut octets);
            for len in 0..243 {
                assert!(server.reply(&octets[..len], 0).is_none());
            }
            for place in 0..octets.len() {
                for value in [0, 1, 53, 255] {
                    let mut damaged = octets;
                    damaged[place] = value;
                    server.reply(&damaged, 0);
                }
            }
        });
    }

    #[test]
    fn another_server_is_known_by_its_offer() {
        let offer = DhcpRepr {
            transaction_id: 7,
            server_identifier: Some(US),
            ..message(DhcpMessageType::Offer, MAC)
        };
        let mut octets = [0; MESSAGE_LEN_MAX];
        emit(&offer, &mut octets);
        assert_eq!(offer_to(&octets, 7), Some(US));
        assert_eq!(offer_to(&octets, 8), None);
        emit(&message(DhcpMessageType::Discover, MAC), &mut octets);
        assert_eq!(offer_to(&octets, 0), None);
    }
}
