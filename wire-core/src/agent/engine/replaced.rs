//! One session takes the place of another: a reset is complete.
//!
//! 1. The old row is retired as by a later pairing, and gives its mailboxes to the new one.
//! 2. What the peer has not processed of it is signed again in the new session, in the old order and under the same
//!    ids; the peer knows by these what it has.
//! 3. It is sealed as far as there is room, and on with each acknowledgement.

use rusqlite::{OptionalExtension as _, named_params, params};

use super::send::seal;
use super::{Batch, PeerKey, PeerRow, Stage};
use crate::agent::error::Error;
use crate::agent::state::Inward;
use crate::record::{Draft, Header, Kind, RecordId, VerifiedRecord};
use crate::session::Lane;

/// A record that the peer has not processed.
struct Open {
    id: RecordId,
    key: Option<String>,
    header: Header,
    body: Vec<u8>,
}

impl Batch<'_> {
    /// `p`, whose HELLO is said and heard, takes the place of `old`.
    pub(super) fn replace_session(&mut self, p: &mut PeerRow, old: PeerKey) -> Result<(), Error> {
        let open = self.open_records(old)?;
        let moves = open.iter().any(|record| record.header.kind == Kind::Move);
        if moves {
            // The peer may not know of it, and posts to the old one as long.
            p.move_taken = self.peer(old)?.move_taken;
            self.tx.execute("UPDATE old_box SET peer = ? WHERE peer = ? AND gone = 0", [p.key.0, old.0])?;
        }
        self.retire_row(old, Stage::Replaced)?;
        p.to_cert = self.peer(old)?.to_cert.clone();
        self.hand_over(old, p.key)?;
        p.resets = None;
        for record in open {
            self.sign_again(p, record)?;
        }
        self.seal_waiting(p)
    }

    /// What is not final, in the order of its chain. What concerned the old session alone ends with it.
    fn open_records(&self, old: PeerKey) -> Result<Vec<Open>, Error> {
        let mut statement = self.tx.prepare(
            "SELECT o.id, o.key, r.cose, r.body FROM outbox o JOIN outbox_record r ON r.n = o.n
             WHERE o.peer = ? AND o.state < 3 AND o.kind IN ('msg', 'ask', 'reply', 'move') ORDER BY o.seq",
        )?;
        let mut rows = statement.query([old.0])?;
        let mut open = Vec::new();
        while let Some(r) = rows.next()? {
            let header = Header::of_own(r.get_ref(2)?.as_blob().map_err(|_| Error::corrupt("outbox"))?)
                .map_err(|_| Error::corrupt("outbox"))?;
            open.push(Open { id: RecordId::from_bytes(r.get(0)?), key: r.get(1)?, header, body: r.get(3)? });
        }
        Ok(open)
    }

    /// The mailboxes, the asks and the counters of one row become those of another.
    fn hand_over(&mut self, old: PeerKey, new: PeerKey) -> Result<(), Error> {
        let rows = named_params! { ":old": old.0, ":new": new.0 };
        let seed: [u8; 32] =
            self.tx.query_row("SELECT box_seed FROM peer WHERE id = ?", [old.0], |r| r.get(0))?;
        let id: [u8; 32] =
            self.tx.query_row("SELECT box_id FROM peer WHERE id = ?", [old.0], |r| r.get(0))?;
        // The mailbox goes on, and two rows cannot have it at the same time.
        self.tx.execute(
            "UPDATE peer SET box_seed = zeroblob(32), box_id = randomblob(32), box_gone = 0, reset_due = 0,
                reset_at = NULL WHERE id = ?",
            [old.0],
        )?;
        self.tx.execute(
            "UPDATE peer AS new SET resets = NULL, deadline = NULL, box_url = old.box_url,
                box_epoch = old.box_epoch, box_inc = old.box_inc, box_seq = old.box_seq,
                to_seed = old.to_seed, to_url = old.to_url, to_relay = old.to_relay,
                in_file = old.in_file AND new.statements = old.statements
             FROM peer AS old WHERE new.id = :new AND old.id = :old",
            rows,
        )?;
        self.tx.execute("UPDATE peer SET box_seed = ?, box_id = ? WHERE id = ?", params![seed, id, new.0])?;
        // What becomes of them is in the new session.
        self.tx.execute("UPDATE outbox SET state = 7 WHERE peer = ? AND state < 3", [old.0])?;
        self.tx.execute("UPDATE ask SET peer = :new WHERE peer = :old", rows)?;
        self.tx.execute(
            "UPDATE reset SET peer = :new, asked = NULL, asked_at = NULL, theirs = NULL, answered = NULL,
                envelope = NULL, own_words = NULL, peer_words = NULL, refused_at = NULL WHERE peer = :old",
            rows,
        )?;
        Ok(())
    }

    fn sign_again(&mut self, p: &mut PeerRow, record: Open) -> Result<(), Error> {
        let Header { kind, re, exp, ctype, .. } = record.header;
        let (name, moves) = (kind.as_str().to_owned(), kind == Kind::Move);
        let signed = self.sign(p, Draft { kind, id: record.id, re, exp, ctype, body: record.body })?;
        p.unsealed.get_or_insert(signed.seq);
        if moves {
            p.moved_by = Some(signed.seq);
        }
        self.insert_outbox(p, &signed, record.id, &name, record.key.as_deref(), None)
    }

    /// Seals what is signed and waits for room, in its order.
    pub(super) fn seal_waiting(&mut self, p: &mut PeerRow) -> Result<(), Error> {
        while let Some(seq) = p.unsealed {
            if !p.has_room_for(seq) {
                return Ok(());
            }
            let Some((record, n, _)) = self.unreceived(p.key, seq)? else {
                return Err(Error::corrupt("outbox"));
            };
            let envelope = match seal(p, Lane::Ordinary, &record.to_payload()) {
                Err(Error::Backpressure { .. }) => return Ok(()),
                // Its place in the chain has to be filled: the peer excepts it.
                Err(Error::TooLarge { .. }) => seal(p, Lane::Ordinary, &record.to_stub())?,
                sealed => sealed?,
            };
            self.note_sealed(p, seq, n, &envelope)?;
            p.unacked += envelope.len() as u64;
            p.unsealed = (seq < p.own.last).then_some(seq + 1);
        }
        Ok(())
    }

    /// What became in an earlier session of a record that the peer has signed again, if it was here.
    pub(super) fn earlier(&self, p: &PeerRow, id: &RecordId) -> Result<Option<Inward>, Error> {
        if !p.follows {
            return Ok(None);
        }
        let state: Option<i64> = self
            .tx
            .prepare_cached(
                "SELECT i.state FROM inbox i JOIN peer o ON o.id = i.peer
                 WHERE i.id = ? AND o.root = ? AND i.peer <> ? AND i.state NOT IN (0, 7) ORDER BY i.n DESC LIMIT 1",
            )?
            .query_row(params![id.as_bytes(), p.link.peer.as_bytes(), p.key.0], |r| r.get(0))
            .optional()?;
        state.map(Inward::from_store).transpose()
    }

    /// Puts a record that came again in the place of the one of an earlier session that the application is not done
    /// with: a claim of it, and how often it was handed out, stay.
    pub(super) fn adopt(&self, p: &PeerRow, record: &VerifiedRecord) -> Result<(), Error> {
        if !p.follows {
            return Ok(());
        }
        let header = record.header();
        let earlier: Option<i64> = self
            .tx
            .prepare_cached(
                "SELECT i.n FROM inbox i JOIN peer o ON o.id = i.peer
                 WHERE i.id = ? AND o.root = ? AND i.peer <> ? AND i.state IN (1, 2, 6) ORDER BY i.n DESC LIMIT 1",
            )?
            .query_row(params![header.id.as_bytes(), p.link.peer.as_bytes(), p.key.0], |r| r.get(0))
            .optional()?;
        let Some(earlier) = earlier else { return Ok(()) };
        let new: i64 = self.tx.query_row(
            "SELECT n FROM inbox WHERE peer = ? AND seq = ?",
            params![p.key.0, header.seq],
            |r| r.get(0),
        )?;
        // It keeps its row number, by which the application, a claim and an ask know it.
        for (from, to) in [(earlier, -1), (new, earlier), (-1, new)] {
            self.tx.execute("UPDATE inbox SET n = ? WHERE n = ?", [to, from])?;
            self.tx.execute("UPDATE inbox_record SET n = ? WHERE n = ?", [to, from])?;
        }
        self.tx.execute("UPDATE ask SET reply = ? WHERE reply = ?", [earlier, new])?;
        self.tx.execute(
            "UPDATE inbox SET (attempts, claimed_by, claimed_at) =
                (SELECT attempts, claimed_by, claimed_at FROM inbox WHERE n = ?) WHERE n = ?",
            [new, earlier],
        )?;
        self.tx.execute(
            "UPDATE inbox SET state = ?, claimed_by = NULL, claimed_at = NULL WHERE n = ?",
            params![Inward::Moved as i64, new],
        )?;
        Ok(())
    }
}
