//! How far a record got, as far as it was proved.

use std::fmt;

use super::error::Error;

/// State of a record that we sent. Each is shown only when it was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Delivery {
    /// Signed, sealed and on this disk. It goes out as soon as the relay can be reached.
    Queued = 0,
    /// The relay says that it has stored it. A relay may lie; see [`Delivery::Received`].
    Relayed = 1,
    /// The peer signed that it has it on its disk.
    Received = 2,
    /// The peer signed that its application has processed it.
    Processed = 3,
    /// The peer signed that it does not take it.
    Refused = 4,
    /// The peer signed that it came too late.
    Expired = 5,
    /// The peer signed that its application failed on it too often.
    Poison = 6,
    /// The pairing ended while it was queued, by us or by the peer. It is not sent any more.
    Revoked = 7,
}

impl Delivery {
    pub(crate) fn from_store(n: i64) -> Result<Self, Error> {
        let all = [
            Self::Queued,
            Self::Relayed,
            Self::Received,
            Self::Processed,
            Self::Refused,
            Self::Expired,
            Self::Poison,
            Self::Revoked,
        ];
        all.into_iter().find(|s| *s as i64 == n).ok_or_else(|| Error::corrupt("delivery state"))
    }

    /// Whether nothing more will happen to the record.
    pub fn is_final(self) -> bool {
        self >= Self::Processed
    }

    /// The word that every surface shows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Relayed => "relayed",
            Self::Received => "received",
            Self::Processed => "processed",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Poison => "poison",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// State of a record that came in. The numbers are the store's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inward {
    /// From beyond a gap: waits for the records before it.
    Held = 0,
    /// In order, for the application to take.
    Ready = 1,
    /// The reply to an ask that is waiting: for whoever waits, past the order of the inbox.
    Reply = 2,
    /// The application has it.
    Processed = 3,
    /// Excepted, with the reasons of [`crate::record::Reason`].
    Refused = 4,
    /// See [`Inward::Refused`].
    Expired = 5,
    /// See [`Inward::Refused`].
    Poison = 6,
    /// The peer has signed it again in a session that took the place of this one: what becomes of it is there.
    Moved = 7,
}

impl Inward {
    pub(crate) fn from_store(n: i64) -> Result<Self, Error> {
        let all = [
            Self::Held,
            Self::Ready,
            Self::Reply,
            Self::Processed,
            Self::Refused,
            Self::Expired,
            Self::Poison,
            Self::Moved,
        ];
        all.into_iter().find(|s| *s as i64 == n).ok_or_else(|| Error::corrupt("state of a record"))
    }
}
