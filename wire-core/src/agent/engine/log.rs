//! The joint log: read as lines for a file, and pruned of bodies that nobody needs any more.

use rusqlite::{OptionalExtension as _, Row, params};

use super::{Batch, PeerKey};
use crate::agent::error::Error;
use crate::record::log::{LogLine, Side};
use crate::session::SessionId;
use crate::time::Timestamp;

/// Records that are read at once.
const PAGE: u32 = 64;

/// What a log holds beside its records, all of one moment.
#[derive(Debug)]
pub(crate) struct LogFrame {
    pub(crate) head: LogLine,
    /// How many records of each side there are.
    pub(crate) counts: [u64; 2],
    /// Control messages, conflicts, and the end.
    pub(crate) tail: Vec<LogLine>,
}

const OWN: &str = "SELECT r.cose, r.salt, r.body, o.seq FROM outbox o JOIN outbox_record r ON r.n = o.n
    WHERE o.peer = ? AND o.seq > ? AND o.seq <= ? ORDER BY o.seq LIMIT ?";
const PEER: &str = "SELECT r.cose, r.salt, r.body, i.seq FROM inbox i JOIN inbox_record r ON r.n = i.n
    WHERE i.peer = ? AND i.seq > ? AND i.seq <= ? ORDER BY i.seq LIMIT ?";

impl Batch<'_> {
    pub(crate) fn log_frame(&self, peer: PeerKey) -> Result<LogFrame, Error> {
        type Frame = ([u8; 32], Vec<u8>, u64, u64, Option<Vec<u8>>, Option<Vec<u8>>);
        let (session, statements, own, recv, own_signed, peer_signed): Frame = self
            .tx
            .prepare_cached(
                "SELECT session_id, statements, own_last, recv, own_signed, peer_signed FROM peer WHERE id = ?",
            )?
            .query_row([peer.0], |r| {
                Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?))
            })
            .optional()?
            .ok_or(Error::UnknownPeer)?;
        let head = LogLine::Head {
            session: SessionId::from_bytes(session),
            own: self.engine.identity.statements().to_bytes().to_vec(),
            peer: statements,
        };
        let control = |by, cose: Option<Vec<u8>>| cose.map(|cose| LogLine::Control { by, cose });
        let mut tail: Vec<LogLine> =
            control(Side::Own, own_signed).into_iter().chain(control(Side::Peer, peer_signed)).collect();
        tail.extend(self.conflict(peer)?);
        tail.push(LogLine::End { own, peer: recv });
        Ok(LogFrame { head, counts: [own, recv], tail })
    }

    /// The next records of one side, behind `after` and not beyond `top`, and the seq of the last of them.
    pub(crate) fn log_page(
        &self,
        peer: PeerKey,
        by: Side,
        after: u64,
        top: u64,
    ) -> Result<Vec<(u64, LogLine)>, Error> {
        let sql = if by == Side::Own { OWN } else { PEER };
        let read = |r: &Row<'_>| {
            let (salt, body): (Option<Vec<u8>>, Option<Vec<u8>>) = (r.get(1)?, r.get(2)?);
            // Where a column cannot be null, what was pruned is without a salt.
            let body = salt.filter(|salt| !salt.is_empty()).zip(body);
            Ok((r.get(3)?, LogLine::Record { by, cose: r.get(0)?, body }))
        };
        let mut statement = self.tx.prepare_cached(sql)?;
        let lines =
            statement.query_map(params![peer.0, after, top, PAGE], read)?.collect::<Result<_, _>>()?;
        Ok(lines)
    }

    /// Two histories that the peer has signed.
    fn conflict(&self, peer: PeerKey) -> Result<Option<LogLine>, Error> {
        let found: Option<(u64, String, Vec<u8>, Vec<u8>)> = self
            .tx
            .prepare_cached(
                "SELECT seq, what, one, other FROM evidence WHERE peer = ? AND what IN (?, ?) ORDER BY n LIMIT 1",
            )?
            .query_row(params![peer.0, EQUIVOCATION, BROKEN_CHAIN], |r| {
                Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
            })
            .optional()?;
        let Some((seq, what, one, other)) = found else { return Ok(None) };
        let coses = if what == EQUIVOCATION {
            vec![one, other]
        } else {
            let before = seq.saturating_sub(1);
            let lines = self.log_page(peer, Side::Peer, before.saturating_sub(1), before)?;
            let before = lines.into_iter().filter_map(|(_, line)| match line {
                LogLine::Record { cose, .. } => Some(cose),
                _ => None,
            });
            before.chain([one]).collect()
        };
        Ok(Some(LogLine::Conflict { by: Side::Peer, coses }))
    }

    /// Forgets the bodies of what both sides are done with and is older than `before`. What is signed stays.
    pub(crate) fn prune_bodies(&mut self, peer: PeerKey, before: Timestamp) -> Result<u64, Error> {
        self.peer(peer)?;
        // With the sessions that were reset.
        let first: i64 =
            self.tx
                .query_row("SELECT coalesce(origin, id) FROM peer WHERE id = ?", [peer.0], |r| r.get(0))?;
        let own = self
            .tx
            .prepare_cached(
                "UPDATE outbox_record SET salt = x'', body = x'' WHERE length(salt) > 0 AND n IN
                    (SELECT n FROM outbox WHERE peer IN (SELECT id FROM peer WHERE id = ?1 OR origin = ?1) AND state > 2 AND created < ?2)",
            )?
            .execute(params![first, before.as_millis()])?;
        let theirs = self
            .tx
            .prepare_cached(
                "UPDATE inbox_record SET salt = NULL, body = NULL WHERE salt IS NOT NULL AND n IN
                    (SELECT n FROM inbox WHERE peer IN (SELECT id FROM peer WHERE id = ?1 OR origin = ?1) AND state IN (3, 4, 5, 7) AND arrived < ?2)",
            )?
            .execute(params![first, before.as_millis()])?;
        Ok((own + theirs) as u64)
    }
}

/// Evidence: one seq, two records.
pub(super) const EQUIVOCATION: &str = "equivocation";
/// Evidence: a record, and the head that it does not follow.
pub(super) const BROKEN_CHAIN: &str = "broken chain";
