//! Proves, by linking, that neither opening an image nor asking it can panic.
//!
//! The panic handler calls a function that does not exist. Where the optimizer has removed
//! every panic, the handler is never reached and goes with the rest of the unused code; where
//! one is left, the linker misses `gardefou_query_path_can_panic` and fails. All input is
//! opaque to the optimizer, so nothing is proved about particular octets. With the feature
//! `with-panic` linking must fail: that shows that the proof can.
//!
//! Never run: there is no vector table. On a host it is an empty program.

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {}

#[cfg(target_os = "none")]
#[allow(unsafe_code)]
mod proof {
    use core::hint::black_box;
    use core::panic::PanicInfo;

    use filter_core::{CategorySet, Filter, Name};

    static FLASH: [u8; 4096] = [0; 4096];
    static DATAGRAM: [u8; 512] = [0; 512];

    // SAFETY: the name is the one a linker without a script begins with, and no other crate
    // of this program exports it.
    #[unsafe(no_mangle)]
    extern "C" fn _start() {
        let flash: &[u8] = black_box(&FLASH);
        let datagram: &[u8] = black_box(&DATAGRAM);
        if let Ok(filter) = Filter::from_bytes(flash)
            && let Ok((name, end)) = Name::from_message(datagram, black_box(12))
        {
            black_box((filter.check(&name, black_box(CategorySet::ALL)), end));
        }
        #[cfg(feature = "with-panic")]
        black_box(datagram[black_box(0)]);
    }

    // SAFETY: only declared; a program that would call it does not link.
    unsafe extern "C" {
        fn gardefou_query_path_can_panic() -> !;
    }

    #[panic_handler]
    fn panic(_: &PanicInfo<'_>) -> ! {
        // SAFETY: never called, see above.
        unsafe { gardefou_query_path_can_panic() }
    }
}
