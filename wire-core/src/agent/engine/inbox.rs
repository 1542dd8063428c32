//! Handing records out, and taking the application's word that it has processed them.
//!
//! A record is handed out to one process at a time, in the order of its peer's chain. A claim ends
//! with the process that holds it, or after ten minutes.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension as _, Row, params};

use super::{Batch, PeerKey};
use crate::agent::error::Error;
use crate::agent::state::Inward;
use crate::identity::Root;
use crate::record::{Kind, RecordId};
use crate::time::Timestamp;

/// How long a claim lasts without being renewed.
const CLAIM_MS: u64 = 10 * 60_000;
/// After so many hand-outs without success a record is put aside as poison.
const MAX_ATTEMPTS: u32 = 5;

/// A record as an application gets it.
#[derive(Clone)]
pub(crate) struct InboxItem {
    pub(crate) n: i64,
    pub(crate) peer: PeerKey,
    pub(crate) peer_name: String,
    pub(crate) peer_root: Root,
    pub(crate) id: RecordId,
    pub(crate) kind: String,
    pub(crate) ctype: String,
    pub(crate) re: Option<RecordId>,
    pub(crate) ts: Timestamp,
    pub(crate) arrived: Timestamp,
    /// How often it was handed out, this time included.
    pub(crate) attempt: u32,
    pub(crate) body: Vec<u8>,
}

/// What a hand-out came to.
pub(crate) enum Handed {
    /// A record, claimed for the process that asked.
    Item(Box<InboxItem>),
    /// A record that was handed out too often: close it as poison, in a step of its own, and ask again.
    /// Handing out can be forgotten in a power cut, closing cannot, for it is told to the peer.
    Spent(i64),
    /// Nothing is ready.
    Nothing,
}

const COLUMNS: &str = "i.n, i.peer, p.name, p.root, i.id, i.kind, i.ctype, i.re, i.ts, i.arrived, r.body,
    i.attempts";
const RECORDS: &str = "inbox i JOIN inbox_record r ON r.n = i.n JOIN peer p ON p.id = i.peer";

/// Whether anything is ready.
pub(super) const READY: &str = "SELECT 1 FROM inbox i WHERE state = 1 LIMIT 1";
/// What is claimed.
pub(super) const CLAIMED: &str = "SELECT n, claimed_by, claimed_at FROM inbox i WHERE claimed_by IS NOT NULL";
/// The oldest among the first that each peer has ready, unless another process has one before it.
pub(super) const CLAIM: &str = "SELECT min(i.n) FROM peer p JOIN inbox i ON i.n =
        (SELECT h.n FROM inbox h WHERE h.state = 1 AND h.peer = p.id AND h.claimed_by IS NULL ORDER BY h.seq LIMIT 1)
    WHERE p.state IN (0, 1, 2, 3, 5) AND NOT EXISTS (SELECT 1 FROM inbox e
        WHERE e.claimed_by IS NOT NULL AND e.claimed_by <> ?1 AND e.peer = p.id AND e.seq < i.seq)";

impl InboxItem {
    fn read(r: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            n: r.get(0)?,
            peer: PeerKey(r.get(1)?),
            peer_name: r.get(2)?,
            peer_root: Root::from_bytes(r.get(3)?),
            id: RecordId::from_bytes(r.get(4)?),
            kind: r.get(5)?,
            ctype: r.get(6)?,
            re: r.get::<_, Option<[u8; 16]>>(7)?.map(RecordId::from_bytes),
            ts: Timestamp::from_millis(r.get(8)?),
            arrived: Timestamp::from_millis(r.get(9)?),
            body: r.get::<_, Option<Vec<u8>>>(10)?.unwrap_or_default(),
            attempt: r.get(11)?,
        })
    }

    /// Whether it is not handed out again after this time.
    pub(crate) fn is_last_attempt(&self) -> bool {
        self.attempt >= MAX_ATTEMPTS
    }

    pub(crate) fn is_ask(&self) -> bool {
        self.kind == Kind::Ask.as_str()
    }
}

impl Batch<'_> {
    /// Claims the oldest record that is ready and stands first among its peer's open ones.
    pub(crate) fn claim_next(
        &mut self,
        process: &str,
        is_alive: impl Fn(&str) -> bool,
    ) -> Result<Handed, Error> {
        self.flush()?;
        self.release_dead_claims(is_alive)?;
        let head: Option<i64> = self.tx.prepare_cached(CLAIM)?.query_row([process], |r| r.get(0))?;
        let Some(n) = head else { return Ok(Handed::Nothing) };
        let attempts: u32 =
            self.tx.prepare_cached("SELECT attempts FROM inbox WHERE n = ?")?.query_row([n], |r| r.get(0))?;
        if attempts >= MAX_ATTEMPTS {
            return Ok(Handed::Spent(n));
        }
        self.tx
            .prepare_cached(
                "UPDATE inbox SET claimed_by = ?, claimed_at = ?, attempts = attempts + 1 WHERE n = ?",
            )?
            .execute(params![process, self.now.as_millis(), n])?;
        let sql = format!("SELECT {COLUMNS} FROM {RECORDS} WHERE i.n = ?");
        let item = self.tx.prepare_cached(&sql)?.query_row([n], InboxItem::read)?;
        Ok(Handed::Item(Box::new(item)))
    }

    /// Whether anything is ready that this process might claim; cheaper than trying.
    pub(crate) fn has_ready(&self) -> Result<bool, Error> {
        Ok(self.tx.prepare_cached(READY)?.exists([])?)
    }

    /// The application gives back what it could not process. Gives whether it comes again: after the last
    /// time it is put aside as poison instead.
    pub(crate) fn give_back(&mut self, item: &InboxItem) -> Result<bool, Error> {
        let is_ours = self
            .tx
            .prepare_cached("SELECT 1 FROM inbox WHERE n = ? AND attempts = ? AND claimed_by IS NOT NULL")?
            .exists(params![item.n, item.attempt])?;
        // A claim that has run out may be another's by now.
        if !is_ours {
            return Ok(true);
        }
        if item.is_last_attempt() {
            self.close(item.n, Inward::Poison)?;
            return Ok(false);
        }
        self.release(item.n)?;
        Ok(true)
    }

    /// Takes back a claim of which nobody heard: it was no hand-out.
    pub(crate) fn unclaim(&mut self, item: &InboxItem) -> Result<(), Error> {
        self.tx
            .prepare_cached(
                "UPDATE inbox SET claimed_by = NULL, claimed_at = NULL, attempts = attempts - 1
                 WHERE n = ? AND attempts = ? AND claimed_by IS NOT NULL",
            )?
            .execute(params![item.n, item.attempt])?;
        Ok(())
    }

    /// Lets go of a claim.
    pub(crate) fn release(&mut self, n: i64) -> Result<(), Error> {
        self.tx
            .prepare_cached(
                "UPDATE inbox SET claimed_by = NULL, claimed_at = NULL WHERE n = ? AND state IN (1, 2)",
            )?
            .execute([n])?;
        Ok(())
    }

    /// The application is done with a record: `processed`, or one of the exceptions. Again is the same.
    pub(crate) fn close(&mut self, n: i64, state: Inward) -> Result<(), Error> {
        let peer: Option<i64> = self
            .tx
            .prepare_cached("UPDATE inbox SET state = ?, claimed_by = NULL WHERE n = ? AND state IN (1, 2) RETURNING peer")?
            .query_row(params![state as i64, n], |r| r.get(0))
            .optional()?;
        let Some(peer) = peer else { return self.settled_as(n, state) };
        self.with_peer(PeerKey(peer), |batch, p| {
            p.heard.get_or_insert_default();
            batch.advance_proc(p)
        })
    }

    /// What is ready, oldest first, without claiming anything.
    pub(crate) fn list_inbox(&self, max: u32) -> Result<Vec<InboxItem>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM {RECORDS} WHERE i.state IN (1, 2) ORDER BY i.n LIMIT ?");
        let mut statement = self.tx.prepare_cached(&sql)?;
        let items = statement.query_map([max], InboxItem::read)?.collect::<Result<_, _>>()?;
        Ok(items)
    }

    /// The newest that were put aside as poison, in the order in which they came.
    pub(crate) fn list_poison(&self, max: u32) -> Result<Vec<InboxItem>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM {RECORDS} WHERE i.state = 6 ORDER BY i.n DESC LIMIT ?");
        let mut statement = self.tx.prepare_cached(&sql)?;
        let mut items = statement.query_map([max], InboxItem::read)?.collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        Ok(items)
    }

    /// The rows that [`Batch::list_inbox`] shows, in its order.
    pub(crate) fn waiting_rows(&self) -> Result<Vec<i64>, Error> {
        let mut statement = self.tx.prepare_cached("SELECT n FROM inbox WHERE state IN (1, 2) ORDER BY n")?;
        let rows = statement.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// One of them, if it still waits.
    pub(crate) fn waiting_row(&self, n: i64) -> Result<Option<InboxItem>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM {RECORDS} WHERE i.n = ? AND i.state IN (1, 2)");
        Ok(self.tx.prepare_cached(&sql)?.query_row([n], InboxItem::read).optional()?)
    }

    /// The record with this id, whoever sent it, if it still waits.
    pub(crate) fn find_inbox(&self, id: &RecordId) -> Result<Option<InboxItem>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM {RECORDS} WHERE i.id = ? AND i.state IN (1, 2)");
        Ok(self.tx.prepare_cached(&sql)?.query_row([id.as_bytes()], InboxItem::read).optional()?)
    }

    /// Like [`Batch::find_inbox`], but also what was processed: a reply may name it later.
    pub(crate) fn find_received(&self, id: &RecordId) -> Result<Option<InboxItem>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {RECORDS} WHERE i.id = ? AND i.state <> 0 ORDER BY i.n DESC LIMIT 1"
        );
        Ok(self.tx.prepare_cached(&sql)?.query_row([id.as_bytes()], InboxItem::read).optional()?)
    }

    /// The reply to an ask, if it is here. Taking it does not consume it; [`Batch::close`] does.
    pub(crate) fn reply_to(&self, peer: PeerKey, ask: &RecordId) -> Result<Option<InboxItem>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {RECORDS} JOIN ask a ON a.reply = i.n
             WHERE a.peer = ? AND a.id = ?"
        );
        Ok(self
            .tx
            .prepare_cached(&sql)?
            .query_row(params![peer.0, ask.as_bytes()], InboxItem::read)
            .optional()?)
    }

    /// Whether there are claims to let go of.
    pub(crate) fn has_dead_claims(&self, is_alive: impl Fn(&str) -> bool) -> Result<bool, Error> {
        Ok(!self.dead_claims(is_alive)?.is_empty())
    }

    /// Lets go of the claims of processes that are gone, and of those that are too old.
    pub(crate) fn release_dead_claims(&mut self, is_alive: impl Fn(&str) -> bool) -> Result<(), Error> {
        self.dead_claims(is_alive)?.into_iter().try_for_each(|n| self.release(n))
    }

    fn dead_claims(&self, is_alive: impl Fn(&str) -> bool) -> Result<Vec<i64>, Error> {
        let claims: Vec<(i64, String, u64)> = self
            .tx
            .prepare_cached(CLAIMED)?
            .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?
            .collect::<Result<_, _>>()?;
        let is_over = |at| self.now.since(Timestamp::from_millis(at)) > CLAIM_MS;
        // To look whether a process lives takes a system call: once for each.
        let holders: BTreeSet<&str> = claims.iter().map(|(_, holder, _)| holder.as_str()).collect();
        let dead: BTreeSet<&str> = holders.into_iter().filter(|holder| !is_alive(holder)).collect();
        let free = claims.iter().filter(|(_, holder, at)| is_over(*at) || dead.contains(holder.as_str()));
        Ok(free.map(|(n, ..)| *n).collect())
    }
}
