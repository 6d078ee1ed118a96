//! The network interface, a LAN9118 (Microchip DS00002266), as far as QEMU has it.
//!
//! Frames go through its FIFOs a word at a time. It interrupts when a frame has come; the interrupt
//! masks itself, and is unmasked when all frames are taken out, because it does not come again for
//! those that wait.

use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};
use embassy_sync::waitqueue::AtomicWaker;

use crate::board::{ETHERNET, Interrupt, Register};

const RX_DATA: Register = register(0x00);
const TX_DATA: Register = register(0x20);
const RX_STATUS: Register = register(0x40);
const TX_STATUS: Register = register(0x48);
const IRQ_CFG: Register = register(0x54);
const INT_STS: Register = register(0x58);
const INT_EN: Register = register(0x5C);
const FIFO_INT: Register = register(0x68);
const TX_CFG: Register = register(0x70);
const RX_FIFO_INF: Register = register(0x7C);
const TX_FIFO_INF: Register = register(0x80);
const MAC_CSR_CMD: Register = register(0xA4);
const MAC_CSR_DATA: Register = register(0xA8);

/// Enabled, active high, push-pull: otherwise the line says the opposite of what is meant.
const IRQ_CFG_ON: u32 = 0x111;
/// More frames wait than the level of `FIFO_INT` says, which is none.
const RX_WAITING: u32 = 1 << 3;
const TX_ON: u32 = 1 << 1;
/// A command of `MAC_CSR_CMD`: at once, and to read.
const CSR_BUSY: u32 = 1 << 31;
const CSR_READ: u32 = 1 << 30;
/// Registers of the MAC.
const MAC_CR: u32 = 1;
const ADDRESS_HIGH: u32 = 2;
const ADDRESS_LOW: u32 = 3;
/// Full duplex, all multicast taken in, transmitter and receiver on.
const MAC_ON: u32 = 1 << 20 | 1 << 19 | 1 << 3 | 1 << 2;
/// In the first word of a frame to send: it is all in one piece.
const WHOLE: u32 = 1 << 13 | 1 << 12;
/// In the status of a frame that came: it is damaged.
const RX_ERROR: u32 = 1 << 15;

const FRAME_LEN_MAX: usize = 1514;
const CHECKSUM_LEN: usize = 4;
const WORD_LEN: usize = 4;
/// Room for a frame and its checksum, in whole words.
const RECEIVED_LEN: usize = (FRAME_LEN_MAX + CHECKSUM_LEN).next_multiple_of(WORD_LEN);

static WAKER: AtomicWaker = AtomicWaker::new();

/// The interface, and the frames that go through it. In this order what follows a frame's header of 14
/// octets lies in whole words.
#[repr(C, align(4))]
pub(crate) struct Ethernet {
    address: [u8; 6],
    received: [u8; RECEIVED_LEN],
    sent: [u8; FRAME_LEN_MAX],
}

impl Ethernet {
    /// An interface that is still off.
    pub(crate) const fn new() -> Ethernet {
        Ethernet { address: [0; 6], received: [0; RECEIVED_LEN], sent: [0; FRAME_LEN_MAX] }
    }

    /// Switches it on.
    pub(crate) fn start(&mut self) -> &mut Ethernet {
        let [[a, b, c, d], [e, f, ..]] = [ADDRESS_LOW, ADDRESS_HIGH].map(|index| {
            MAC_CSR_CMD.write(CSR_BUSY | CSR_READ | index);
            MAC_CSR_DATA.read().to_le_bytes()
        });
        MAC_CSR_DATA.write(MAC_ON);
        MAC_CSR_CMD.write(CSR_BUSY | MAC_CR);
        TX_CFG.write(TX_ON);
        FIFO_INT.write(0);
        INT_STS.write(u32::MAX);
        IRQ_CFG.write(IRQ_CFG_ON);
        INT_EN.write(RX_WAITING);
        Interrupt::Ethernet.enable();
        self.address = [a, b, c, d, e, f];
        self
    }

    /// Takes the next sound frame out, and gives its length.
    fn take(&mut self) -> Option<usize> {
        // Ends because the interface takes in no frames faster than they are taken out here: they
        // come over a wire.
        while RX_FIFO_INF.read() >> 16 & 0xFF != 0 {
            let status = RX_STATUS.read();
            let len = (status >> 16 & 0x3FFF) as usize;
            let (words, _) = self.received.as_chunks_mut::<WORD_LEN>();
            let count = len.div_ceil(WORD_LEN);
            words.iter_mut().take(count).for_each(|word| *word = RX_DATA.read().to_le_bytes());
            // What does not fit is read all the same, for the next frame is behind it.
            for _ in words.len()..count {
                RX_DATA.read();
            }
            #[cfg(feature = "count")]
            crate::count::frame();
            if status & RX_ERROR == 0 && (CHECKSUM_LEN..=self.received.len()).contains(&len) {
                return Some(len - CHECKSUM_LEN);
            }
        }
        None
    }
}

impl Driver for Ethernet {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Received<'_>, Room<'_>)> {
        WAKER.register(cx.waker());
        let mut len = self.take();
        if len.is_none() {
            // In this order: a frame that comes after the last look interrupts.
            INT_STS.write(RX_WAITING);
            INT_EN.write(RX_WAITING);
            len = self.take();
        }
        let received = self.received.get_mut(..len?)?;
        Some((Received(received), Room(&mut self.sent)))
    }

    fn transmit(&mut self, _cx: &mut Context<'_>) -> Option<Room<'_>> {
        Some(Room(&mut self.sent))
    }

    /// QEMU has no cable to pull.
    fn link_state(&mut self, _cx: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = FRAME_LEN_MAX;
        capabilities.max_burst_size = Some(1);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.address)
    }
}

/// A frame that came.
pub(crate) struct Received<'a>(&'a mut [u8]);

impl embassy_net_driver::RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, take: F) -> R {
        take(self.0)
    }
}

/// Room for a frame to send, which is gone as soon as it is written.
pub(crate) struct Room<'a>(&'a mut [u8; FRAME_LEN_MAX]);

impl embassy_net_driver::TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let frame = &mut self.0[..len.min(FRAME_LEN_MAX)];
        let result = write(frame);
        let len = frame.len() as u32;
        TX_DATA.write(WHOLE | len);
        TX_DATA.write(len);
        let (words, rest) = frame.as_chunks();
        words.iter().for_each(|&word| TX_DATA.write(u32::from_le_bytes(word)));
        if !rest.is_empty() {
            let mut word = [0; WORD_LEN];
            word.iter_mut().zip(rest).for_each(|(octet, &new)| *octet = new);
            TX_DATA.write(u32::from_le_bytes(word));
        }
        #[cfg(feature = "count")]
        crate::count::frame();
        // Nobody asks how it went, but what is not taken out stops the interface some day.
        while TX_FIFO_INF.read() >> 16 & 0xFF != 0 {
            TX_STATUS.read();
        }
        result
    }
}

/// A frame has come.
pub(crate) fn on_interrupt() {
    INT_EN.write(0);
    WAKER.wake();
}

const fn register(offset: usize) -> Register {
    // SAFETY: the interface is at this address (Arm AN386, section 4.1), and has these registers.
    #[allow(unsafe_code)]
    unsafe {
        Register::at(ETHERNET + offset)
    }
}
