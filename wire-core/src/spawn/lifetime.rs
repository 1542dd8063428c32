//! How long a container may live, and who ends it.
//!
//! 1. *Lease*: what is [`Lifetime::Tied`] is ended by the shim when nobody has said anything for
//!    [`LEASE`].
//! 2. *Deadline*: kept by the shim from inside, even if everybody else is gone.
//! 3. *Sweep*: by labels, see [`sweep`](super::sweep).
//!
//! ```
//! use std::time::Duration;
//! use wire_core::spawn::Lifetime;
//! assert_eq!(Lifetime::default(), Lifetime::Tied);
//! assert!(!Lifetime::For(Duration::from_secs(60)).is_tied());
//! ```

use std::time::Duration;

use super::limits::millis;
use super::spec_error::SpecError;
use crate::time::Timestamp;

/// How long a container may live: 1 second to 30 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lifetime {
    /// As long as the process that made it. Needs the shim.
    #[default]
    Tied,
    /// This long.
    For(Duration),
    /// Until then.
    Until(Timestamp),
    /// Whatever becomes of the process that made it, at most this long.
    Detached {
        /// The most.
        max: Duration,
    },
}

/// Without a word from its owner for this long, the shim ends a container that is tied. Owners speak every
/// third of it.
pub const LEASE: Duration = Duration::from_secs(15);

pub(super) const MIN_MS: u64 = 1000;
pub(super) const MAX_MS: u64 = 30 * 24 * 60 * 60 * 1000;

impl Lifetime {
    /// Whether it dies with the process that made it.
    pub const fn is_tied(&self) -> bool {
        matches!(self, Self::Tied)
    }
}

/// A lifetime from a known moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValidLife {
    /// As it was asked for.
    pub asked: Lifetime,
    /// Anybody may remove it from then on. Always known of what is not tied.
    pub expires: Option<Timestamp>,
    /// Milliseconds from the start until the shim ends it.
    pub deadline_ms: Option<u64>,
    /// Milliseconds without a word until the shim ends it.
    pub lease_ms: Option<u64>,
}

/// The moment at which it is over, with the limit of time taken into account.
pub(super) fn check(
    asked: Lifetime,
    wall_ms: Option<u64>,
    now: Timestamp,
    errors: &mut Vec<SpecError>,
) -> ValidLife {
    let life_ms = match asked {
        Lifetime::Tied => None,
        Lifetime::For(time) | Lifetime::Detached { max: time } => Some(millis(time)),
        Lifetime::Until(end) => Some(end.since(now)),
    };
    if life_ms.is_some_and(|ms| !(MIN_MS..=MAX_MS).contains(&ms)) {
        errors.push(SpecError::Lifetime);
    }
    let deadline_ms = match (life_ms, wall_ms) {
        (Some(life), Some(wall)) => Some(life.min(wall)),
        (one, other) => one.or(other),
    };
    ValidLife {
        asked,
        expires: deadline_ms.map(|ms| now.plus_millis(ms)),
        deadline_ms,
        lease_ms: asked.is_tied().then(|| millis(LEASE)),
    }
}
