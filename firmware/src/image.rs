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

/// An image in service.
pub(crate) struct Loaded {
    pub(crate) filter: Filter<&'static [u8]>,
    pub(crate) exceptions: &'static Exceptions,
    pub(crate) policies: Vec<Policy, PROFILES_MAX>,
}

/// Where it is put, with its exceptions.
pub(crate) type Place = (StaticCell<Loaded>, StaticCell<Exceptions>);

/// Profiles there is room for. Clients of further ones are refused.
const PROFILES_MAX: usize = 8;
/// So many rules are walked over in some tenth of a second. Where there are more, every name may be
/// above an allowed one, which is always safe.
const RULES_AT_ONCE: u32 = 2_000;
static UNKNOWN: Exceptions = Exceptions::UNKNOWN;
/// What stands for an image that is not there: one without rules.
const NOTHING: &[u8] = include_bytes!("nothing.gfi");

impl Loaded {
    /// Verifies the image at the beginning of a region and opens it.
    pub(crate) async fn open(
        region: &'static [u8],
        settings: &Settings,
        place: &'static Place,
    ) -> Result<&'static Loaded, FormatError> {
        let len = Header::read(region)?.len_octets as usize;
        let image = region.get(..len).ok_or(FormatError::Truncated)?;
        yield_now().await;
        let filter = Filter::from_bytes(image)?;
        let policies = policies(&filter, settings);
        Ok(Loaded::put(place, filter, policies))
    }

    /// What is served while there is no sound image.
    pub(crate) fn stand_in(
        settings: &Settings,
        place: &'static Place,
    ) -> Result<&'static Loaded, FormatError> {
        let mut nothing = Policy::new(CategorySet::EMPTY);
        nothing.is_closed = !settings.is_open_without_image;
        let filter = Filter::from_bytes(NOTHING)?;
        Ok(Loaded::put(place, filter, iter::once(nothing).collect()))
    }

    fn put(
        (loaded, exceptions): &'static Place,
        filter: Filter<&'static [u8]>,
        policies: Vec<Policy, PROFILES_MAX>,
    ) -> &'static Loaded {
        let exceptions = match filter.rule_count() {
            ..=RULES_AT_ONCE => find_exceptions(&filter, exceptions),
            _ => &UNKNOWN,
        };
        loaded.init_with(|| Loaded { filter, exceptions, policies })
    }

    /// Whom an address belongs to.
    pub(crate) fn profile_of(&self, address: IpAddr) -> u8 {
        self.filter.policies().map_or(0, |policies| policies.profile_of(address, None))
    }
}

// Not inlined, so that its frame is given back: none is as large.
#[inline(never)]
fn find_exceptions(
    filter: &Filter<&[u8]>,
    place: &'static StaticCell<Exceptions>,
) -> &'static Exceptions {
    place.init_with(|| Exceptions::of(filter))
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
        let place = Box::leak(Box::new((StaticCell::new(), StaticCell::new())));
        let loaded = Loaded::stand_in(&Settings::default(), place).unwrap();
        assert!(loaded.policies.iter().all(|policy| policy.is_closed));
        assert_eq!(loaded.profile_of([10, 0, 0, 1].into()), 0);
    }
}
