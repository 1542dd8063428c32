//! Pairings that outlive a process: bytes that still have to be put at a rendezvous, and invites.
//!
//! Each step of an invite commits its output bytes and the state that follows from them in one step
//! of the store, before anything is posted. So any later process goes on where this one stopped, and
//! puts the same bytes.

use rusqlite::{OptionalExtension as _, Row, params};
use zeroize::Zeroizing;

use super::{Batch, PeerKey};
use crate::agent::error::Error;
use crate::encoding::cbor;
use crate::entropy::os_rng;
use crate::mailbox::{ClientToken, MailboxKeyPair, RelayId, Rendezvous, Slot};
use crate::pairing::InviteId;
use crate::time::Timestamp;

/// How long after its time the outcome of an invite is kept, and a failure shown: a day.
const KEPT_MS: u64 = 86_400_000;

/// Bytes for a write-once slot.
#[derive(Clone)]
pub(crate) struct SlotRow {
    pub(crate) url: String,
    pub(crate) place: Rendezvous,
    pub(crate) slot: Slot,
    pub(crate) token: ClientToken,
    pub(crate) bytes: Vec<u8>,
    pub(crate) until: Timestamp,
}

/// What the state of an invite is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InviteStep {
    /// We made the link and wait for M2.
    Offered = 0,
    /// We sent M3 and wait for M4.
    Confirming = 1,
    /// We follow a link, sent M2 and wait for M3.
    Joined = 2,
    /// It led to a pairing, or failed.
    Over = 3,
}

/// An invite under way.
#[derive(Clone)]
pub(crate) struct InviteRow {
    pub(crate) id: InviteId,
    pub(crate) step: InviteStep,
    pub(crate) url: String,
    pub(crate) relay: RelayId,
    pub(crate) token: ClientToken,
    pub(crate) state: Zeroizing<Vec<u8>>,
    pub(crate) mailbox: Option<MailboxKeyPair>,
    pub(crate) name: Option<String>,
    pub(crate) verify: bool,
    pub(crate) until: Timestamp,
    pub(crate) peer: Option<PeerKey>,
    pub(crate) failed: Option<String>,
}

impl Batch<'_> {
    /// Notes bytes that have to get into their slot, whatever happens to this process.
    pub(crate) fn owe_slot(&mut self, row: &SlotRow) -> Result<(), Error> {
        self.tx.execute(
            "INSERT OR REPLACE INTO slot (url, place, name, token, bytes, until) VALUES (?, ?, ?, ?, ?, ?)",
            params![
                row.url,
                cbor::to_vec(&row.place),
                row.slot.name(),
                row.token.expose(),
                row.bytes,
                row.until.as_millis()
            ],
        )?;
        Ok(())
    }

    /// The slot has the bytes, or never will.
    pub(crate) fn slot_done(&mut self, place: &Rendezvous, slot: Slot) -> Result<(), Error> {
        self.tx.execute(
            "DELETE FROM slot WHERE place = ? AND name = ?",
            params![cbor::to_vec(place), slot.name()],
        )?;
        Ok(())
    }

    /// Bytes that still have to be put.
    pub(crate) fn owed_slots(&self) -> Result<Vec<SlotRow>, Error> {
        let mut statement =
            self.tx.prepare_cached("SELECT url, place, name, token, bytes, until FROM slot")?;
        let mut rows = statement.query([])?;
        let mut slots = Vec::new();
        while let Some(r) = rows.next()? {
            let place: Vec<u8> = r.get(1)?;
            let name: String = r.get(2)?;
            slots.push(SlotRow {
                url: r.get(0)?,
                place: cbor::from_slice(&place).map_err(|_| Error::corrupt("slot"))?,
                slot: Slot::ALL
                    .into_iter()
                    .find(|s| s.name() == name)
                    .ok_or_else(|| Error::corrupt("slot"))?,
                token: ClientToken::from_bytes(r.get(3)?),
                bytes: r.get(4)?,
                until: Timestamp::from_millis(r.get(5)?),
            });
        }
        Ok(slots)
    }

    /// Stores an invite, or the next step of one.
    pub(crate) fn put_invite(&mut self, row: &InviteRow) -> Result<(), Error> {
        self.tx.execute(
            "INSERT OR REPLACE INTO invite (id, step, url, relay_id, token, state, box_seed, name, verify, until, peer, failed)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                row.id.as_bytes(),
                row.step as i64,
                row.url,
                row.relay.as_bytes(),
                row.token.expose(),
                row.state.as_slice(),
                row.mailbox.as_ref().map(|m| m.seed().to_vec()),
                row.name,
                row.verify,
                row.until.as_millis(),
                row.peer.map(|p| p.0),
                row.failed,
            ],
        )?;
        Ok(())
    }

    /// The mailbox that an invite makes. It is on the disk before the relay hears of it, so that every try
    /// makes the same, and the end of the invite knows it.
    pub(crate) fn invite_mailbox(&mut self, id: &InviteId) -> Result<MailboxKeyPair, Error> {
        let open = self.invite(id)?.filter(|row| row.step != InviteStep::Over);
        if let Some(mailbox) = open.ok_or(Error::CodeExpired)?.mailbox {
            return Ok(mailbox);
        }
        let mailbox = MailboxKeyPair::generate(&mut os_rng());
        self.tx.execute(
            "UPDATE invite SET box_seed = ? WHERE id = ?",
            params![mailbox.seed().as_slice(), id.as_bytes()],
        )?;
        Ok(mailbox)
    }

    /// Ends an invite: its keys are wiped, what came of it stays until its time is over. A mailbox that
    /// became nobody's is left to be deleted at the relay.
    pub(crate) fn end_invite(
        &mut self,
        id: &InviteId,
        peer: Option<PeerKey>,
        failed: Option<&str>,
    ) -> Result<(), Error> {
        if peer.is_none() {
            self.tx.execute(
                "INSERT OR IGNORE INTO orphan (box_seed, url, owner, at)
                 SELECT box_seed, url, '', ? FROM invite WHERE id = ? AND box_seed IS NOT NULL",
                params![self.now.as_millis(), id.as_bytes()],
            )?;
        }
        self.tx.execute(
            "UPDATE invite SET step = ?, state = x'', token = zeroblob(32), box_seed = NULL, peer = ?, failed = ? WHERE id = ?",
            params![InviteStep::Over as i64, peer.map(|p| p.0), failed, id.as_bytes()],
        )?;
        Ok(())
    }

    /// An invite by its rendezvous id.
    pub(crate) fn invite(&self, id: &InviteId) -> Result<Option<InviteRow>, Error> {
        self.tx
            .prepare_cached("SELECT * FROM invite WHERE id = ?")?
            .query_row([id.as_bytes()], |r| Ok(read_invite(r)))
            .optional()?
            .transpose()
    }

    /// Invites that are not over.
    pub(crate) fn open_invites(&self) -> Result<Vec<InviteRow>, Error> {
        let mut statement = self.tx.prepare_cached("SELECT * FROM invite WHERE step < 3 ORDER BY until")?;
        let rows = statement.query_map([], |r| Ok(read_invite(r)))?.collect::<Result<Vec<_>, _>>()?;
        rows.into_iter().collect()
    }

    /// Invites that are not over, and those that failed or ran out, for a day after their time.
    pub(crate) fn listed_invites(&self) -> Result<Vec<InviteRow>, Error> {
        let mut statement = self.tx.prepare_cached(
            "SELECT * FROM invite WHERE step < 3 OR (failed IS NOT NULL AND until > ?) ORDER BY until",
        )?;
        let rows = statement.query_map([self.long_ago()], |r| Ok(read_invite(r)))?;
        rows.collect::<Result<Vec<_>, _>>()?.into_iter().collect()
    }

    fn long_ago(&self) -> u64 {
        self.now.as_millis().saturating_sub(KEPT_MS)
    }

    /// Ends the invites whose time is over, and forgets those that ended long ago.
    pub(crate) fn expire_invites(&mut self) -> Result<(), Error> {
        self.tx.execute("DELETE FROM invite WHERE step = 3 AND until <= ?", [self.long_ago()])?;
        let late = self
            .tx
            .prepare_cached("SELECT id FROM invite WHERE step < 3 AND until <= ?")?
            .query_map([self.now.as_millis()], |r| r.get(0).map(InviteId::from_bytes))?
            .collect::<Result<Vec<_>, _>>()?;
        late.iter().try_for_each(|id| self.end_invite(id, None, Some("code_expired")))
    }
}

fn read_invite(r: &Row<'_>) -> Result<InviteRow, Error> {
    let steps = [InviteStep::Offered, InviteStep::Confirming, InviteStep::Joined, InviteStep::Over];
    let step: i64 = r.get("step")?;
    let seed: Option<[u8; 32]> = r.get("box_seed")?;
    Ok(InviteRow {
        id: InviteId::from_bytes(r.get("id")?),
        step: steps.into_iter().find(|s| *s as i64 == step).ok_or_else(|| Error::corrupt("invite"))?,
        url: r.get("url")?,
        relay: RelayId::from_bytes(r.get("relay_id")?),
        token: ClientToken::from_bytes(r.get("token")?),
        state: Zeroizing::new(r.get("state")?),
        mailbox: seed.map(|s| MailboxKeyPair::from_seed(&s)),
        name: r.get("name")?,
        verify: r.get("verify")?,
        until: Timestamp::from_millis(r.get("until")?),
        peer: r.get::<_, Option<i64>>("peer")?.map(PeerKey),
        failed: r.get("failed")?,
    })
}
