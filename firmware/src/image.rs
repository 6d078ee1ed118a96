//! The image and what is done with it: takes a region of flash, gives [`Loaded`], which the worker
//! reads at every event.

use core::iter;
use core::net::IpAddr;

use embassy_futures::yield_now;
use filter_core::gateway::Exceptions;
use filter_core::policy::{Clock, Policy};
use filter_core::{CategorySet, Filter, FormatError, Header};
use heapless::Vec;
use static_cell::StaticCell;

use crate::settings::Settings;
use crate::worker::Worker;

/// An image in service.
pub(crate) struct Loaded {
    pub(crate) filter: Filter<&'static [u8]>,
    pub(crate) policies: Vec<Policy, PROFILES_MAX>,
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
        let policies = policies(&filter, settings);
        Ok(place.init_with(|| Loaded { filter, policies }))
    }

    /// What is served while there is no sound image.
    #[inline(never)]
    pub(crate) fn stand_in(
        settings: &Settings,
        place: &'static StaticCell<Loaded>,
    ) -> Result<&'static Loaded, FormatError> {
        let mut nothing = Policy::new(CategorySet::EMPTY);
        nothing.is_closed = !settings.is_open_without_image;
        let (filter, policies) = (Filter::from_bytes(NOTHING)?, iter::once(nothing).collect());
        Ok(place.init_with(|| Loaded { filter, policies }))
    }

    /// Whom an address belongs to.
    pub(crate) fn profile_of(&self, address: IpAddr) -> u8 {
        self.filter.policies().map_or(0, |policies| policies.profile_of(address, None))
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

/// What each profile means. Without a clock, schedules are as the policy says for that case.
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
    use filter_core::compile::Compiler;

    #[test]
    fn nothing_is_an_image_without_rules() {
        assert_eq!(NOTHING, Compiler::new(0).finish().unwrap().octets);
        let place = Box::leak(Box::new(StaticCell::new()));
        let loaded = Loaded::stand_in(&Settings::default(), place).unwrap();
        assert!(loaded.policies.iter().all(|policy| policy.is_closed));
        assert_eq!(loaded.profile_of([10, 0, 0, 1].into()), 0);
    }
}
