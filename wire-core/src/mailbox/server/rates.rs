//! What is counted for each address prefix. In memory only, bounded, and forgotten at a restart.

use std::collections::BTreeMap;

use crate::mailbox::Rendezvous;
use crate::mailbox::{Limits, Origin};
use crate::time::Timestamp;

const MINUTE: u64 = 60_000;
const PRUNE_EVERY: u64 = 1000;

#[derive(Debug)]
pub(super) struct Rates {
    origins: BTreeMap<Origin, Counts>,
    open: u32,
    pruned: Timestamp,
}

#[derive(Debug, Default)]
struct Counts {
    codes: BTreeMap<Rendezvous, Timestamp>,
    invites: BTreeMap<Rendezvous, Timestamp>,
    missed: Minute,
    creates: Minute,
}

/// A counter that starts anew each minute.
#[derive(Debug, Default)]
struct Minute {
    start: Timestamp,
    count: u32,
}

impl Minute {
    fn current(&self, now: Timestamp) -> u32 {
        if now.since(self.start) < MINUTE { self.count } else { 0 }
    }

    fn add(&mut self, now: Timestamp) {
        if now.since(self.start) >= MINUTE {
            *self = Self { start: now, count: 0 };
        }
        self.count = self.count.saturating_add(1);
    }

    fn seconds_left(&self, now: Timestamp) -> u32 {
        let left = MINUTE.saturating_sub(now.since(self.start));
        u32::try_from(left.div_ceil(1000)).unwrap_or(60).max(1)
    }
}

impl Counts {
    fn expire(&mut self, now: Timestamp) -> u32 {
        let before = self.codes.len() + self.invites.len();
        self.codes.retain(|_, until| *until > now);
        self.invites.retain(|_, until| *until > now);
        u32::try_from(before - self.codes.len() - self.invites.len()).unwrap_or(u32::MAX)
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        self.codes.is_empty()
            && self.invites.is_empty()
            && self.missed.current(now) == 0
            && self.creates.current(now) == 0
    }
}

impl Rates {
    pub(super) fn new() -> Self {
        Self { origins: BTreeMap::new(), open: 0, pruned: Timestamp::default() }
    }

    /// Whether another code (or invite) may be opened without work.
    pub(super) fn may_open(&mut self, now: Timestamp, limits: &Limits, origin: Origin, invite: bool) -> bool {
        let counts = self.counts(now, limits, origin);
        let expired = counts.expire(now);
        let (open, max) = if invite {
            (counts.invites.len(), limits.open_invites_per_origin)
        } else {
            (counts.codes.len(), limits.open_codes_per_origin)
        };
        self.open = self.open.saturating_sub(expired);
        u32::try_from(open).unwrap_or(u32::MAX) < max
    }

    /// Whether the relay has room for another place at all.
    pub(super) fn has_room(&mut self, now: Timestamp, limits: &Limits) -> bool {
        if self.open >= limits.open_places {
            self.prune(now);
        }
        self.open < limits.open_places
    }

    pub(super) fn opened(
        &mut self,
        now: Timestamp,
        limits: &Limits,
        origin: Origin,
        place: Rendezvous,
        until: Timestamp,
    ) {
        let counts = self.counts(now, limits, origin);
        let open = match place {
            Rendezvous::Nameplate(_) => &mut counts.codes,
            Rendezvous::Invite(_) => &mut counts.invites,
        };
        if open.insert(place, until).is_none() {
            self.open = self.open.saturating_add(1);
        }
    }

    pub(super) fn closed(&mut self, origin: Origin, place: &Rendezvous) {
        if let Some(counts) = self.origins.get_mut(&origin)
            && (counts.codes.remove(place).is_some() || counts.invites.remove(place).is_some())
        {
            self.open = self.open.saturating_sub(1);
        }
    }

    /// `None` if a claim is welcome, else the seconds until it is.
    pub(super) fn claim_barred(&mut self, now: Timestamp, limits: &Limits, origin: Origin) -> Option<u32> {
        let max = limits.missed_claims_per_minute;
        let missed = &self.counts(now, limits, origin).missed;
        (missed.current(now) >= max).then(|| missed.seconds_left(now))
    }

    pub(super) fn claim_missed(&mut self, now: Timestamp, limits: &Limits, origin: Origin) {
        self.counts(now, limits, origin).missed.add(now);
    }

    /// Whether a mailbox may be made without work.
    pub(super) fn may_create(&mut self, now: Timestamp, limits: &Limits, origin: Origin) -> bool {
        let max = limits.creates_per_minute;
        self.counts(now, limits, origin).creates.current(now) < max
    }

    pub(super) fn created(&mut self, now: Timestamp, limits: &Limits, origin: Origin) {
        self.counts(now, limits, origin).creates.add(now);
    }

    /// The counts of an origin; when there are too many, those that are new share one.
    fn counts(&mut self, now: Timestamp, limits: &Limits, origin: Origin) -> &mut Counts {
        let full = self.origins.len() >= usize::try_from(limits.tracked_origins).unwrap_or(usize::MAX);
        if full && !self.origins.contains_key(&origin) {
            self.prune(now);
            let full = self.origins.len() >= usize::try_from(limits.tracked_origins).unwrap_or(usize::MAX);
            if full {
                return self.origins.entry(Origin::UNKNOWN).or_default();
            }
        }
        self.origins.entry(origin).or_default()
    }

    fn prune(&mut self, now: Timestamp) {
        if now.since(self.pruned) < PRUNE_EVERY {
            return;
        }
        self.pruned = now;
        let mut expired = 0;
        self.origins.retain(|_, counts| {
            expired += counts.expire(now);
            !counts.is_idle(now)
        });
        self.open = self.open.saturating_sub(expired);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::InviteId;

    const T0: Timestamp = Timestamp::from_millis(1_000_000);

    fn invite(n: u8) -> Rendezvous {
        Rendezvous::Invite(InviteId::from_bytes([n; 16]))
    }

    #[test]
    fn missed_claims_bar_their_origin_alone_and_for_the_minute() {
        let limits = Limits::default();
        let (one, two) = (Origin::v4([1; 4]), Origin::v4([2; 4]));
        let mut rates = Rates::new();
        for _ in 0..limits.missed_claims_per_minute {
            assert_eq!(rates.claim_barred(T0, &limits, one), None);
            rates.claim_missed(T0, &limits, one);
        }
        assert_eq!(rates.claim_barred(T0.plus_millis(1500), &limits, one), Some(59));
        assert_eq!(rates.claim_barred(T0, &limits, two), None);
        assert_eq!(rates.claim_barred(T0.plus_millis(MINUTE), &limits, one), None);
    }

    #[test]
    fn open_places_are_counted_until_closed_or_over() {
        let limits = Limits { open_invites_per_origin: 2, open_places: 3, ..Limits::default() };
        let (one, two) = (Origin::v4([1; 4]), Origin::v4([2; 4]));
        let mut rates = Rates::new();
        let until = T0.plus_millis(5000);
        for n in 0..2 {
            assert!(rates.may_open(T0, &limits, one, true));
            rates.opened(T0, &limits, one, invite(n), until);
        }
        assert!(!rates.may_open(T0, &limits, one, true));
        assert!(rates.may_open(T0, &limits, one, false));
        rates.closed(one, &invite(0));
        assert!(rates.may_open(T0, &limits, one, true));
        rates.opened(T0, &limits, one, invite(0), until);
        rates.opened(T0, &limits, two, invite(3), until);
        assert!(!rates.has_room(T0, &limits));
        assert!(rates.may_open(until, &limits, one, true));
        assert!(rates.has_room(until, &limits));
    }

    #[test]
    fn origins_beyond_the_bound_share_one_count() {
        let limits = Limits { tracked_origins: 2, missed_claims_per_minute: 1, ..Limits::default() };
        let mut rates = Rates::new();
        for n in 1..50 {
            rates.claim_missed(T0, &limits, Origin::v4([n; 4]));
            assert!(rates.origins.len() <= 3);
        }
        assert!(rates.claim_barred(T0, &limits, Origin::v4([99; 4])).is_some());
        let later = T0.plus_millis(MINUTE);
        assert_eq!(rates.claim_barred(later, &limits, Origin::v4([99; 4])), None);
    }
}
