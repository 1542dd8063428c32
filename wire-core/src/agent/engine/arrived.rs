//! What comes of a reset from the other side. It is checked, stored and shown, and changes nothing: whoever stole a
//! store can make all of it.

use rusqlite::params;

use super::{Batch, PeerKey, Stage};
use crate::agent::error::Error;
use crate::entropy::os_rng;
use crate::reset::{self, Message, ResetHash};

/// A peer's RESET is put in the place of one that waits after so long at the earliest.
const PAUSE_MS: u64 = 60_000;
/// What is posted because the peer asks again is posted at most this often.
const AGAIN_MS: u64 = 1_000;

/// Why one has no effect.
const BAD: Result<(), &str> = Err("reset");

impl Batch<'_> {
    /// Takes an envelope of a reset. None if it is none; otherwise whether there was something in it.
    pub(super) fn take_reset(
        &mut self,
        peer: PeerKey,
        envelope: &[u8],
    ) -> Result<Option<Result<(), &'static str>>, Error> {
        let p = self.peer(peer)?;
        if !matches!(p.stage, Stage::Paired | Stage::Frozen | Stage::Lost) {
            return Ok(None);
        }
        let roots = (p.link.peer, p.link.own);
        let keys = self.reset_keys(peer)?;
        Ok(match reset::open(&keys.peer, roots, envelope) {
            None => None,
            Some(Err(_)) => Some(BAD),
            Some(Ok(Message::Request(message))) => Some(self.take_request(peer, &message)?),
            Some(Ok(Message::Answer(message))) => Some(self.take_answer(peer, &message)?),
        })
    }

    fn take_request(&mut self, peer: PeerKey, message: &[u8]) -> Result<Result<(), &'static str>, Error> {
        let row = self.reset_row(peer)?;
        let now = self.now.as_millis();
        let is_soon = |pause| row.theirs_at.is_some_and(|at| now >= at && now - at < pause);
        if row.theirs.as_deref() == Some(message) {
            return Ok(Ok(()));
        }
        if row.answered == Some(*ResetHash::of(message).as_bytes()) {
            // The answer was lost, or is under way: the same bytes again.
            if !is_soon(AGAIN_MS) {
                self.tx.execute("UPDATE reset SET theirs_at = ? WHERE peer = ?", params![now, peer.0])?;
                self.post_reset(peer, None)?;
            }
            return Ok(Ok(()));
        }
        let Ok(request) = self.verify_request(peer, message)? else { return Ok(BAD) };
        if !request.is_timely(row.peer_ctr, self.now) {
            return Ok(BAD);
        }
        if row.asked.is_some() && self.wins(peer)? {
            // Both have asked, and ours counts: whoever has not seen it gets it again.
            if !is_soon(PAUSE_MS) {
                self.tx.execute("UPDATE reset SET theirs_at = ? WHERE peer = ?", params![now, peer.0])?;
                self.tx.execute("UPDATE peer SET reset_due = 1 WHERE id = ?", [peer.0])?;
            }
            return Ok(Ok(()));
        }
        if row.theirs.is_some() && is_soon(PAUSE_MS) {
            // It comes again.
            return Ok(Ok(()));
        }
        self.tx.execute("INSERT OR IGNORE INTO reset (peer) VALUES (?)", [peer.0])?;
        self.tx.execute(
            "UPDATE reset SET theirs = ?, theirs_at = ?, peer_ctr = ? WHERE peer = ?",
            params![message, now, request.ctr(), peer.0],
        )?;
        Ok(Ok(()))
    }

    fn take_answer(&mut self, peer: PeerKey, message: &[u8]) -> Result<Result<(), &'static str>, Error> {
        let Some(asked) = self.reset_row(peer)?.requester()? else { return Ok(BAD) };
        let pinned = self.pinned_statements(peer)?;
        let Ok(agreed) = asked.accept(message, &pinned, &mut os_rng()) else { return Ok(BAD) };
        // Nothing more is asked, and the secrets of the RESET are of no more use.
        self.tx.execute(
            "UPDATE reset SET asked = NULL, asked_at = NULL, envelope = NULL WHERE peer = ?",
            [peer.0],
        )?;
        self.tx.execute("UPDATE peer SET reset_due = 0, reset_at = NULL WHERE id = ?", [peer.0])?;
        self.add_session(peer, &agreed, true)?;
        Ok(Ok(()))
    }

    /// Of two RESETs that crossed that of the lower root counts.
    fn wins(&mut self, peer: PeerKey) -> Result<bool, Error> {
        let link = self.peer(peer)?.link;
        Ok(link.own < link.peer)
    }
}
