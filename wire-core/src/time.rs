//! Time as an argument: milliseconds since 1970, as every message on the wire carries it.
//!
//! The core never reads a clock. A driver turns its clock into a [`Timestamp`] and passes it in.
//!
//! ```
//! use wire_core::time::Timestamp;
//! let now = Timestamp::from_millis(1_700_000_000_000);
//! assert_eq!(now.plus_millis(250).since(now), 250);
//! assert_eq!(now.since(now.plus_millis(250)), 0);
//! ```

use std::fmt;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The instant `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This instant moved forward; saturates at the end of time.
    #[must_use]
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// This instant moved by a signed offset, as measured against a relay's clock; saturates.
    #[must_use]
    pub const fn offset_millis(self, offset: i64) -> Self {
        Self(self.0.saturating_add_signed(offset))
    }

    /// Milliseconds from `earlier` to `self`, zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Signed milliseconds from `other` to `self`; saturates.
    pub const fn signed_since(self, other: Self) -> i64 {
        if self.0 >= other.0 {
            let d = self.0 - other.0;
            if d > i64::MAX as u64 { i64::MAX } else { d as i64 }
        } else {
            let d = other.0 - self.0;
            if d > i64::MAX as u64 { i64::MIN } else { -(d as i64) }
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}
