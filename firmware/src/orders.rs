//! What the owner says while the gateway runs: takes orders, gives what holds. Of it, the profile is
//! kept for the time after.

use core::net::IpAddr;

use embassy_time::{Duration, Instant};
use filter_core::policy::Override;
use filter_core::{Action, CategorySet, Name, Verdict};
use heapless::Vec;

use crate::image::Loaded;
use crate::storage::{Kept, Key};
use crate::worker::Worker;

/// Every query is held against all overrides.
const OVERRIDES_MAX: usize = 8;
/// How long a name is allowed.
const ALLOWED_FOR: Duration = Duration::from_secs(3600);

/// The orders that hold.
#[derive(Default)]
pub(crate) struct Orders {
    pub(crate) overrides: Vec<Override, OVERRIDES_MAX>,
    /// The profile of clients that are not listed, in the place of the image's.
    usual_profile: Option<u8>,
}

/// What holds for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Explanation {
    pub(crate) name: Name,
    pub(crate) verdict: Verdict,
}

impl Orders {
    /// Those that were kept, as far as the image still has what they are about.
    pub(crate) fn restore(kept: &Kept, loaded: &Loaded) -> Orders {
        let id = kept.get(Key::Profile);
        let profile = loaded.filter.policies().zip(str::from_utf8(&id).ok());
        let usual_profile = profile.and_then(|(policies, id)| policies.find(id));
        let is_there = |profile: &u8| usize::from(*profile) < loaded.policies.borrow().len();
        Orders { usual_profile: usual_profile.filter(is_there), ..Orders::default() }
    }

    /// The profile of clients that are not listed.
    pub(crate) fn usual_profile(&self, loaded: &Loaded) -> u8 {
        let of_image = || loaded.filter.policies().map_or(0, |policies| policies.usual_profile());
        self.usual_profile.unwrap_or_else(of_image)
    }

    /// Whom an address belongs to, and the network card that has it.
    pub(crate) fn profile_of(&self, address: IpAddr, card: Option<[u8; 6]>, loaded: &Loaded) -> u8 {
        let listed = loaded.filter.policies().and_then(|policies| {
            let address = address.to_canonical();
            policies.clients().find(|(_, client)| client.is(address, card))
        });
        listed.map_or_else(|| self.usual_profile(loaded), |(profile, _)| profile)
    }

    /// What holds for a name, for clients that are not listed.
    pub(crate) fn explain(&self, name: Name, loaded: &Loaded, now_ms: u64) -> Explanation {
        let profile = usize::from(self.usual_profile(loaded));
        let policies = loaded.policies.borrow();
        let enabled = policies.get(profile).map_or(CategorySet::EMPTY, |policy| policy.enabled);
        let verdict = loaded.filter.check(&name, enabled);
        let verdict = Override::revise(verdict, &name, &self.overrides, now_ms);
        Explanation { name, verdict }
    }

    /// Allows a name, with all below it. `false` when too many are allowed.
    fn allow(&mut self, name: &Name, now_ms: u64) -> bool {
        self.overrides.retain(|other| other.holds(now_ms) && other.name != *name);
        let expires_ms = Some(now_ms + ALLOWED_FOR.as_millis());
        let order = Override { name: name.clone(), action: Action::Allow, expires_ms };
        self.overrides.push(order).is_ok()
    }
}

impl Worker {
    /// Allows a name for an hour, as far as the law does. `false` when too many are allowed.
    pub(crate) fn allow(&self, name: &Name) -> bool {
        self.order(|orders, now_ms| orders.allow(name, now_ms))
    }

    /// Allows a name no longer.
    pub(crate) fn end(&self, name: &Name) {
        self.order(|orders, _| orders.overrides.retain(|other| other.name != *name));
    }

    /// Gives clients that are not listed this profile, if there is one.
    pub(crate) fn set_usual_profile(&self, profile: u8) {
        let loaded = self.core.borrow().loaded;
        if usize::from(profile) >= loaded.policies.borrow().len() {
            return;
        }
        self.order(|orders, _| orders.usual_profile = Some(profile));
        // By its id, for another image may have them in another order.
        let mut profiles = loaded.filter.policies().into_iter().flat_map(|all| all.profiles());
        if let Some(profile) = profiles.nth(profile.into()) {
            self.kept.set(Key::Profile, profile.id.as_bytes());
        }
    }

    /// Changes what holds. What was answered before is not said again.
    fn order<T>(&self, change: impl FnOnce(&mut Orders, u64) -> T) -> T {
        let now_ms = Instant::now().as_millis();
        self.core.borrow_mut().since_ms = now_ms;
        change(&mut self.orders.borrow_mut(), now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_allowed_for_an_hour_and_as_many_as_there_is_room_for() {
        let mut orders = Orders::default();
        let name = |number: usize| Name::from_text(std::format!("a{number}.example")).unwrap();
        for number in 0..OVERRIDES_MAX {
            assert!(orders.allow(&name(number), 0));
        }
        assert!(orders.allow(&name(0), 1000), "it is said anew");
        assert!(!orders.allow(&name(99), 3_600_000 - 1));
        assert!(orders.allow(&name(99), 3_600_000), "all others are over");
        assert_eq!(orders.overrides.len(), 2);
    }
}
