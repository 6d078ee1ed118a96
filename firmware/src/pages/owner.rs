//! Who the owner is: takes PINs and tokens, tells who may go on.
//!
//! Whoever comes first chooses the PIN, which is why an owner is to come at once. Only a salted hash of
//! it is kept: it has too few digits to be hidden from someone who reads the memory and has time, but
//! is not to be read off. Against others there is the time that has to pass between tries.

use core::num::NonZeroU64;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

/// Digits of a PIN.
const PIN_LEN_MIN: usize = 6;
const PIN_LEN_MAX: usize = 12;
/// Wrong tries in a row without a wait.
const FREE_TRIES: u8 = 5;
/// The wait after each further one. A million PINs take two years.
const WAIT_MS: u64 = 60_000;
/// How long an owner who does nothing stays signed in.
const SESSION_MS: u64 = 30 * 60_000;

/// What is kept of a PIN, here and for the time after a loss of power: salt and hash.
type Pin = [u8; SALT_LEN + HASH_LEN];
const SALT_LEN: usize = 32;
const HASH_LEN: usize = 8;

/// What a keystream begins with whose key is made of both: one way, without a further algorithm in
/// flash.
fn hashed(pin: &str, salt: [u8; SALT_LEN]) -> Pin {
    let mut key = salt;
    key.iter_mut().zip(pin.bytes()).for_each(|(octet, digit)| *octet ^= digit);
    let hash = ChaCha12Rng::from_seed(key).next_u64().to_le_bytes();
    let mut kept = [0; SALT_LEN + HASH_LEN];
    kept.iter_mut().zip(salt.into_iter().chain(hash)).for_each(|(place, octet)| *place = octet);
    kept
}

/// The owner.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owner {
    pin: Option<Pin>,
    /// Wrong tries in a row, and the time before which there is no other.
    failures: u8,
    wait_until_ms: u64,
    /// The token of whoever is signed in, and until when. The last one counts.
    session: Option<(NonZeroU64, u64)>,
}

/// Why a PIN is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is another one.
    Wrong,
    /// There were too many tries.
    Wait,
    /// It is too short, too long, or not of digits.
    Unfit,
}

impl Owner {
    /// The one whose PIN was kept; none when that is nothing.
    pub(super) fn restore(kept: &[u8]) -> Owner {
        Owner { pin: kept.try_into().ok(), ..Owner::default() }
    }

    /// Whether a PIN has been chosen.
    pub(super) fn has_pin(&self) -> bool {
        self.pin.is_some()
    }

    /// Takes the first PIN there is, and gives what to keep of it.
    pub(super) fn choose(&mut self, pin: &str, salt: [u8; SALT_LEN]) -> Result<Pin, Refusal> {
        let is_fit = (PIN_LEN_MIN..=PIN_LEN_MAX).contains(&pin.len())
            && pin.bytes().all(|octet| octet.is_ascii_digit());
        if self.has_pin() || !is_fit {
            return Err(if is_fit { Refusal::Wrong } else { Refusal::Unfit });
        }
        Ok(*self.pin.insert(hashed(pin, salt)))
    }

    /// Signs in who has the PIN, with this token from now on.
    pub(super) fn enter(
        &mut self,
        pin: &str,
        token: NonZeroU64,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        if now_ms < self.wait_until_ms {
            return Err(Refusal::Wait);
        }
        let salt = |own: &Pin| own.first_chunk().copied().unwrap_or_default();
        let is_it = |own: &Pin| hashed(pin, salt(own)) == *own;
        if !self.pin.as_ref().is_some_and(is_it) {
            self.failures = self.failures.saturating_add(1);
            if self.failures >= FREE_TRIES {
                self.wait_until_ms = now_ms + WAIT_MS;
            }
            return Err(Refusal::Wrong);
        }
        self.failures = 0;
        self.session = Some((token, now_ms + SESSION_MS));
        Ok(())
    }

    /// Whether the owner has this token, who stays signed in then.
    pub(super) fn knows(&mut self, token: Option<NonZeroU64>, now_ms: u64) -> bool {
        match &mut self.session {
            Some((own, until_ms)) if token == Some(*own) && now_ms < *until_ms => {
                *until_ms = now_ms + SESSION_MS;
                true
            }
            _ => false,
        }
    }

    /// Signs out.
    pub(super) fn leave(&mut self) {
        self.session = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: NonZeroU64 = NonZeroU64::MAX;

    fn owner() -> Owner {
        let mut owner = Owner::default();
        owner.choose("123456", [7; 32]).unwrap();
        owner
    }

    #[test]
    fn the_first_fit_pin_is_taken() {
        let mut owner = Owner::default();
        for unfit in ["", "12345", "1234567890123", "12345a", "१२३४५६"] {
            assert_eq!(owner.choose(unfit, [7; 32]), Err(Refusal::Unfit), "{unfit}");
        }
        assert_eq!(owner.enter("", TOKEN, 0), Err(Refusal::Wrong));
        assert!(owner.choose("123456", [7; 32]).is_ok());
        assert_eq!(owner.choose("654321", [7; 32]), Err(Refusal::Wrong));
        assert_eq!(owner.enter("123456", TOKEN, 0), Ok(()));
    }

    #[test]
    fn an_owner_is_known_by_what_was_kept() {
        let kept = Owner::default().choose("123456", [7; 32]).unwrap();
        assert!(!kept.windows(6).any(|octets| octets == b"123456"));
        let mut owner = Owner::restore(&kept);
        assert_eq!(owner.enter("123457", TOKEN, 0), Err(Refusal::Wrong));
        assert_eq!(owner.enter("123456", TOKEN, 0), Ok(()));
        assert!(!Owner::restore(&[]).has_pin() && !Owner::restore(&kept[1..]).has_pin());
    }

    #[test]
    fn tries_are_limited() {
        let mut owner = owner();
        for _ in 0..FREE_TRIES {
            assert_eq!(owner.enter("000000", TOKEN, 0), Err(Refusal::Wrong));
        }
        assert_eq!(owner.enter("123456", TOKEN, WAIT_MS - 1), Err(Refusal::Wait));
        assert_eq!(owner.enter("000000", TOKEN, WAIT_MS), Err(Refusal::Wrong));
        assert_eq!(owner.enter("123456", TOKEN, WAIT_MS), Err(Refusal::Wait));
        assert_eq!(owner.enter("123456", TOKEN, 2 * WAIT_MS), Ok(()));
    }

    #[test]
    fn a_session_ends() {
        let mut owner = owner();
        assert!(!owner.knows(None, 0) && !owner.knows(Some(TOKEN), 0));
        owner.enter("123456", TOKEN, 0).unwrap();
        assert!(owner.knows(Some(TOKEN), SESSION_MS - 1) && !owner.knows(None, 0));
        assert!(owner.knows(Some(TOKEN), 2 * SESSION_MS - 2));
        assert!(!owner.knows(Some(TOKEN), 3 * SESSION_MS));
        owner.enter("123456", TOKEN, 0).unwrap();
        owner.leave();
        assert!(!owner.knows(Some(TOKEN), 0));
    }
}
