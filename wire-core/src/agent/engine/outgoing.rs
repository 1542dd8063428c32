//! What the driver has to do at the relays, and what came of it.

use rusqlite::{OptionalExtension as _, params};
use zeroize::Zeroizing;

use super::{Arrival, Batch, PeerKey, Stage};
use crate::agent::error::Error;
use crate::envelope::EnvelopeHash;
use crate::mailbox::{
    Certificate, Cursor, Incarnation, MailboxId, MailboxKeyPair, Refusal, SenderKeyPair, Verdict,
};
use crate::time::Timestamp;

/// Envelopes in one post, at most.
const MAX_POST: usize = 64;
/// Bytes in one post, at most.
const MAX_POST_BYTES: usize = 1 << 20;
/// A relay that keeps nothing for this long is not one; 1 h.
const MIN_KEEP_MS: u64 = 3_600_000;
/// And none is believed to keep anything for longer than this; 60 d.
const MAX_KEEP_MS: u64 = 60 * 24 * 3_600_000;

/// Peers with something to post.
pub(super) const UNPOSTED: &str = "SELECT id FROM peer p WHERE (state <= 3 AND reset_due = 1) OR state <= 1 AND (control_due = 1
    OR EXISTS (SELECT 1 FROM outbox o INDEXED BY outbox_state
               WHERE o.peer = p.id AND o.state = 0 AND o.size > 0 AND (p.rotate_seq IS NULL OR o.seq <= p.rotate_seq)))";
/// The first that a peer has not been posted, up to the ROTATE that it has to acknowledge first.
pub(super) const NEXT_POST: &str = "SELECT o.seq, o.env_hash, e.bytes
    FROM outbox o INDEXED BY outbox_state CROSS JOIN outbox_envelope e ON e.n = o.n
    WHERE o.peer = ? AND o.state = 0 AND o.seq <= ? ORDER BY o.seq LIMIT ?";
/// Whether time has brought something.
pub(super) const TIME_DUE: &str = "SELECT 1 FROM peer
    WHERE (state <= 1 AND own_last > peer_proc AND status_at <= ?1) OR (state = 0 AND deadline <= ?1)
        OR (state <= 3 AND reset_at <= ?1)
    UNION ALL SELECT 1 FROM outbox o WHERE state = 1 AND expires <= ?1 AND size > 0
    UNION ALL SELECT 1 FROM old_box WHERE until <= ?1 LIMIT 1";
/// What the relay has lost is posted again.
pub(super) const REQUEUE_ALL: &str = "UPDATE outbox AS o INDEXED BY outbox_state SET state = 0
    WHERE peer = ? AND state = 1 AND size > 0";
/// What the relay will have dropped is posted again.
pub(super) const REQUEUE_EXPIRED: &str = "UPDATE outbox AS o SET state = 0, expires = NULL
    WHERE state = 1 AND expires <= ? AND size > 0";

/// Where we post to.
pub(crate) struct PostTarget {
    pub(crate) peer: PeerKey,
    pub(crate) url: String,
    pub(crate) certificate: Certificate,
    pub(crate) sender: SenderKeyPair,
}

/// Envelopes to post, the peer's whole unposted prefix in seq order as far as one request holds it.
pub(crate) struct Post {
    pub(crate) target: PostTarget,
    /// The records of the first envelopes, and the hashes of these; behind them come the newest control
    /// message and that of a reset.
    pub(crate) records: Vec<(u64, EnvelopeHash)>,
    pub(crate) envelopes: Vec<Vec<u8>>,
}

/// What follows a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Whatever there is next.
    Done,
    /// All of it again, after a moment: the mailbox has a new life.
    Soon,
    /// The rest again, after a while: the relay did not take it.
    Refused(Refusal),
}

/// A mailbox of ours.
pub(crate) struct OwnBox {
    pub(crate) peer: PeerKey,
    pub(crate) id: MailboxId,
    pub(crate) url: String,
    seed: Zeroizing<[u8; 32]>,
    pub(crate) epoch: u32,
    pub(crate) cursor: Option<Cursor>,
    /// What its end is, if the pairing is over.
    pub(crate) closing: Option<Closing>,
}

impl OwnBox {
    /// Its key; to derive it costs as much as a signature.
    pub(crate) fn key(&self) -> MailboxKeyPair {
        MailboxKeyPair::from_seed(&self.seed)
    }
}

/// What happens to the mailbox of a pairing that is over. The numbers are the store's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// The right to post is taken back, so that the peer gets a typed answer.
    Revoke = 1,
    /// The pairing never came to be: the mailbox is deleted.
    Delete = 2,
}

impl Batch<'_> {
    /// Peers with something to post.
    pub(crate) fn unposted(&self) -> Result<Vec<PeerKey>, Error> {
        let mut statement = self.tx.prepare_cached(UNPOSTED)?;
        let keys = statement.query_map([], |r| r.get(0).map(PeerKey))?.collect::<Result<_, _>>()?;
        Ok(keys)
    }

    /// The next post for a peer.
    pub(crate) fn next_post(&self, peer: PeerKey) -> Result<Option<Post>, Error> {
        let row = self
            .tx
            .prepare_cached(
                // What is to replace a session goes where that one posts to.
                "SELECT t.to_url, t.to_cert, t.to_seed, iif(p.state <= 1 AND p.control_due, p.control, NULL),
                    iif(p.state <= 1, coalesce(p.rotate_seq, 0x7fffffffffffffff), 0),
                    iif(p.reset_due, (SELECT envelope FROM reset WHERE peer = p.id), NULL)
                 FROM peer p JOIN peer t ON t.id = coalesce(p.resets, p.id)
                 WHERE p.id = ? AND (p.state <= 1 OR p.state <= 3 AND p.reset_due)",
            )?
            .query_row([peer.0], |r| {
                Ok((
                    r.get::<_, String>(0)?,
                    r.get::<_, Vec<u8>>(1)?,
                    r.get::<_, [u8; 32]>(2)?,
                    [r.get::<_, Option<Vec<u8>>>(3)?, r.get(5)?],
                    r.get::<_, u64>(4)?,
                ))
            })
            .optional()?;
        let Some((url, cert, seed, others, top)) = row else { return Ok(None) };
        let mut records = Vec::new();
        let mut envelopes = Vec::new();
        let mut bytes = 0;
        let mut statement = self.tx.prepare_cached(NEXT_POST)?;
        let mut rows = statement.query(params![peer.0, top, MAX_POST])?;
        while let Some(row) = rows.next()? {
            let envelope: Vec<u8> = row.get(2)?;
            bytes += envelope.len();
            if bytes > MAX_POST_BYTES && !envelopes.is_empty() {
                break;
            }
            records.push((row.get(0)?, EnvelopeHash::from_bytes(row.get(1)?)));
            envelopes.push(envelope);
        }
        envelopes.extend(others.into_iter().flatten());
        if envelopes.is_empty() {
            return Ok(None);
        }
        let target = PostTarget {
            peer,
            url,
            certificate: Certificate::from_stored(&cert).map_err(|_| Error::corrupt("certificate"))?,
            sender: SenderKeyPair::from_seed(&seed),
        };
        Ok(Some(Post { target, records, envelopes }))
    }

    /// The relay says what it did with a post.
    pub(crate) fn posted(
        &mut self,
        post: &Post,
        incarnation: Incarnation,
        verdicts: &[Verdict],
        expires: Timestamp,
    ) -> Result<After, Error> {
        let peer = post.target.peer;
        if post.target.certificate.mailbox() != self.peer(peer)?.to_cert.mailbox() {
            // The peer has moved meanwhile. It reads the old mailbox for a while, and gets all of it at the new one.
            return Ok(After::Done);
        }
        let expires = self.believable(expires);
        let mut refused = None;
        for (i, envelope) in post.envelopes.iter().enumerate() {
            let verdict = verdicts.get(i).copied();
            if !verdict.is_some_and(Verdict::is_relayed) {
                refused = refused.or(Some(why(verdict)));
                continue;
            }
            let Some((seq, hash)) = post.records.get(i) else {
                self.other_posted(peer, envelope)?;
                continue;
            };
            // Only these very bytes: the record may have been sealed again meanwhile.
            self.tx
                .prepare_cached(
                    "UPDATE outbox SET state = 1, expires = ?, let_go = ?
                     WHERE peer = ? AND seq = ? AND state = 0 AND env_hash = ?",
                )?
                .execute(params![
                    expires.as_millis(),
                    verdict == Some(Verdict::AckedBefore),
                    peer.0,
                    seq,
                    hash.as_bytes()
                ])?;
        }
        self.with_peer(peer, |batch, p| {
            batch.expect_ack(p);
            Ok(())
        })?;
        // Another process may have learned meanwhile that nothing more is said.
        let speaks = self.peer(peer)?.stage.speaks();
        let reborn = speaks && self.note_incarnation(peer, incarnation)?;
        self.note_refusal(peer, refused.as_ref().map(Refusal::code))?;
        Ok(match (refused, reborn) {
            (Some(refusal), _) => After::Refused(refusal),
            (None, true) => After::Soon,
            (None, false) => After::Done,
        })
    }

    fn other_posted(&mut self, peer: PeerKey, envelope: &[u8]) -> Result<(), Error> {
        self.with_peer(peer, |_, p| {
            // A newer one may have been sealed meanwhile.
            if p.control.as_deref() == Some(envelope) {
                p.control_due = false;
            }
            Ok(())
        })?;
        self.tx
            .prepare_cached(
                "UPDATE peer SET reset_due = 0 WHERE id = ?1 AND reset_due = 1
                    AND (SELECT envelope FROM reset WHERE peer = ?1) = ?2",
            )?
            .execute(params![peer.0, envelope])?;
        Ok(())
    }

    /// A relay that lies about the time must not make us post again and again, or never again.
    fn believable(&self, expires: Timestamp) -> Timestamp {
        expires.clamp(self.now.plus_millis(MIN_KEEP_MS), self.now.plus_millis(MAX_KEEP_MS))
    }

    fn note_refusal(&mut self, peer: PeerKey, why: Option<&str>) -> Result<(), Error> {
        if !matches!(self.peer(peer)?.stage, Stage::Pending | Stage::Paired | Stage::Frozen | Stage::Lost) {
            return Ok(());
        }
        self.tx
            .prepare_cached("UPDATE peer SET to_refused = ?1 WHERE id = ?2 AND to_refused IS NOT ?1")?
            .execute(params![why, peer.0])?;
        Ok(())
    }

    /// Whether the peer's mailbox lives in another incarnation than before: what the old one held is
    /// posted again, the same bytes.
    fn note_incarnation(&mut self, peer: PeerKey, incarnation: Incarnation) -> Result<bool, Error> {
        let known: Option<[u8; 16]> = self
            .tx
            .prepare_cached("SELECT to_inc FROM peer WHERE id = ?")?
            .query_row([peer.0], |r| r.get(0))?;
        if known == Some(*incarnation.as_bytes()) {
            return Ok(false);
        }
        self.tx
            .execute("UPDATE peer SET to_inc = ? WHERE id = ?", params![incarnation.as_bytes(), peer.0])?;
        if known.is_some() {
            self.tx.execute(REQUEUE_ALL, [peer.0])?;
        }
        Ok(known.is_some())
    }

    /// What the relay will have dropped by now is posted again.
    pub(crate) fn requeue_expired(&mut self) -> Result<(), Error> {
        self.tx.prepare_cached(REQUEUE_EXPIRED)?.execute([self.now.as_millis()])?;
        self.post_resets_again()
    }

    /// Our mailboxes: those to read, and those to close.
    pub(crate) fn own_boxes(&self) -> Result<Vec<OwnBox>, Error> {
        let mut statement = self.tx.prepare_cached(
            "SELECT id, box_url, box_seed, box_epoch, box_inc, box_seq, box_gone, box_id FROM peer
             WHERE (state <= 3 AND resets IS NULL) OR box_gone > 0
             UNION ALL SELECT peer, box_url, box_seed, box_epoch, box_inc, box_seq, 2 * gone, box_id FROM old_box",
        )?;
        let boxes = statement
            .query_map([], |r| {
                Ok(OwnBox {
                    peer: PeerKey(r.get(0)?),
                    id: MailboxId::from_bytes(r.get(7)?),
                    url: r.get(1)?,
                    seed: Zeroizing::new(r.get(2)?),
                    epoch: r.get(3)?,
                    cursor: read_cursor(r.get(4)?, r.get(5)?),
                    closing: match r.get::<_, i64>(6)? {
                        0 => None,
                        2 => Some(Closing::Delete),
                        _ => Some(Closing::Revoke),
                    },
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(boxes)
    }

    /// The relay has closed the mailbox of a pairing that ended.
    pub(crate) fn box_closed(&mut self, peer: PeerKey) -> Result<(), Error> {
        self.flush()?;
        self.tx.execute("UPDATE peer SET box_gone = 0 WHERE id = ? AND state > 3", [peer.0])?;
        Ok(())
    }

    /// The relay refused a post. What was to be posted stays queued, and that is shown.
    pub(crate) fn post_refused(&mut self, peer: PeerKey, refusal: Refusal) -> Result<(), Error> {
        self.note_refusal(peer, Some(refusal.code()))
    }

    /// A post under a certificate of that epoch was refused in a way that ends something, and the relay has
    /// proved after that that it is the one we know. That the certificate is revoked ends the pairing. That
    /// there is no mailbox says before HELLO that the peer gave up; afterwards it is an outage.
    pub(crate) fn refusal_proved(
        &mut self,
        peer: PeerKey,
        epoch: u32,
        refusal: Refusal,
    ) -> Result<(), Error> {
        let p = self.peer(peer)?;
        let (stage, is_reset) = (p.stage, p.resets.is_some());
        if p.to_cert.epoch() != epoch {
            // The peer has sent a newer certificate meanwhile, or has moved.
            return Ok(());
        }
        self.note_refusal(peer, Some(refusal.code()))?;
        match (stage, refusal) {
            // The session that it is to replace goes by its own posts.
            _ if is_reset => Ok(()),
            (Stage::Pending, Refusal::NotFound | Refusal::OldEpoch) => self.retire(peer, Stage::Abandoned),
            (Stage::Paired, Refusal::OldEpoch) => self.end(peer),
            _ => Ok(()),
        }
    }

    /// Envelopes of one mailbox, in the relay's order, and the cursor behind them. `before` is where
    /// the store must stand: a step that does not follow on it is refused, because one before it failed.
    pub(crate) fn receive_page(
        &mut self,
        mailbox: &MailboxId,
        before: Option<Cursor>,
        envelopes: &[(Cursor, Vec<u8>)],
    ) -> Result<Arrival, Error> {
        let Some((peer, stands)) = self.peer_of_box(mailbox)? else { return Err(Error::UnknownPeer) };
        if !self.peer(peer)?.stage.is_live() {
            return Err(Error::UnknownPeer);
        }
        if stands != before {
            return Err(Error::Internal("the mailbox was read elsewhere meanwhile"));
        }
        let opened = self.peer(peer)?.opened;
        let arrival = self.receive(peer, envelopes.iter().map(|(_, envelope)| envelope.as_slice()))?;
        self.note_move(peer, mailbox, opened)?;
        if let Some((last, _)) = envelopes.last() {
            // Another session may have taken the mailbox over, or it was moved.
            for table in ["peer", "old_box"] {
                self.tx
                    .prepare_cached(&format!("UPDATE {table} SET box_inc = ?, box_seq = ? WHERE box_id = ?"))?
                    .execute(params![last.incarnation.as_bytes(), last.seq, mailbox.as_bytes()])?;
            }
        }
        Ok(arrival)
    }

    /// Whether one of the steps that only time brings has something to do.
    pub(crate) fn is_time_due(&self) -> Result<bool, Error> {
        let now = self.now.as_millis();
        Ok(self.tx.prepare_cached(TIME_DUE)?.exists([now])?)
    }

    /// Whose mailbox it is, and how far it was read.
    fn peer_of_box(&self, mailbox: &MailboxId) -> Result<Option<(PeerKey, Option<Cursor>)>, Error> {
        Ok(self
            .tx
            .prepare_cached(
                "SELECT id, box_inc, box_seq FROM peer WHERE box_id = ?1
                 UNION ALL SELECT peer, box_inc, box_seq FROM old_box WHERE box_id = ?1 AND gone = 0",
            )?
            .query_row([mailbox.as_bytes()], |r| Ok((PeerKey(r.get(0)?), read_cursor(r.get(1)?, r.get(2)?))))
            .optional()?)
    }
}

/// What the owner is shown.
fn why(verdict: Option<Verdict>) -> Refusal {
    match verdict {
        Some(Verdict::Quota) => Refusal::Quota { retry_after: 0 },
        Some(Verdict::TooLarge) => Refusal::TooLarge,
        _ => Refusal::Malformed,
    }
}

fn read_cursor(incarnation: Option<[u8; 16]>, seq: u64) -> Option<Cursor> {
    incarnation.map(|i| Cursor { incarnation: Incarnation::from_bytes(i), seq })
}
