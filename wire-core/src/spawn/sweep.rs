//! Which of the things that carry our labels nobody needs any more.
//!
//! A decision about one thing at a time, from what is known before; whoever sweeps lists the owner's
//! things in every state, asks [`Sweep::judge`], and removes by id, never by name. Two may sweep at once:
//! what is gone already, or being removed, is done.
//!
//! ```
//! use wire_core::spawn::{Kind, Labels, OwnerSecret, Place, State};
//! use wire_core::spawn::sweep::{Alive, Found, Judgement, Reason, Sweep};
//! use wire_core::time::Timestamp;
//! let secret = OwnerSecret::from_bytes([7; 32]);
//! let now = Timestamp::from_millis(1_800_000_000_000);
//! let mut labels = Labels::new(Kind::Container, "job 7");
//! labels.expires = Some(now.offset_millis(-1));
//! let sweep = Sweep {
//!     secret: &secret, engine_now: now, our_now: now, here: &Place::new(4026531836, "host"),
//!     alive: &|_| Alive::Unknown,
//! };
//! let found = Found { name: "w-abc", labels: &labels.sign(&secret, "w-abc"), state: Some(State::Running), never_begun: false };
//! assert_eq!(sweep.judge(&found), Judgement::Remove(Reason::Expired));
//! ```

use std::collections::BTreeMap;
use std::fmt;

use super::ids::{InstanceId, SpawnName};
use super::labels::{Kind, LabelError, Labels, Place, Tied, TiedUntil};
use super::owner::OwnerSecret;
use super::runtime::State;
use crate::time::Timestamp;

/// The clocks of the engine and of this machine may differ by this much, in milliseconds.
pub const MAX_SKEW_MS: u64 = 60_000;

/// Who sweeps, when, and whom it knows to be alive.
#[derive(Clone, Copy)]
pub struct Sweep<'a> {
    /// The owner's.
    pub secret: &'a OwnerSecret,
    /// Now, by the engine's clock.
    pub engine_now: Timestamp,
    /// Now, by ours.
    pub our_now: Timestamp,
    /// Where we run.
    pub here: &'a Place,
    /// Whether a process of this place is alive. Asked only about such.
    pub alive: &'a (dyn Fn(InstanceId) -> Alive + Sync),
}

/// Whether a process is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alive {
    /// It holds its lock.
    Yes,
    /// Its lock is free, or gone.
    No,
    /// It cannot be seen.
    Unknown,
}

/// Something with labels.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Its name, without a slash.
    pub name: &'a str,
    /// All of its labels.
    pub labels: &'a BTreeMap<String, String>,
    /// A container's state. Volumes and networks have none.
    pub state: Option<State>,
    /// It was started, and its maker noted that it has not given it its command yet.
    pub never_begun: bool,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Judgement {
    /// It stays.
    Keep,
    /// It goes.
    Remove(Reason),
    /// It is not ours to judge.
    NotOurs(LabelError),
}

/// Why something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Its time is over.
    Expired,
    /// The process that it was tied to is gone.
    Orphan,
    /// It was never started, and its maker is gone.
    NeverStarted,
    /// The engine failed to remove it before.
    Dead,
}

impl Sweep<'_> {
    /// What becomes of it.
    pub fn judge(&self, found: &Found<'_>) -> Judgement {
        let labels = match self.verify(found) {
            Ok(labels) => labels,
            Err(error) => return Judgement::NotOurs(error),
        };
        if labels.kind == Kind::Shim {
            return Judgement::Keep;
        }
        let reason = if labels.expires.is_some_and(|end| self.is_over(end)) {
            Some(Reason::Expired)
        } else if found.state == Some(State::Dead) {
            Some(Reason::Dead)
        } else {
            labels.tied.as_ref().and_then(|tied| self.judge_tied(tied, found))
        };
        reason.map_or(Judgement::Keep, Judgement::Remove)
    }

    /// A container that is not started yet has another name than the one that its labels were written for.
    fn verify(&self, found: &Found<'_>) -> Result<Labels, LabelError> {
        let verify = |name: &str| Labels::verify(self.secret, name, found.labels);
        verify(found.name).or_else(|error| {
            let name = SpawnName::parse(found.name).ok().and_then(|name| name.without_pending());
            name.map_or(Err(error), |name| verify(name.as_str()))
        })
    }

    /// By both clocks; and if they differ much, by more than the difference, because then nobody knows
    /// which of them wrote the end.
    fn is_over(&self, end: Timestamp) -> bool {
        let skew = self.engine_now.signed_since(self.our_now).unsigned_abs();
        let over = self.engine_now.min(self.our_now).signed_since(end);
        if skew > MAX_SKEW_MS { over > 0 && over.unsigned_abs() > skew } else { over >= 0 }
    }

    /// A process of another host, or of another PID namespace, may live unseen. What runs has a lease: the shim
    /// ends it if its maker was the only one that held it, and nobody here knows who else does.
    fn judge_tied(&self, tied: &Tied, found: &Found<'_>) -> Option<Reason> {
        if tied.place != *self.here || (self.alive)(tied.instance) != Alive::No {
            return None;
        }
        let never = found.state == Some(State::Created) || found.never_begun;
        match tied.until {
            TiedUntil::End if found.state == Some(State::Running) && !never => None,
            TiedUntil::End => Some(Reason::Orphan),
            TiedUntil::Start => never.then_some(Reason::NeverStarted),
        }
    }
}

impl Reason {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Orphan => "orphan",
            Self::NeverStarted => "never_started",
            Self::Dead => "dead",
        }
    }
}

impl fmt::Debug for Sweep<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweep")
            .field("engine_now", &self.engine_now)
            .field("our_now", &self.our_now)
            .field("here", &self.here)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    struct World {
        secret: OwnerSecret,
        engine: u64,
        ours: u64,
        alive: Alive,
        never_begun: bool,
    }

    impl World {
        fn new(alive: Alive) -> Self {
            Self {
                secret: OwnerSecret::from_bytes([7; 32]),
                engine: NOW,
                ours: NOW,
                alive,
                never_begun: false,
            }
        }

        fn judge(&self, labels: &BTreeMap<String, String>, name: &str, state: Option<State>) -> Judgement {
            let alive = |_| self.alive;
            Sweep {
                secret: &self.secret,
                engine_now: Timestamp::from_millis(self.engine),
                our_now: Timestamp::from_millis(self.ours),
                here: &here(),
                alive: &alive,
            }
            .judge(&Found { name, labels, state, never_begun: self.never_begun })
        }

        fn of(&self, labels: &Labels, state: Option<State>) -> Judgement {
            self.judge(&labels.sign(&self.secret, "one"), "one", state)
        }
    }

    fn here() -> Place {
        Place::new(1, "host")
    }

    fn expiring(at: u64) -> Labels {
        Labels { expires: Some(Timestamp::from_millis(at)), ..Labels::new(Kind::Container, "k") }
    }

    fn tied(place: Place, until: TiedUntil) -> Labels {
        let instance = InstanceId::from_bytes([9; 16]);
        Labels { tied: Some(Tied { instance, place, until }), ..Labels::new(Kind::Container, "k") }
    }

    const STATES: [Option<State>; 9] = [
        None,
        Some(State::Created),
        Some(State::Running),
        Some(State::Paused),
        Some(State::Restarting),
        Some(State::Removing),
        Some(State::Exited),
        Some(State::Dead),
        Some(State::Unknown),
    ];

    #[test]
    fn what_is_over_goes_in_every_state() {
        let world = World::new(Alive::Yes);
        for state in STATES {
            assert_eq!(world.of(&expiring(NOW), state), Judgement::Remove(Reason::Expired), "{state:?}");
            let kept = world.of(&expiring(NOW + 1), state);
            let dead = Judgement::Remove(Reason::Dead);
            assert_eq!(kept, if state == Some(State::Dead) { dead } else { Judgement::Keep }, "{state:?}");
        }
    }

    #[test]
    fn what_is_tied_goes_with_its_process_and_only_then() {
        let elsewhere = [Place::new(2, "host"), Place::new(1, "other")];
        for state in STATES {
            let dead = Judgement::Remove(Reason::Dead);
            let kept = if state == Some(State::Dead) { dead } else { Judgement::Keep };
            for alive in [Alive::Yes, Alive::Unknown] {
                assert_eq!(World::new(alive).of(&tied(here(), TiedUntil::End), state), kept, "{state:?}");
            }
            let gone = World::new(Alive::No);
            for place in &elsewhere {
                assert_eq!(gone.of(&tied(place.clone(), TiedUntil::End), state), kept, "{state:?}");
            }
            let orphan = Judgement::Remove(Reason::Orphan);
            let wanted = match state {
                Some(State::Dead) => dead,
                // Its lease ends it, unless somebody else has it.
                Some(State::Running) => Judgement::Keep,
                _ => orphan,
            };
            assert_eq!(gone.of(&tied(here(), TiedUntil::End), state), wanted, "{state:?}");
            let never = Judgement::Remove(Reason::NeverStarted);
            let wanted = if state == Some(State::Created) { never } else { kept };
            assert_eq!(gone.of(&tied(here(), TiedUntil::Start), state), wanted, "{state:?}");
            let wanted = if wanted == kept && kept != dead { never } else { wanted };
            let gone = World { never_begun: true, ..gone };
            assert_eq!(gone.of(&tied(here(), TiedUntil::Start), state), wanted, "{state:?}");
            let alive = World { never_begun: true, ..World::new(Alive::Yes) };
            assert_eq!(alive.of(&tied(here(), TiedUntil::Start), state), kept, "{state:?}");
        }
    }

    #[test]
    fn clocks_that_differ_are_believed_only_beyond_their_difference() {
        for (engine, ours, over, gone) in [
            (0i64, 0i64, 0i64, true),
            (0, 0, -1, false),
            (60_000, 0, 0, true),
            (0, 60_000, 0, true),
            (60_000, 0, -1, false),
            (60_001, 0, 60_001, false),
            (60_001, 0, 60_002, true),
            (0, 60_001, 60_001, false),
            (0, 60_001, 60_002, true),
            (86_400_000, 0, 60_001, false),
            (86_400_000, 0, 86_400_001, true),
        ] {
            let at = |offset: i64| NOW.checked_add_signed(offset).unwrap();
            let world = World { engine: at(engine), ours: at(ours), ..World::new(Alive::Yes) };
            let wanted = if gone { Judgement::Remove(Reason::Expired) } else { Judgement::Keep };
            assert_eq!(world.of(&expiring(at(-over)), Some(State::Exited)), wanted, "{engine} {ours} {over}");
        }
    }

    #[test]
    fn what_is_not_ours_is_never_judged() {
        let world = World::new(Alive::No);
        let dead = Some(State::Dead);
        let mine = expiring(0).sign(&world.secret, "one");
        assert_eq!(world.judge(&mine, "two", dead), Judgement::NotOurs(LabelError::Forged));
        let theirs = expiring(0).sign(&OwnerSecret::from_bytes([8; 32]), "one");
        assert_eq!(world.judge(&theirs, "one", dead), Judgement::NotOurs(LabelError::OtherOwner));
        assert_eq!(world.judge(&BTreeMap::new(), "one", dead), Judgement::NotOurs(LabelError::Absent));
        let mut forged = mine.clone();
        forged.insert("wire.tied".to_owned(), "end/x".to_owned());
        assert_eq!(world.judge(&forged, "one", dead), Judgement::NotOurs(LabelError::Forged));
        let shim = Labels { kind: Kind::Shim, ..expiring(0) };
        assert_eq!(world.of(&shim, None), Judgement::Keep);
    }

    #[test]
    fn a_container_before_its_start_has_its_labels_under_its_own_name() {
        let world = World::new(Alive::No);
        let signed = tied(here(), TiedUntil::Start).sign(&world.secret, "one");
        let created = Some(State::Created);
        let pending = SpawnName::parse("one").unwrap().pending();
        let never = Judgement::Remove(Reason::NeverStarted);
        assert_eq!(world.judge(&signed, pending.as_str(), created), never);
        let forged = Judgement::NotOurs(LabelError::Forged);
        assert_eq!(world.judge(&signed, "one.wire-", created), forged);
        assert_eq!(world.judge(&signed, "two.wire-p", created), forged);
    }
}
