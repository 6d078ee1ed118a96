//! What a gateway says when it cannot go on. The board resets before a probe has fetched a log line
//! of that moment, as a rule: the words stay in RAM over the reset, and whoever begins next logs
//! them.

use core::cell::UnsafeCell;
use core::fmt::{self, Write};
use core::mem::MaybeUninit;
use core::panic::PanicInfo;

use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};

/// Says that there are words. RAM that has just been powered says so with a chance of one in 2^32.
const SAID: u32 = 0x6D6F_7473;

/// A text that takes what it has room for.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    octets: [u8; 128],
    len: usize,
}

impl Words {
    const NONE: Words = Words { octets: [0; 128], len: 0 };

    pub(crate) fn as_str(&self) -> &str {
        let said = self.octets.get(..self.len).unwrap_or_default();
        said.utf8_chunks().next().map_or("", |chunk| chunk.valid())
    }
}

impl Write for Words {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = self.octets.get_mut(self.len..).unwrap_or_default();
        for (free, &octet) in free.iter_mut().zip(text.as_bytes()) {
            *free = octet;
            self.len += 1;
        }
        Ok(())
    }
}

/// The words of whoever ran before; they are said once.
pub(crate) fn take() -> Option<Words> {
    let (said, words) = PLACE.read();
    PLACE.write((0, Words::NONE));
    (said == SAID).then_some(words)
}

/// Leaves words, and begins anew.
pub(crate) fn reset(why: fmt::Arguments<'_>) -> ! {
    let mut words = Words::NONE;
    // It takes whatever comes.
    let _ = words.write_fmt(why);
    defmt::error!("{=str}", words.as_str());
    PLACE.write((SAID, words));
    SCB::sys_reset()
}

struct Place(UnsafeCell<MaybeUninit<(u32, Words)>>);

// SAFETY: it is read before there are tasks, and written when nothing else will run.
#[allow(unsafe_code)]
unsafe impl Sync for Place {}

// Not cleared when the processor starts.
#[allow(unsafe_code)]
#[unsafe(link_section = ".uninit.last_words")]
static PLACE: Place = Place(UnsafeCell::new(MaybeUninit::uninit()));

impl Place {
    fn read(&self) -> (u32, Words) {
        // SAFETY: see `Sync`; whatever RAM holds, it is numbers and octets.
        #[allow(unsafe_code)]
        unsafe {
            self.0.get().cast::<(u32, Words)>().read_volatile()
        }
    }

    fn write(&self, words: (u32, Words)) {
        // SAFETY: see `Sync`.
        #[allow(unsafe_code)]
        unsafe {
            self.0.get().cast::<(u32, Words)>().write_volatile(words);
        }
    }
}

#[panic_handler]
fn panic(panic: &PanicInfo<'_>) -> ! {
    reset(format_args!("{panic}"))
}

#[exception]
#[allow(unsafe_code)]
// SAFETY: it does not return.
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    reset(format_args!("hard fault at {:#x}, called from {:#x}", frame.pc(), frame.lr()))
}
