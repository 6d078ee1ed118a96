//! A home: two rooms with clients, the router in which `gardefou serve` runs, and what lies beyond,
//! where upstreams are, each at a link of its own. Three network namespaces with both families of
//! addresses. Links lose packets, repeat some, and go down; nftables does it, which more kernels
//! have than netem.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;

use crate::namespace::{Namespace, at_53};
use crate::server::is_installed;

/// Each link has the same name at both its ends; its place here is in its addresses.
const LINKS: [&str; 5] = ["room0", "room1", "uplink0", "uplink1", "uplink2"];
/// Links, by their place.
pub const ROOM: usize = 0;
pub const GUESTS: usize = 1;
pub const UPLINKS: [usize; 3] = [2, 3, 4];

/// Who is at a link.
pub const ROUTER: u8 = 1;
pub const OTHER: u8 = 2;
pub const FORGER: u8 = 6;

/// An address at a link, and port 53.
pub fn address(link: usize, who: u8, is_ipv4: bool) -> SocketAddr {
    at_53(&if is_ipv4 { format!("10.53.{link}.{who}") } else { format!("fd53:{link}::{who}") })
}

pub struct Home {
    pub rooms: Namespace,
    pub router: Namespace,
    pub beyond: Namespace,
}

impl Home {
    /// `None`, with a word on standard error, where that is not permitted or nftables is missing.
    pub fn new() -> Option<Home> {
        if !is_installed("nft") {
            return None;
        }
        let [rooms, router, beyond] = [Namespace::new()?, Namespace::new()?, Namespace::new()?];
        // Links that come up again have the addresses they had.
        for namespace in [&rooms, &router, &beyond] {
            namespace.run("echo 1 >/proc/sys/net/ipv6/conf/all/keep_addr_on_down");
        }
        for (link, name) in LINKS.iter().enumerate() {
            let other = if UPLINKS.contains(&link) { &beyond } else { &rooms };
            router.run(&format!(
                "ip link add name {name} type veth peer name {name} netns {}",
                other.id()
            ));
            for (namespace, hosts) in [(&router, &[ROUTER][..]), (other, &[OTHER, FORGER])] {
                for host in hosts {
                    namespace.run(&format!(
                        "ip address add 10.53.{link}.{host}/24 dev {name} && \
                         ip address add fd53:{link}::{host}/64 dev {name} nodad"
                    ));
                }
                namespace.run(&format!("ip link set {name} up"));
            }
        }
        for (namespace, links) in
            [(&rooms, &LINKS[..2]), (&router, &LINKS[..]), (&beyond, &LINKS[2..])]
        {
            let repeat = |link| {
                format!(
                    "chain {link} {{ type filter hook egress device {link} priority 0; \
                     numgen random mod 100 < 2 counter name repeated dup to {link}; }}\n"
                )
            };
            namespace.run(&format!(
                "nft 'table netdev wire {{ counter uplink_lost {{}}; counter room_lost {{}}; \
                 counter repeated {{}}; chain in {{ type filter hook ingress devices = {{ {} }} \
                 priority 0; }}\n {} }}'",
                links.join(", "),
                links.iter().map(repeat).collect::<String>(),
            ));
        }
        Some(Home { rooms, router, beyond })
    }

    /// From now on so many of a hundred packets are lost, each way.
    pub fn lose(&self, at_uplinks: usize, in_rooms: usize) {
        let lose = |link, percent| {
            format!(
                "add rule netdev wire in meta iifname \"{link}*\" numgen random mod 100 < \
                 {percent} counter name {link}_lost drop"
            )
        };
        let (uplink, room) = (lose("uplink", at_uplinks), lose("room", in_rooms));
        for namespace in [&self.rooms, &self.router, &self.beyond] {
            namespace.run(&format!("nft 'flush chain netdev wire in; {uplink}; {room}'"));
        }
    }

    /// Takes a link down: at our end, where its routes go with it, or at the other.
    pub fn cut(&self, link: usize, at_router: bool) {
        let namespace = if at_router { &self.router } else { &self.beyond };
        namespace.run(&format!("ip link set {} down", LINKS[link]));
    }

    pub fn mend(&self, link: usize) {
        for namespace in [&self.router, &self.beyond] {
            namespace.run(&format!("ip link set {} up", LINKS[link]));
        }
    }

    /// How many packets were lost and repeated.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let mut counters = BTreeMap::new();
        for namespace in [&self.rooms, &self.router, &self.beyond] {
            let list = Command::new("nft");
            let mut list = namespace.enter(&list);
            let output = list.args(["--json", "list", "counters"]).output().unwrap();
            let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            let objects = json["nftables"].as_array().unwrap();
            for counter in objects.iter().filter_map(|object| object.get("counter")) {
                let name = counter["name"].as_str().unwrap().to_owned();
                *counters.entry(name).or_default() += counter["packets"].as_u64().unwrap();
            }
        }
        counters
    }
}
