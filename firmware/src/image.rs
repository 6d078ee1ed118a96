//! The image and what is done with it: takes a region of flash, gives [`Loaded`], which the worker
//! reads at every event.

use core::net::IpAddr;

use embassy_futures::yield_now;
use filter_core::gateway::Exceptions;
use filter_core::policy::{Clock, Policy};
use filter_core::{CategorySet, Filter, FormatError, Header};
use heapless::Vec;

use crate::settings::Settings;

/// An image in service.
pub(crate) struct Loaded {
    pub(crate) filter: Filter<&'static [u8]>,
    pub(crate) exceptions: Exceptions,
    pub(crate) policies: Vec<Policy, PROFILES_MAX>,
}

/// Profiles there is room for. Clients of further ones are refused.
const PROFILES_MAX: usize = 8;
/// So many rules are walked over in some tenth of a second. Where there are more, every name may be
/// above an allowed one, which is always safe.
const RULES_AT_ONCE: u32 = 2_000;
/// What stands for an image that is not there: one without rules.
const NOTHING: &[u8] = include_bytes!("nothing.gfi");

impl Loaded {
    /// Verifies the image at the beginning of a region and opens it.
    pub(crate) async fn open(
        region: &'static [u8],
        settings: &Settings,
    ) -> Result<Loaded, FormatError> {
        let len = Header::read(region)?.len_octets as usize;
        let image = region.get(..len).ok_or(FormatError::Truncated)?;
        yield_now().await;
        Ok(Loaded::new(Filter::from_bytes(image)?, settings))
    }

    /// What is served while there is no sound image.
    pub(crate) fn stand_in(settings: &Settings) -> Result<Loaded, FormatError> {
        let mut loaded = Loaded::new(Filter::from_bytes(NOTHING)?, settings);
        for policy in &mut loaded.policies {
            policy.enabled = CategorySet::EMPTY;
            policy.is_closed = !settings.is_open_without_image;
        }
        Ok(loaded)
    }

    fn new(filter: Filter<&'static [u8]>, settings: &Settings) -> Loaded {
        let is_short = filter.rule_count() <= RULES_AT_ONCE;
        let exceptions = if is_short { Exceptions::of(&filter) } else { Exceptions::UNKNOWN };
        // Without a clock, schedules are as the policy says for that case.
        let now = |profile| filter.policies()?.policy(profile, Clock::Unset);
        let mut policies: Vec<Policy, PROFILES_MAX> =
            (0..PROFILES_MAX as u8).map_while(now).collect();
        if policies.is_empty() {
            // It has room for one.
            let _ = policies.push(Policy::new(CategorySet::ALL));
        }
        for policy in policies.iter_mut().filter(|_| !settings.operator.is_empty()) {
            policy.set_operator(&settings.operator);
        }
        Loaded { filter, exceptions, policies }
    }

    /// Whom an address belongs to.
    pub(crate) fn profile_of(&self, address: IpAddr) -> u8 {
        self.filter.policies().map_or(0, |policies| policies.profile_of(address, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use filter_core::compile::Compiler;

    #[test]
    fn nothing_is_an_image_without_rules() {
        assert_eq!(NOTHING, Compiler::new(0).finish().unwrap().octets);
        let loaded = Loaded::stand_in(&Settings::default()).unwrap();
        assert!(loaded.policies.iter().all(|policy| policy.is_closed));
        assert_eq!(loaded.profile_of([10, 0, 0, 1].into()), 0);
    }
}
