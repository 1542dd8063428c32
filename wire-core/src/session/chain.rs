//! What a receiving chain remembers of the messages before its end: the keys of those that have not
//! come, and the tags of those that have.

use std::collections::VecDeque;

use super::{MAX_SKIP, OpenError};
use crate::crypto::kdf;
use crate::envelope::{EnvelopeHash, HeaderKey, MessageKey, Parts};
use crate::session::keys::ChainKey;
use crate::time::Timestamp;

/// A receiving chain without its chain key.
#[cfg_attr(feature = "client", derive(Clone))]
pub(super) struct Chain {
    pub(super) hk: HeaderKey,
    /// The number of the first message that has not been reached; in a closed chain, that does not
    /// exist.
    pub(super) end: u32,
    /// Rising in `n`, all below `end`.
    pub(super) skipped: VecDeque<Skipped>,
    /// Rising in `n`, all below `end`, none of them skipped.
    pub(super) used: VecDeque<Used>,
}

/// The key of a message that has not come.
#[cfg_attr(feature = "client", derive(Clone))]
pub(super) struct Skipped {
    pub(super) n: u32,
    pub(super) since: Timestamp,
    /// Boxed, so that moving the entry leaves no copy of the key behind.
    pub(super) mk: Box<MessageKey>,
}

/// A message that has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) n: u32,
    pub(super) tags: Tags,
}

/// Tells an envelope from another at the same place of the chain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Tags {
    /// Of the part that only the peer can make: H(nonce ‖ hdr), cut to 8 bytes.
    pub(super) header: [u8; 8],
    /// Of the whole: H(envelope), cut to 8 bytes.
    pub(super) envelope: [u8; 8],
}

/// Where a message number lies.
pub(super) enum Place<'a> {
    /// At the end or after it.
    Ahead,
    /// It has not come, and its key is here.
    Skipped(&'a MessageKey),
}

impl Chain {
    pub(super) fn new(hk: HeaderKey) -> Self {
        Self { hk, end: 0, skipped: VecDeque::new(), used: VecDeque::new() }
    }

    /// Where message `n` lies; the error says what a message is that lies nowhere.
    pub(super) fn place(&self, n: u32, tags: &Tags) -> Result<Place<'_>, OpenError> {
        if n >= self.end {
            return Ok(Place::Ahead);
        }
        if let Ok(i) = self.skipped.binary_search_by_key(&n, |s| s.n) {
            return self.skipped.get(i).map(|s| Place::Skipped(&s.mk)).ok_or(OpenError::Unopenable);
        }
        let used = self.used.binary_search_by_key(&n, |u| u.n).ok().and_then(|i| self.used.get(i));
        Err(match used {
            None => OpenError::Unopenable,
            Some(u) if u.tags == *tags => OpenError::Replayed,
            Some(u) if u.tags.header == tags.header => OpenError::TamperedDuplicate,
            Some(_) => OpenError::CloneDetected,
        })
    }

    /// Moves the end to `end`, leaving `run` behind.
    pub(super) fn advance(&mut self, run: Vec<Skipped>, end: u32) {
        self.skipped.extend(run);
        self.end = self.end.max(end);
    }

    /// Message `n` has come: its key goes, its tags stay.
    pub(super) fn mark_used(&mut self, n: u32, tags: Tags) {
        if let Ok(i) = self.skipped.binary_search_by_key(&n, |s| s.n) {
            self.skipped.remove(i);
        }
        if let Err(i) = self.used.binary_search_by_key(&n, |u| u.n) {
            self.used.insert(i, Used { n, tags });
        }
    }

    /// Drops skipped keys whose time `keep` refuses; whether there were any.
    pub(super) fn retain_skipped(&mut self, keep: impl Fn(Timestamp) -> bool) -> bool {
        let before = self.skipped.len();
        self.skipped.retain(|s| keep(s.since));
        self.skipped.len() != before
    }
}

impl Tags {
    pub(super) fn of(parts: &Parts<'_>, hash: &EnvelopeHash) -> Self {
        Self { header: cut(&kdf::sha256(&[parts.nonce_and_header()])), envelope: cut(hash.as_bytes()) }
    }
}

fn cut(hash: &[u8; 32]) -> [u8; 8] {
    let mut out = [0u8; 8];
    out.copy_from_slice(hash.split_at(8).0);
    out
}

/// Derives the keys of messages `from..to`, and the chain key after them. This is all the work that
/// a header can ask for, so it is bounded here.
pub(super) fn skip(
    ck: &ChainKey,
    from: u32,
    to: u32,
    now: Timestamp,
) -> Result<(ChainKey, Vec<Skipped>), OpenError> {
    let count = to.saturating_sub(from);
    if count > MAX_SKIP {
        return Err(OpenError::TooFarAhead);
    }
    let mut ck = ck.clone();
    let mut run = Vec::with_capacity(count as usize);
    for n in from..to {
        let (next, mk) = ck.step();
        run.push(Skipped { n, since: now, mk: Box::new(mk) });
        ck = next;
    }
    Ok((ck, run))
}
