//! The network as it comes and goes: tells the worker whom to ask.

use core::net::SocketAddr;

use embassy_net::StaticConfigV4;
use embassy_time::Timer;
use filter_core::gateway::{Transport, Upstream};
use heapless::Vec;

use crate::notice::Notice;
use crate::settings::Settings;
use crate::worker::{DNS_PORT, Worker};

/// Keeps to what DHCP says, or the settings; for ever.
pub(crate) async fn keep_current(worker: &Worker, settings: &Settings, notice: fn(Notice)) -> ! {
    let mut known = None;
    loop {
        let current = worker.stack.config_v4();
        if current != known {
            let upstreams = upstreams(settings, current.as_ref());
            worker.set_network(current.as_ref().map(|network| network.address));
            worker.set_upstreams(&upstreams);
            notice(match &current {
                Some(network) => Notice::Network {
                    address: network.address.address(),
                    upstreams: upstreams.len(),
                },
                None => Notice::NoNetwork,
            });
            known = current;
        }
        match known {
            Some(_) => Timer::after_secs(1).await,
            None => worker.stack.wait_config_up().await,
        }
    }
}

/// The upstreams of the settings, else those of the network; but never ourselves.
fn upstreams(settings: &Settings, network: Option<&StaticConfigV4>) -> Vec<Upstream, 8> {
    let Some(network) = network else { return Vec::new() };
    let set = settings.upstreams.iter().map(|&address| SocketAddr::V4(address));
    let given = network.dns_servers.iter().filter(|_| settings.upstreams.is_empty());
    let given = given.map(|&address| SocketAddr::from((address, DNS_PORT)));
    let is_other = |address: &SocketAddr| address.ip() != network.address.address();
    let upstream = |address| Upstream { address, transport: Transport::Udp };
    set.chain(given).filter(is_other).map(upstream).collect()
}
