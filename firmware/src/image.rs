//! The image and what is done with it: takes a region of flash, gives [`Loaded`], which the worker
//! reads at every event.

use core::cell::{Cell, RefCell};
use core::iter;
use core::net::Ipv4Addr;

use embassy_futures::yield_now;
use filter_core::gateway::Exceptions;
use filter_core::policy::{Clock, Page, Policy};
use filter_core::{CategorySet, Filter, FormatError, Header};
use heapless::Vec;
use static_cell::StaticCell;

use crate::settings::Settings;
use crate::storage::{Kept, Key};
use crate::worker::Worker;

/// An image in service.
pub(crate) struct Loaded {
    pub(crate) filter: Filter<&'static [u8]>,
    /// What each profile means now.
    pub(crate) policies: RefCell<Vec<Policy, PROFILES_MAX>>,
    /// What tells it from others: the end of its checksum.
    id: [u8; ID_LEN],
    /// Since when it is here, in seconds since 1970, when that is known.
    pub(crate) since_s: Cell<Option<i64>>,
    /// Whether it is one, and nothing that stands for it.
    pub(crate) is_sound: bool,
}

const ID_LEN: usize = 8;
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
        let id = image.last_chunk().copied().unwrap_or_default();
        let since_s = Cell::new(None);
        Ok(place.init_with(|| Loaded { filter, policies, id, since_s, is_sound: true }))
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
        let (id, since_s) = ([0; ID_LEN], Cell::new(None));
        Ok(place.init_with(|| Loaded { filter, policies, id, since_s, is_sound: false }))
    }

    /// Finds out since when this image is here: an image has no date, so that is when it was seen
    /// first by a board that knew the time.
    pub(crate) fn date(&self, unix_s: i64, kept: &Kept) {
        if !self.is_sound || self.since_s.get().is_some() {
            return;
        }
        let seen = kept.get(Key::Image);
        let since_s = match seen.split_first_chunk() {
            Some((id, since_s)) if *id == self.id => since_s.try_into().ok(),
            _ => None,
        };
        let since_s = since_s.map_or(unix_s, i64::from_le_bytes);
        self.since_s.set(Some(since_s));
        let mut now_seen = [0; ID_LEN + size_of::<i64>()];
        let octets = self.id.into_iter().chain(since_s.to_le_bytes());
        now_seen.iter_mut().zip(octets).for_each(|(place, octet)| *place = octet);
        if *seen != now_seen {
            kept.set(Key::Image, &now_seen);
        }
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
    fn an_image_is_as_old_as_the_board_has_seen_it() {
        let kept = crate::storage::tests::kept(0xFF);
        let since_s = |serial, unix_s| {
            let image = std::vec::Vec::leak(Compiler::new(serial).finish().unwrap().octets);
            let place = Box::leak(Box::new(StaticCell::new()));
            let loaded = Loaded::open(image, &Settings::default(), place).unwrap();
            loaded.date(unix_s, &kept);
            loaded.date(unix_s + 1, &kept);
            loaded.since_s.get()
        };
        assert_eq!(since_s(1, 1_800_000_000), Some(1_800_000_000));
        assert_eq!(since_s(1, 1_800_086_400), Some(1_800_000_000), "kept");
        assert_eq!(since_s(2, 1_800_086_400), Some(1_800_086_400), "another one");
        assert_eq!(since_s(1, 1_800_172_800), Some(1_800_172_800), "it has come back");
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
