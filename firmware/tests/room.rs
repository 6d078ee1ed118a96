//! A gateway and a room, on one thread of the host, with a cable between their two network stacks:
//! the firmware without any board.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use embassy_executor::{Executor, Spawner};
use embassy_net::tcp::TcpSocket;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};
use embassy_net_driver_channel as cable;
use embassy_net_driver_channel::driver::{HardwareAddress, LinkState};
use embedded_io_async::{Read, Write};
use filter_core::compile::{Compiler, ListInfo};
use filter_core::{Action, CategorySet, Name, Scope};
use firmware::panel::Switch;
use firmware::{Board, Memory, Neighbors, Notice, Settings, Sockets};

const MTU: usize = 1514;
const GATEWAY: [u8; 4] = [10, 0, 0, 2];
const ROOM: [u8; 4] = [10, 0, 0, 1];
const PATIENCE: Duration = Duration::from_secs(20);
const NXDOMAIN: u8 = 3;

#[test]
fn a_room_is_answered_over_udp_and_tcp() {
    let (sender, seen) = channel();
    thread::spawn(|| {
        let executor: &'static mut Executor = Box::leak(Box::new(Executor::new()));
        executor.run(|spawner| spawner.spawn(begin(spawner, sender).unwrap()));
    });
    let next = |seen: &Receiver<Seen>| seen.recv_timeout(PATIENCE).unwrap();
    for transport in ["udp", "tcp"] {
        let blocked = next(&seen);
        assert_eq!((blocked.transport, blocked.rcode), (transport, NXDOMAIN));
        let forwarded = next(&seen);
        assert_eq!((forwarded.transport, forwarded.rcode), (transport, 0));
        assert!(forwarded.octets.ends_with(&[192, 0, 2, 1]), "{forwarded:?}");
    }
}

/// A reply somebody in the room got.
#[derive(Debug)]
struct Seen {
    transport: &'static str,
    rcode: u8,
    octets: Vec<u8>,
}

/// Sets all up, then asks.
#[embassy_executor::task]
async fn begin(spawner: Spawner, sender: Sender<Seen>) {
    let settings = b"address 10.0.0.2/24 10.0.0.1\nupstream 10.0.0.1\n";
    let settings = Settings::read(settings).unwrap();
    let (gateway_end, room_end) = (end(1), end(2));
    let sockets = Box::leak(Box::new(Sockets::new()));
    let (gateway, runner) = embassy_net::new(gateway_end.1, settings.network(), sockets, 1);
    spawner.spawn(network(runner).unwrap());
    let room = embassy_net::Config::ipv4_static(StaticConfigV4 {
        address: Ipv4Cidr::new(ROOM.into(), 24),
        gateway: None,
        dns_servers: Default::default(),
    });
    let sockets = Box::leak(Box::new(StackResources::<4>::new()));
    let (room, runner) = embassy_net::new(room_end.1, room, sockets, 2);
    spawner.spawn(network(runner).unwrap());
    let (state, to_gateway, from_gateway) = gateway_end.0.split();
    state.set_link_state(LinkState::Up);
    let (state, to_room, from_room) = room_end.0.split();
    state.set_link_state(LinkState::Up);
    spawner.spawn(carry(from_gateway, to_room).unwrap());
    spawner.spawn(carry(from_room, to_gateway).unwrap());

    let notice = |notice: Notice| println!("{notice}");
    let switch = Box::leak(Box::new(Switch::new()));
    let neighbors = Box::leak(Box::new(Neighbors::new()));
    let (image, seed, storage) = (image(), [7; 32], None);
    let board = Board { image, settings, seed, notice, switch, neighbors, storage };
    let memory = Box::leak(Box::new(Memory::new()));
    spawner.spawn(serve(spawner, gateway, memory, board).unwrap());
    spawner.spawn(answer(room).unwrap());
    room.wait_config_up().await;
    ask_over_udp(room, &sender).await;
    ask_over_tcp(room, &sender).await;
}

/// One end of the cable.
fn end(number: u8) -> (cable::Runner<'static, MTU>, cable::Device<'static, MTU>) {
    let state = Box::leak(Box::new(cable::State::<MTU, 4, 4>::new()));
    cable::new(state, HardwareAddress::Ethernet([2, 0, 0, 0, 0, number]))
}

#[embassy_executor::task(pool_size = 2)]
async fn network(mut runner: Runner<'static, cable::Device<'static, MTU>>) {
    runner.run().await;
}

#[embassy_executor::task(pool_size = 2)]
async fn carry(mut from: cable::TxRunner<'static, MTU>, mut to: cable::RxRunner<'static, MTU>) {
    loop {
        let frame = from.tx_buf().await;
        let len = frame.len();
        to.rx_buf().await[..len].copy_from_slice(frame);
        to.rx_done(len);
        from.tx_done();
    }
}

#[embassy_executor::task]
async fn serve(spawner: Spawner, stack: Stack<'static>, memory: &'static mut Memory, board: Board) {
    let Err(error) = firmware::run(spawner, stack, memory, board).await;
    panic!("{error}");
}

/// An upstream in the room: every name has the address 192.0.2.1.
#[embassy_executor::task]
async fn answer(stack: Stack<'static>) {
    let mut room = Room::default();
    let mut socket = room.socket(stack);
    socket.bind(53).unwrap();
    let mut query = [0; 512];
    loop {
        let (len, from) = socket.recv_from(&mut query).await.unwrap();
        let question = 12..question_end(&query[..len]);
        let mut message = [&query[..2], b"\x81\x80\0\x01\0\x01\0\0\0\0", &query[question]].concat();
        message.extend(b"\xC0\x0C\0\x01\0\x01\0\0\0\x3C\0\x04\xC0\0\x02\x01");
        socket.send_to(&message, from).await.unwrap();
    }
}

async fn ask_over_udp(stack: Stack<'static>, sender: &Sender<Seen>) {
    let mut room = Room::default();
    let mut socket = room.socket(stack);
    socket.bind(4000).unwrap();
    for name in ["www.casino.example", "www.school.example"] {
        let mut reply = [0; 512];
        // The gateway may still have to verify its image.
        let len = loop {
            socket
                .send_to(&query(name), (embassy_net::Ipv4Address::from(GATEWAY), 53))
                .await
                .unwrap();
            let wait = embassy_time::Duration::from_millis(500);
            if let Ok(Ok((len, _))) =
                embassy_time::with_timeout(wait, socket.recv_from(&mut reply)).await
            {
                break len;
            }
        };
        see("udp", &reply[..len], sender);
    }
}

async fn ask_over_tcp(stack: Stack<'static>, sender: &Sender<Seen>) {
    let (mut received, mut sent) = ([0; 1024], [0; 1024]);
    let mut socket = TcpSocket::new(stack, &mut received, &mut sent);
    socket.connect((embassy_net::Ipv4Address::from(GATEWAY), 53)).await.unwrap();
    // Other names, for the gateway remembers the first ones.
    for name in ["tcp.casino.example", "tcp.school.example"] {
        let query = query(name);
        socket.write_all(&(query.len() as u16).to_be_bytes()).await.unwrap();
        socket.write_all(&query).await.unwrap();
        let mut len = [0; 2];
        socket.read_exact(&mut len).await.unwrap();
        let mut reply = vec![0; u16::from_be_bytes(len).into()];
        socket.read_exact(&mut reply).await.unwrap();
        see("tcp", &reply, sender);
    }
}

fn see(transport: &'static str, reply: &[u8], sender: &Sender<Seen>) {
    sender.send(Seen { transport, rcode: reply[3] & 0x0F, octets: reply.to_vec() }).unwrap();
}

fn query(name: &str) -> Vec<u8> {
    let name = Name::from_text(name).unwrap();
    [b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0", name.as_wire(), b"\0\x01\0\x01"].concat()
}

/// Where the question of a message ends.
fn question_end(message: &[u8]) -> usize {
    Name::from_message(message, 12).unwrap().1 + 4
}

fn image() -> &'static [u8] {
    let mut compiler = Compiler::new(1);
    compiler.category(20, "gambling").unwrap();
    let list = compiler.list(ListInfo::new("demo", CategorySet::of(20))).unwrap();
    let name = Name::from_text("casino.example").unwrap();
    compiler.rule(&name, Scope::Subtree, Action::Block, list).unwrap();
    let mut octets = compiler.finish().unwrap().octets;
    // As it lies in flash that was empty.
    octets.resize(octets.len() + 100, 0xFF);
    octets.leak()
}

/// What a socket of the room waits in.
struct Room {
    received_meta: [PacketMetadata; 4],
    received: [u8; 2048],
    sent_meta: [PacketMetadata; 4],
    sent: [u8; 2048],
}

impl Default for Room {
    fn default() -> Room {
        let meta = [PacketMetadata::EMPTY; 4];
        Room { received_meta: meta, received: [0; 2048], sent_meta: meta, sent: [0; 2048] }
    }
}

impl Room {
    fn socket(&mut self, stack: Stack<'static>) -> UdpSocket<'_> {
        let Room { received_meta, received, sent_meta, sent } = self;
        UdpSocket::new(stack, received_meta, received, sent_meta, sent)
    }
}
