//! A light that says how the room is and a button: takes pins and the time, gives what was pressed.
//! [`Switch`] is what both have to do with the gateway.
//!
//! | light | means |
//! |---|---|
//! | flickers | it begins |
//! | on, with a wink every four seconds | the room is protected; without the wink, the board has stopped |
//! | slowly on and off | paused by the button |
//! | two flashes a second | not protected: no list, or no network |
//!
//! A tap pauses for five minutes where the settings allow it, and a further one ends that. Who holds
//! the button for five seconds resets the PIN. What is between the two was thought better of.

use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use embassy_time::{Duration, Instant, Ticker};
use embedded_hal::digital::{InputPin, OutputPin, PinState};

/// How often light and button are looked after.
const STEP: Duration = Duration::from_millis(20);
/// Contacts bounce for less than this.
const BOUNCE_MS: u64 = 30;
const TAP_MS_MAX: u64 = 1000;
const HOLD_MS: u64 = 5000;

/// How long a tap lets everything through.
const PAUSE_MS: u64 = 300_000;

/// How the room is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Nothing is answered yet.
    Starting,
    /// The list is gone by.
    Protected,
    /// Nothing is blocked for a while, because the button was tapped.
    Paused,
    /// There is no list or no network.
    Unprotected,
}

impl State {
    /// Whether the light is on at a time.
    fn is_lit(self, now_ms: u64) -> bool {
        match self {
            State::Starting => now_ms % 200 < 100,
            State::Protected => now_ms % 4000 >= 200,
            State::Paused => now_ms % 2000 < 1000,
            State::Unprotected => matches!(now_ms % 1000, 0..100 | 200..300),
        }
    }
}

/// What was done with the button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// Shortly pressed, and let go.
    Tap,
    /// Held for five seconds.
    Hold,
}

/// Between the gateway and whoever looks after light and button: how it is, one way, and what was
/// pressed, the other.
pub struct Switch {
    state: AtomicU8,
    is_tapped: AtomicBool,
    is_held: AtomicBool,
}

impl Switch {
    /// That of a gateway that has not begun.
    pub const fn new() -> Switch {
        Switch {
            state: AtomicU8::new(State::Starting as u8),
            is_tapped: AtomicBool::new(false),
            is_held: AtomicBool::new(false),
        }
    }

    /// How the room is.
    pub fn state(&self) -> State {
        let all = [State::Starting, State::Protected, State::Paused];
        let state = self.state.load(Ordering::Relaxed);
        all.into_iter().find(|&other| other as u8 == state).unwrap_or(State::Unprotected)
    }

    /// Pauses the filter, or ends that.
    pub fn tap(&self) {
        self.is_tapped.store(true, Ordering::Relaxed);
    }

    /// Forgets the owner's PIN, so that the next who comes chooses one.
    pub fn hold(&self) {
        self.is_held.store(true, Ordering::Relaxed);
    }

    pub(crate) fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// Whether there was a tap since this was asked last.
    pub(crate) fn take_tap(&self) -> bool {
        take(&self.is_tapped)
    }

    /// Whether the button was held since this was asked last.
    pub(crate) fn take_hold(&self) -> bool {
        take(&self.is_held)
    }
}

impl Default for Switch {
    fn default() -> Switch {
        Switch::new()
    }
}

/// Whether it is set; not any more then. Only its one reader changes it back.
fn take(flag: &AtomicBool) -> bool {
    let is_set = flag.load(Ordering::Relaxed);
    if is_set {
        flag.store(false, Ordering::Relaxed);
    }
    is_set
}

/// A pause of the filter, while there is one.
#[derive(Default)]
pub(crate) struct Pause {
    until_ms: Option<u64>,
}

impl Pause {
    pub(crate) fn is_on(&self) -> bool {
        self.until_ms.is_some()
    }

    /// Ends it when it is over; begins or ends it by a tap.
    pub(crate) fn step(&mut self, is_tapped: bool, now_ms: u64) {
        self.until_ms = match self.until_ms.filter(|until_ms| now_ms < *until_ms) {
            None if is_tapped => Some(now_ms + PAUSE_MS),
            Some(_) if is_tapped => None,
            pause => pause,
        };
    }
}

/// A light and a button.
pub struct Panel<L, B> {
    light: L,
    button: B,
    /// The levels at which the light is on and the button is down.
    lit: PinState,
    down: PinState,
    pressed: Pressed,
}

impl<L: OutputPin, B: InputPin> Panel<L, B> {
    /// A panel whose light is on at the one level, and whose button is down at the other.
    pub fn new((light, lit): (L, PinState), (button, down): (B, PinState)) -> Panel<L, B> {
        Panel { light, button, lit, down, pressed: Pressed::default() }
    }

    /// Shows how the room is and takes what is pressed; for ever.
    pub async fn run(mut self, switch: &Switch) -> ! {
        let mut clock = Ticker::every(STEP);
        loop {
            clock.next().await;
            match self.step(switch.state(), Instant::now().as_millis()) {
                Some(Press::Tap) => switch.tap(),
                Some(Press::Hold) => switch.hold(),
                None => {}
            }
        }
    }

    /// One look at both. A pin that fails is one that is not there: the gateway goes on without.
    fn step(&mut self, state: State, now_ms: u64) -> Option<Press> {
        let is_lit = state.is_lit(now_ms);
        let _ = self.light.set_state(if is_lit { self.lit } else { !self.lit });
        let is_high = self.button.is_high().ok()?;
        self.pressed.look(is_high == (self.down == PinState::High), now_ms)
    }
}

/// The button as it was.
#[derive(Default)]
struct Pressed {
    is_down: bool,
    /// What it was seen to be instead, and since when.
    changed_ms: Option<u64>,
    since_ms: u64,
    was_held: bool,
}

impl Pressed {
    fn look(&mut self, is_down: bool, now_ms: u64) -> Option<Press> {
        if is_down == self.is_down {
            self.changed_ms = None;
            let is_held = is_down && !self.was_held && now_ms - self.since_ms >= HOLD_MS;
            self.was_held |= is_held;
            return is_held.then_some(Press::Hold);
        }
        let changed_ms = *self.changed_ms.get_or_insert(now_ms);
        if now_ms - changed_ms < BOUNCE_MS {
            return None;
        }
        let was_short = changed_ms - self.since_ms <= TAP_MS_MAX;
        *self = Pressed { is_down, since_ms: changed_ms, ..Pressed::default() };
        (!is_down && was_short).then_some(Press::Tap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::convert::Infallible;
    use std::cell::Cell;

    #[derive(Default)]
    struct Pin(Cell<bool>);

    impl embedded_hal::digital::ErrorType for &Pin {
        type Error = Infallible;
    }

    impl OutputPin for &Pin {
        fn set_low(&mut self) -> Result<(), Infallible> {
            self.0.set(false);
            Ok(())
        }

        fn set_high(&mut self) -> Result<(), Infallible> {
            self.0.set(true);
            Ok(())
        }
    }

    impl InputPin for &Pin {
        fn is_high(&mut self) -> Result<bool, Infallible> {
            Ok(self.0.get())
        }

        fn is_low(&mut self) -> Result<bool, Infallible> {
            Ok(!self.0.get())
        }
    }

    /// What is pressed when the button, which pulls its pin low, is down in these milliseconds.
    fn presses(down_ms: impl Fn(u64) -> bool) -> std::vec::Vec<(u64, Press)> {
        let (light, button) = (Pin::default(), Pin::default());
        let mut panel = Panel::new((&light, PinState::High), (&button, PinState::Low));
        let mut step = |now_ms| {
            button.0.set(!down_ms(now_ms));
            Some((now_ms, panel.step(State::Protected, now_ms)?))
        };
        (0..20_000).step_by(20).filter_map(&mut step).collect()
    }

    #[test]
    fn a_tap_and_a_hold_are_told_apart() {
        assert_eq!(presses(|ms| (1000..1200).contains(&ms)), [(1240, Press::Tap)]);
        assert_eq!(presses(|ms| (1000..3000).contains(&ms)), [], "thought better of");
        assert_eq!(presses(|ms| (1000..9000).contains(&ms)), [(6000, Press::Hold)], "once");
        assert_eq!(presses(|ms| matches!(ms, 1000..1100 | 2000..2100)).len(), 2);
    }

    #[test]
    fn contacts_that_bounce_press_nothing() {
        assert_eq!(presses(|ms| (1000..1020).contains(&ms)), []);
        assert_eq!(presses(|ms| ms % 40 == 0), []);
        let bounces = |ms| matches!(ms, 1000..1020 | 1040..1200 | 1220..1240);
        assert_eq!(presses(bounces), [(1280, Press::Tap)]);
    }

    #[test]
    fn every_state_has_a_light_of_its_own() {
        let states = [State::Starting, State::Protected, State::Paused, State::Unprotected];
        let seen = states.map(|state| {
            let (light, button) = (Pin::default(), Pin::default());
            // A light that is on at the low level.
            let mut panel = Panel::new((&light, PinState::Low), (&button, PinState::High));
            let lit = (0..4000).step_by(20).map(|now_ms| {
                panel.step(state, now_ms);
                u32::from(!light.0.get())
            });
            lit.collect::<std::vec::Vec<_>>()
        });
        for (index, pattern) in seen.iter().enumerate() {
            assert!(!seen[..index].contains(pattern));
        }
        assert!(seen[1].iter().sum::<u32>() > 180, "protected is on nearly always");
        assert!(seen[3].iter().sum::<u32>() < 50, "not protected is off mostly");
    }

    #[test]
    fn a_tap_pauses_for_five_minutes_or_until_the_next_one() {
        let mut pause = Pause::default();
        let mut is_on_after = |is_tapped, now_ms| {
            pause.step(is_tapped, now_ms);
            pause.is_on()
        };
        assert!(!is_on_after(false, 0));
        assert!(is_on_after(true, 1000) && is_on_after(false, 300_999));
        assert!(!is_on_after(false, 301_000), "it is over");
        assert!(is_on_after(true, 400_000));
        assert!(!is_on_after(true, 400_100), "ended by a tap");
    }

    #[test]
    fn a_switch_tells_each_way_once() {
        let switch = Switch::new();
        assert_eq!(switch.state(), State::Starting);
        for state in [State::Protected, State::Paused, State::Unprotected, State::Starting] {
            switch.set_state(state);
            assert_eq!(switch.state(), state);
        }
        assert!(!switch.take_tap());
        switch.tap();
        assert!(switch.take_tap() && !switch.take_tap() && !switch.take_hold());
        switch.hold();
        assert!(switch.take_hold() && !switch.take_hold());
    }
}
