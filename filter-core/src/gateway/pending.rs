//! Questions that were asked upstream and who waits for them: takes questions, answers and the
//! time, gives the place of each. Identical questions share a place, so one query goes upstream
//! however many ask (RFC 5452 section 5: what is asked twice is twice as easily forged).
//!
//! A place is found by the hash of its question: a scan of `PENDING` words, which costs less than
//! it sounds. When nobody else can wait, those who wait longest no longer do.

use heapless::Vec;

use super::cache::Kind;
use super::event::Transport;
use super::query::Asker;
use super::question::{Question, Spelling};
use crate::name::Name;
use crate::rewrites::HOST_LEN_MAX;

/// Places for `PENDING` who wait, and as many questions.
pub(super) struct Pending<const PENDING: usize> {
    /// The hash of the question in each place; 0 when it is free.
    hashes: [u32; PENDING],
    places: Vec<Place, PENDING>,
    /// For what each one waits: a place and 1; 0 when nobody waits there.
    waits_for: [u16; PENDING],
    askers: Vec<Asker, PENDING>,
}

/// A question on its way, and what its answer must be like.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) question: Question,
    /// The name on the wire that those who wait have asked for, when `question` is about the host
    /// that stands for it; see [`restrict`](super::restrict).
    pub(super) origin: Option<Origin>,
    pub(super) kind: Kind,
    pub(super) sent: Sent,
    /// How often time ran out.
    pub(super) timeouts: u8,
    /// Upstreams that had nothing to say about it, one bit each.
    pub(super) excluded: u8,
    pub(super) began_ms: u64,
}

impl Place {
    /// What those who wait have asked.
    pub(super) fn asked(&self) -> Question {
        let origin = self.origin.as_ref().and_then(|origin| Name::from_wire(origin).ok());
        let name = origin.unwrap_or_else(|| self.question.name.clone());
        Question { name, ..self.question }
    }
}

/// The last query that was sent for a question.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    pub(super) upstream: usize,
    pub(super) transport: Transport,
    pub(super) port: u16,
    pub(super) id: u16,
    pub(super) spelling: Spelling,
    /// Whether an answer must be spelled like this.
    pub(super) is_spelling_secret: bool,
    pub(super) deadline_ms: u64,
}

/// A name that leads to another one: short, for a place holds one whether it needs it or not.
pub(super) type Origin = Vec<u8, HOST_LEN_MAX>;

impl<const PENDING: usize> Pending<PENDING> {
    pub(super) const fn new() -> Pending<PENDING> {
        Pending {
            hashes: [0; PENDING],
            places: Vec::new(),
            waits_for: [0; PENDING],
            askers: Vec::new(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<&Place> {
        self.places.get(index).filter(|_| self.is_taken(index))
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Place> {
        if self.is_taken(index) { self.places.get_mut(index) } else { None }
    }

    /// The places where this question is on its way, for any kind of answer.
    pub(super) fn find(&self, question: &Question) -> impl Iterator<Item = (usize, &Place)> {
        let hash = question.hash();
        let places = self.hashes.iter().zip(&self.places).enumerate();
        places.filter_map(move |(index, (&taken, place))| {
            (taken == hash && place.question == *question).then_some((index, place))
        })
    }

    /// The place where this question is on its way, for those who asked for this origin.
    pub(super) fn find_kind(
        &self,
        question: &Question,
        kind: Kind,
        origin: Option<&Origin>,
    ) -> Option<usize> {
        let is_it = |place: &Place| place.kind == kind && place.origin.as_ref() == origin;
        self.find(question).find(|(_, place)| is_it(place)).map(|(index, _)| index)
    }

    /// Lets someone wait for the answer to a question that is on its way in a place.
    pub(super) fn join(&mut self, index: usize, asker: &Asker) {
        // Who asks again, because it takes long, waits already.
        let is_same = |other: &Asker| other.client == asker.client && other.id == asker.id;
        if self.waiting(index).any(|(_, other)| is_same(other)) {
            return;
        }
        self.make_room();
        // Unless that ended this very question.
        if self.is_taken(index) {
            self.wait(index, asker);
        }
    }

    /// Gives a place to a question that is not on its way, for someone to wait for its answer.
    /// `None` when there are no places at all.
    pub(super) fn begin(&mut self, place: Place, asker: &Asker) -> Option<usize> {
        self.make_room();
        let index = self.hashes.iter().position(|&hash| hash == 0)?;
        *self.hashes.get_mut(index)? = place.question.hash();
        put(&mut self.places, index, place);
        self.wait(index, asker);
        Some(index)
    }

    /// Takes one of those who wait for a place.
    pub(super) fn take_asker(&mut self, index: usize) -> Option<Asker> {
        let (number, asker) = self.waiting(index).next().map(|(number, asker)| (number, *asker))?;
        *self.waits_for.get_mut(number)? = 0;
        Some(asker)
    }

    /// Ends a question, and with it all waiting for it.
    pub(super) fn free(&mut self, index: usize) {
        if let Some(hash) = self.hashes.get_mut(index) {
            *hash = 0;
        }
        for waits_for in &mut self.waits_for {
            if usize::from(*waits_for) == index + 1 {
                *waits_for = 0;
            }
        }
    }

    /// A place whose time has run out.
    pub(super) fn overdue(&self, now_ms: u64) -> Option<usize> {
        self.taken().find(|(_, place)| place.sent.deadline_ms <= now_ms).map(|(index, _)| index)
    }

    /// When the time of the first place runs out.
    pub(super) fn next_deadline_ms(&self) -> Option<u64> {
        self.taken().map(|(_, place)| place.sent.deadline_ms).min()
    }

    fn is_taken(&self, index: usize) -> bool {
        self.hashes.get(index).is_some_and(|&hash| hash != 0)
    }

    fn taken(&self) -> impl Iterator<Item = (usize, &Place)> {
        let places = self.hashes.iter().zip(&self.places).enumerate();
        places.filter(|(_, (hash, _))| **hash != 0).map(|(index, (_, place))| (index, place))
    }

    /// Those who wait for a place, by number.
    fn waiting(&self, index: usize) -> impl Iterator<Item = (usize, &Asker)> {
        let askers = self.waits_for.iter().zip(&self.askers).enumerate();
        askers
            .filter(move |(_, (waits_for, _))| usize::from(**waits_for) == index + 1)
            .map(|(number, (_, asker))| (number, asker))
    }

    fn wait(&mut self, index: usize, asker: &Asker) {
        let Some(number) = self.waits_for.iter().position(|&waits_for| waits_for == 0) else {
            return;
        };
        put(&mut self.askers, number, *asker);
        if let Some(waits_for) = self.waits_for.get_mut(number) {
            *waits_for = u16::try_from(index + 1).unwrap_or(0);
        }
    }

    /// Ends the oldest question, when no other can begin or nobody else can wait.
    fn make_room(&mut self) {
        if self.hashes.contains(&0) && self.waits_for.contains(&0) {
            return;
        }
        let oldest = self.taken().min_by_key(|(_, place)| place.began_ms);
        if let Some(index) = oldest.map(|(index, _)| index) {
            self.free(index);
        }
    }
}

/// Puts a value into a slot; slots are used from the first on, so it is at most one behind the
/// last.
fn put<T, const N: usize>(slots: &mut Vec<T, N>, index: usize, value: T) {
    match slots.get_mut(index) {
        Some(slot) => *slot = value,
        None => {
            let _ = slots.push(value);
        }
    }
}
