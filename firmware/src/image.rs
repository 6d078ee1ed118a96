//! The image and what is done with it: takes a region of flash, gives [`Loaded`], which the worker
//! reads at every event.

use core::cell::RefCell;
use core::iter;
use core::net::Ipv4Addr;

use embassy_futures::yield_now;
use filter_core::gateway::Exceptions;
use filter_core::policy::{Clock, Page, Policy};
use filter_core::{CategorySet, Filter, FormatError, Header};
use heapless::Vec;
use static_cell::StaticCell;

use crate::settings::Settings;
use crate::worker::Worker;

/// An image in service.
pub(crate) struct Loaded {
    pub(crate) filter: Filter<&'static [u8]>,
    /// What each profile means now.
    pub(crate) policies: RefCell<Vec<Policy, PROFILES_MAX>>,
    /// Whether it is one, and nothing that stands for it.
    pub(crate) is_sound: bool,
}

/// Profiles there is room for. Clients of further ones are refused.
const PROFILES_MAX: usize = 8;
/// So many rules are looked at between two queries, in less than a millisecond.
const RULES_AT_ONCE: usize = 16;
/// What stands for an image that is not there: one without rules.
const NOTHING: &[u8] = include_bytes!("nothing.gfi");

impl Loaded {
    /// Verifies the image at the beginning of a region, opens it and puts it into its place.
    //
    // Not inlined, like what follows: its frame is larger than all others, and given back.
    #[inline(never)]
    pub(crate) fn open(
        region: &'static [u8],
        settings: &Settings,
        place: &'static StaticCell<Loaded>,
    ) -> Result<&'static Loaded, FormatError> {
        let len = Header::read(region)?.len_octets as usize;
        let image = region.get(..len).ok_or(FormatError::Truncated)?;
        let filter = Filter::from_bytes(image)?;
        let policies = RefCell::new(policies(&filter, settings));
        Ok(place.init_with(|| Loaded { filter, policies, is_sound: true }))
    }

    /// What is served while there is no sound image.
    #[inline(never)]
    pub(crate) fn stand_in(
        settings: &Settings,
        place: &'static StaticCell<Loaded>,
    ) -> Result<&'static Loaded, FormatError> {
        let mut nothing = Policy::new(CategorySet::EMPTY);
        nothing.is_closed = !settings.is_open_without_image;
        let filter = Filter::from_bytes(NOTHING)?;
        let policies = RefCell::new(iter::once(nothing).collect());
        Ok(place.init_with(|| Loaded { filter, policies, is_sound: false }))
    }

    /// Goes by the schedules of this time, or blocks nothing but what the law does; gives whether that
    /// changes anything.
    pub(crate) fn set_clock(&self, clock: Clock, is_paused: bool) -> bool {
        if !self.is_sound {
            return false;
        }
        let mut is_changed = false;
        for (profile, policy) in (0..).zip(self.policies.borrow_mut().iter_mut()) {
            let of_image = || self.filter.policies()?.policy(profile, clock);
            // Of a policy, schedules change nothing else.
            let enabled = match is_paused {
                true => CategorySet::EMPTY,
                false => of_image().map_or(CategorySet::ALL, |policy| policy.enabled),
            };
            is_changed |= policy.enabled != enabled;
            policy.enabled = enabled;
        }
        is_changed
    }

    /// Leads whoever is to see the page, where the policy does not say where it is, to this address;
    /// gives whether that changes anything.
    pub(crate) fn set_page(&self, address: Option<Ipv4Addr>) -> bool {
        let mut is_changed = false;
        let profiles = self.filter.policies().into_iter().flat_map(|all| all.profiles());
        for (profile, policy) in profiles.zip(self.policies.borrow_mut().iter_mut()) {
            let Page { ipv4, ipv6 } = profile.policy.page;
            let ipv4 = if ipv6.is_some() { ipv4 } else { ipv4.or(address) };
            is_changed |= policy.page.ipv4 != ipv4;
            policy.page.ipv4 = ipv4;
        }
        is_changed
    }
}

/// Finds the names above allowed ones, and tells the worker. Until then every name may be above one,
/// which is always safe.
#[embassy_executor::task]
pub(crate) async fn find_exceptions(
    worker: &'static Worker,
    loaded: &'static Loaded,
    exceptions: &'static mut Exceptions,
) {
    let mut search = exceptions.search(&loaded.filter);
    // Ends because an image has finitely many rules.
    while search.advance(RULES_AT_ONCE) {
        yield_now().await;
    }
    worker.set_exceptions(exceptions);
}

/// What each profile means while the time is not known.
fn policies(filter: &Filter<&[u8]>, settings: &Settings) -> Vec<Policy, PROFILES_MAX> {
    let everything = || Policy::new(CategorySet::ALL);
    let of_image = |profile| filter.policies()?.policy(profile, Clock::Unset);
    let mut policies: Vec<Policy, PROFILES_MAX> = match filter.policies() {
        Some(_) => (0..PROFILES_MAX as u8).map_while(of_image).collect(),
        None => iter::once(everything()).collect(),
    };
    for policy in policies.iter_mut().filter(|_| !settings.operator.is_empty()) {
        policy.set_operator(&settings.operator);
    }
    policies
}

#[cfg(test)]
mod tests {
    use super::*;
    use filter_core::Action;
    use filter_core::compile::Compiler;
    use filter_core::policy::{Days, PolicyBuilder, Schedule};

    #[test]
    fn nothing_is_an_image_without_rules() {
        assert_eq!(NOTHING, Compiler::new(0).finish().unwrap().octets);
        let place = Box::leak(Box::new(StaticCell::new()));
        let loaded = Loaded::stand_in(&Settings::default(), place).unwrap();
        assert!(loaded.policies.borrow().iter().all(|policy| policy.is_closed));
    }

    #[test]
    fn schedules_hold_when_the_time_is_known() {
        let mut builder = PolicyBuilder::new();
        let profile = builder.profile("everyone", Policy::new(CategorySet::EMPTY)).unwrap();
        let (action, categories) = (Action::Block, CategorySet::of(20));
        let (days, from, to) = (Days::of(0..7), 8 * 60, 9 * 60);
        builder.schedule(Schedule { profile, action, categories, days, from, to });
        let mut compiler = Compiler::new(0);
        compiler.policy(builder.finish().unwrap());
        let image = std::vec::Vec::leak(compiler.finish().unwrap().octets);
        let place = Box::leak(Box::new(StaticCell::new()));
        let settings = Settings { operator: "School".try_into().unwrap(), ..Settings::default() };
        let loaded = Loaded::open(image, &settings, place).unwrap();
        let blocks = || loaded.policies.borrow()[0].enabled.contains(categories);
        assert!(blocks(), "strict until it is known");
        let at_hour = |hour: i64| Clock::Unix(hour * 3600);
        assert!(loaded.set_clock(at_hour(7), false) && !blocks());
        assert!(!loaded.set_clock(at_hour(6), false), "nothing is another");
        assert!(loaded.set_clock(at_hour(8), false) && blocks());
        assert!(loaded.set_clock(at_hour(8), true) && !blocks());
        assert_eq!(loaded.policies.borrow()[0].operator(), "School");
    }
}
