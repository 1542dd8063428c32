//! Our mailbox for a peer goes to another relay, and a peer's does.
//!
//! 1. The new mailbox is there before the peer is told of it, by a MOVE record. Both are read from then on.
//! 2. The peer posts to the new one what we have not received, and everything after it.
//! 3. The old one is deleted when the peer is known to use the new one and we have all that it had signed when it
//!    first acknowledged MOVE; or after 30 days. A peer whose policy forbids the new relay refuses MOVE, goes on to post to
//!    the old mailbox, and the new one is deleted instead.

use rusqlite::params;
use zeroize::Zeroizing;

use super::{Batch, Closing, Outgoing, PeerKey, PeerRow, Stage, outgoing};
use crate::agent::error::Error;
use crate::agent::state::{Delivery, Inward};
use crate::encoding::cbor;
use crate::entropy::os_rng;
use crate::mailbox::{Certificate, MailboxId, MailboxKeyPair, RelayId, SenderKeyPair};
use crate::pairing::Route;
use crate::record::{Kind, RecordId};

/// How long the old mailbox is kept for a peer that is not heard of; 30 d.
const KEEP_OLD_MS: u64 = 30 * 24 * 3_600_000;

/// Where our mailbox for a peer is to be. It is there already.
pub(crate) struct NewBox {
    pub(crate) mailbox: MailboxKeyPair,
    pub(crate) url: String,
    pub(crate) relay: RelayId,
    pub(crate) certificate: Certificate,
    pub(crate) sender: SenderKeyPair,
}

impl Batch<'_> {
    /// The epoch of the new mailbox, if ours for this peer may move there now. It is one higher than the old one's, so
    /// that what a relay says of the one is told from what it says of the other.
    pub(crate) fn may_move(&mut self, peer: PeerKey, url: &str) -> Result<u32, Error> {
        let p = self.peer(peer)?;
        let (name, stage, moving) = (p.name.clone(), p.stage, p.moved_by.is_some());
        if let Some(end) = stage.end(&name) {
            return Err(end);
        }
        if stage == Stage::Pending {
            return Err(Error::NotPaired { peer: name });
        }
        if moving {
            return Err(Error::MoveUnderWay { peer: name });
        }
        let (now, epoch): (String, u32) = self
            .tx
            .prepare_cached("SELECT box_url, box_epoch FROM peer WHERE id = ?")?
            .query_row([peer.0], |r| Ok((r.get(0)?, r.get(1)?)))?;
        if now == url {
            return Err(Error::usage("the mailbox for this peer lies at that relay already"));
        }
        Ok(epoch.saturating_add(1))
    }

    /// Tells the peer of the new mailbox, and keeps the old one until it has heard of that.
    pub(crate) fn move_box(&mut self, peer: PeerKey, new: &NewBox) -> Result<(), Error> {
        let epoch = self.may_move(peer, &new.url)?;
        let seed = new.sender.seed();
        let body = cbor::to_vec(&Route {
            url: &new.url,
            relay: new.relay,
            mailbox: new.certificate.mailbox(),
            certificate: new.certificate.as_bytes(),
            sender_seed: seed.as_ref(),
        });
        self.with_peer(peer, |batch, p| {
            let out = Outgoing {
                kind: Kind::Move,
                re: None,
                exp: None,
                ctype: "application/cbor".to_owned(),
                body,
                key: None,
            };
            batch.sign_and_seal(p, RecordId::generate(batch.now, &mut os_rng()), out)?;
            p.forget_move();
            p.moved_by = Some(p.own.last);
            Ok(())
        })?;
        self.flush()?;
        self.tx.execute(
            "INSERT INTO old_box (box_id, peer, box_seed, box_url, box_epoch, box_inc, box_seq, until, gone)
             SELECT box_id, id, box_seed, box_url, box_epoch, box_inc, box_seq, ?, 0 FROM peer WHERE id = ?",
            params![self.now.plus_millis(KEEP_OLD_MS).as_millis(), peer.0],
        )?;
        self.tx.execute(
            "UPDATE peer SET box_seed = ?, box_id = ?, box_url = ?, box_epoch = ?, box_inc = NULL, box_seq = 0,
                move_refused = NULL WHERE id = ?",
            params![
                new.mailbox.seed().as_slice(),
                new.mailbox.public().as_bytes(),
                new.url,
                epoch,
                peer.0
            ],
        )?;
        self.outdate(peer)?;
        self.forget_orphan(&new.mailbox)
    }

    /// A record of the peer that says where its mailbox is from now on.
    pub(super) fn take_move(&mut self, p: &mut PeerRow, body: &[u8]) -> Result<Inward, Error> {
        let Ok(route) = cbor::from_slice::<Route<'_>>(body) else { return Ok(Inward::Refused) };
        let Ok((certificate, sender)) = route.verify() else { return Ok(Inward::Refused) };
        if !route.is_address() {
            return Ok(Inward::Refused);
        }
        let is_next = certificate.mailbox() != p.to_cert.mailbox() && certificate.epoch() > p.to_cert.epoch();
        if !is_next || !self.may_post_to(p.key, route.url)? {
            return Ok(Inward::Refused);
        }
        // It would have to be another relay than the one that we know there.
        if self.pinned(route.url)?.is_some_and(|(known, _)| known.id != route.relay) {
            return Ok(Inward::Refused);
        }
        p.to_cert = certificate;
        p.control_due = p.control.is_some();
        self.tx.execute(
            "UPDATE peer SET to_seed = ?, to_url = ?, to_relay = ?, to_inc = NULL, to_refused = NULL WHERE id = ?",
            params![sender.seed().as_slice(), route.url, route.relay.as_bytes(), p.key.0],
        )?;
        self.tx.execute(outgoing::REQUEUE_ALL, [p.key.0])?;
        self.outdate(p.key)?;
        Ok(Inward::Processed)
    }

    /// Whether the policy allows a relay that a peer names, as it does at the pairing.
    fn may_post_to(&self, peer: PeerKey, url: &str) -> Result<bool, Error> {
        let now: String = self
            .tx
            .prepare_cached("SELECT to_url FROM peer WHERE id = ?")?
            .query_row([peer.0], |r| r.get(0))?;
        let policy = self.engine.policy.as_ref();
        Ok(now == url || self.is_chosen(url)? || policy.is_some_and(|policy| policy.check(url).is_ok()))
    }

    /// The peer signed what it has of ours, and how far it has come itself.
    pub(super) fn note_move_heard(p: &mut PeerRow, recv: u64, last: u64) {
        if p.move_last.is_none() && p.moved_by.is_some_and(|seq| recv >= seq) {
            p.move_last = Some(last);
        }
    }

    /// After what came through a mailbox: `opened` is how many envelopes had been opened before. What took its place
    /// was posted by somebody who was told of that mailbox.
    pub(super) fn note_move(&mut self, peer: PeerKey, mailbox: &MailboxId, opened: u64) -> Result<(), Error> {
        let p = self.peer(peer)?;
        if p.moved_by.is_none() {
            return Ok(());
        }
        let is_new = p.opened > opened && !self.is_old_box(mailbox)?;
        self.with_peer(peer, |batch, p| {
            p.move_taken |= is_new;
            batch.settle_move(p)
        })
    }

    /// Deletes the mailbox that nobody posts to any more.
    fn settle_move(&mut self, p: &mut PeerRow) -> Result<(), Error> {
        let Some(seq) = p.moved_by else { return Ok(()) };
        let is_refused = !p.move_taken && p.peer_proc >= seq && self.outcome(p, seq)? != Delivery::Processed;
        let is_accepted = p.move_taken || p.peer_proc >= seq;
        if is_refused {
            self.take_move_back(p.key)?;
        } else if is_accepted && p.move_last.is_some_and(|last| p.theirs.recv >= last) {
            self.close_old_boxes_of(p.key)?;
        } else {
            return Ok(());
        }
        p.forget_move();
        Ok(())
    }

    fn outcome(&self, p: &PeerRow, seq: u64) -> Result<Delivery, Error> {
        let state = self
            .tx
            .prepare_cached("SELECT state FROM outbox WHERE peer = ? AND seq = ?")?
            .query_row(params![p.key.0, seq], |r| r.get(0))?;
        Delivery::from_store(state)
    }

    fn is_old_box(&self, mailbox: &MailboxId) -> Result<bool, Error> {
        Ok(self.tx.prepare_cached("SELECT 1 FROM old_box WHERE box_id = ?")?.exists([mailbox.as_bytes()])?)
    }

    /// The peer does not post to the new mailbox: the old one is the one again.
    fn take_move_back(&mut self, peer: PeerKey) -> Result<(), Error> {
        type Row = (Zeroizing<[u8; 32]>, [u8; 32], String, u32, Option<[u8; 16]>, u64);
        let row = |r: &rusqlite::Row<'_>| -> rusqlite::Result<Row> {
            Ok((Zeroizing::new(r.get(0)?), r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?))
        };
        const BOX: &str = "SELECT box_seed, box_id, box_url, box_epoch, box_inc, box_seq FROM";
        let new = self.tx.query_row(&format!("{BOX} peer WHERE id = ?"), [peer.0], row)?;
        let old = self.tx.query_row(&format!("{BOX} old_box WHERE peer = ? AND gone = 0"), [peer.0], row)?;
        self.tx.execute("DELETE FROM old_box WHERE box_id = ?", [old.1])?;
        self.tx.execute(
            "UPDATE peer SET box_seed = ?, box_id = ?, box_url = ?, box_epoch = ?, box_inc = ?, box_seq = ?,
                move_refused = ? WHERE id = ?",
            params![old.0.as_slice(), old.1, old.2, old.3, old.4, old.5, self.now.as_millis(), peer.0],
        )?;
        self.tx.execute(
            "INSERT INTO old_box (box_id, peer, box_seed, box_url, box_epoch, box_inc, box_seq, until, gone)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)",
            params![
                new.1,
                peer.0,
                new.0.as_slice(),
                new.2,
                new.3,
                new.4,
                new.5,
                self.now.plus_millis(KEEP_OLD_MS).as_millis()
            ],
        )?;
        self.outdate(peer)
    }

    /// Old mailboxes of a peer are deleted at their relays, and then forgotten.
    pub(super) fn close_old_boxes_of(&self, peer: PeerKey) -> Result<(), Error> {
        self.tx
            .prepare_cached("UPDATE old_box SET gone = 1, until = ? WHERE peer = ? AND gone = 0")?
            .execute(params![self.now.plus_millis(KEEP_OLD_MS).as_millis(), peer.0])?;
        Ok(())
    }

    /// What a peer has not heard of for so long it will not post to; and a relay that was not there to delete one for
    /// so long will not be.
    pub(crate) fn close_stale_boxes(&mut self) -> Result<(), Error> {
        let now = self.now.as_millis();
        self.tx.prepare_cached("DELETE FROM old_box WHERE gone = 1 AND until <= ?")?.execute([now])?;
        let stale: Vec<i64> = self
            .tx
            .prepare_cached("SELECT peer FROM old_box WHERE gone = 0 AND until <= ?")?
            .query_map([now], |r| r.get(0))?
            .collect::<Result<_, _>>()?;
        for peer in stale.into_iter().map(PeerKey) {
            self.close_old_boxes_of(peer)?;
            self.with_peer(peer, |_, p| {
                p.forget_move();
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The relay has closed a mailbox of ours: that of a pairing that ended, or one that was moved away from.
    pub(crate) fn mailbox_closed(&mut self, peer: PeerKey, mailbox: &MailboxId) -> Result<(), Error> {
        let old =
            self.tx.execute("DELETE FROM old_box WHERE box_id = ? AND gone = 1", [mailbox.as_bytes()])?;
        if old == 0 { self.box_closed(peer) } else { Ok(()) }
    }
}

impl PeerRow {
    /// No move of our mailbox is under way.
    pub(super) fn forget_move(&mut self) {
        (self.moved_by, self.move_last, self.move_taken) = (None, None, false);
    }
}

const _: () = assert!(Closing::Delete as i64 == 2, "own_boxes says so of an old one");
