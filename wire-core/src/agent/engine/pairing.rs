//! From a confirmed code to a peer: the commit points of the pairing.

use rusqlite::{OptionalExtension as _, params};

use super::{Batch, Closing, PeerKey, PeerRow, Stage, acks};
use crate::agent::error::Error;
use crate::agent::state::Inward;
use crate::identity::{Root, StatementChain};
use crate::mailbox::MailboxKeyPair;
use crate::pairing::{Established, PairingSecret, Rendezvous, consumed_tag, is_petname};
use crate::record::SendChain;
use crate::time::Timestamp;

/// A pending pairing is given up after this long.
const PENDING_MS: u64 = 24 * 3_600_000;
/// Used codes are remembered for their life and a day.
const CONSUMED_MS: u64 = 10 * 60_000 + 24 * 3_600_000;

/// What is known of a peer when its offer was verified.
pub(crate) struct NewPeer<'a> {
    pub(crate) established: &'a Established,
    pub(crate) mailbox: &'a MailboxKeyPair,
    /// Where our mailbox lies.
    pub(crate) url: &'a str,
    /// The name that the owner wants; none lets the peer's own display name suggest one.
    pub(crate) name: Option<&'a str>,
    /// HELLO waits until the owner has compared the SAS.
    pub(crate) verify: bool,
    /// When a pairing that is not completed is given up; none means in 24 hours.
    pub(crate) deadline: Option<Timestamp>,
}

impl Batch<'_> {
    /// Whether this agent has burned the code before.
    pub(crate) fn is_consumed(&self, at: &Rendezvous, secret: &PairingSecret) -> Result<bool, Error> {
        let tag = consumed_tag(self.engine.store_key.expose(), at, secret);
        let mut found = self.tx.prepare_cached("SELECT 1 FROM consumed WHERE tag = ? AND until >= ?")?;
        Ok(found.exists(params![tag, self.now.as_millis()])?)
    }

    /// Whether a peer could be called so: to be asked before a code is spent.
    pub(crate) fn check_wish(&self, name: Option<&str>) -> Result<(), Error> {
        name.map_or(Ok(()), |name| self.free_name(name, true).map(|_| ()))
    }

    /// Burns a code before anything that depends on it is posted. A code is used once.
    pub(crate) fn consume(&mut self, at: &Rendezvous, secret: &PairingSecret) -> Result<(), Error> {
        let tag = consumed_tag(self.engine.store_key.expose(), at, secret);
        self.tx.execute("DELETE FROM consumed WHERE until < ?", [self.now.as_millis()])?;
        let fresh = self.tx.execute(
            "INSERT INTO consumed (tag, until) VALUES (?, ?) ON CONFLICT DO NOTHING",
            params![tag, self.now.plus_millis(CONSUMED_MS).as_millis()],
        )?;
        if fresh == 1 { Ok(()) } else { Err(Error::CodeUsed) }
    }

    /// Notes a mailbox that is about to be created for a pairing that may never be committed.
    pub(crate) fn expect_orphan(
        &mut self,
        mailbox: &MailboxKeyPair,
        url: &str,
        owner: &str,
    ) -> Result<(), Error> {
        self.tx.execute(
            "INSERT OR REPLACE INTO orphan (box_seed, url, owner, at) VALUES (?, ?, ?, ?)",
            params![mailbox.seed().as_slice(), url, owner, self.now.as_millis()],
        )?;
        Ok(())
    }

    /// Mailboxes that no pairing was committed for, made by processes that are gone or for invites that
    /// are over.
    pub(crate) fn orphans(
        &self,
        is_alive: impl Fn(&str) -> bool,
    ) -> Result<Vec<(MailboxKeyPair, String)>, Error> {
        let mut statement = self.tx.prepare_cached("SELECT box_seed, url, owner FROM orphan")?;
        let rows = statement
            .query_map([], |r| {
                Ok((r.get::<_, [u8; 32]>(0)?, r.get::<_, String>(1)?, r.get::<_, String>(2)?))
            })?
            .collect::<Result<Vec<_>, _>>()?;
        Ok(rows
            .into_iter()
            .filter(|(_, _, owner)| !is_alive(owner))
            .map(|(seed, url, _)| (MailboxKeyPair::from_seed(&seed), url))
            .collect())
    }

    /// The mailbox was deleted at the relay, or became a peer's.
    pub(crate) fn forget_orphan(&mut self, mailbox: &MailboxKeyPair) -> Result<(), Error> {
        self.tx.execute("DELETE FROM orphan WHERE box_seed = ?", [mailbox.seed().as_slice()])?;
        Ok(())
    }

    /// Whoever pairs again under a known root has to know of every rotation that was heard here: a thief of a key
    /// that was replaced does not, nor does an old copy of that agent.
    fn check_history(&self, statements: &StatementChain) -> Result<(), Error> {
        let mut known = self.tx.prepare_cached("SELECT name, statements FROM peer WHERE root = ?")?;
        let mut rows = known.query([statements.root().as_bytes()])?;
        while let Some(row) = rows.next()? {
            if !statements
                .to_bytes()
                .starts_with(row.get_ref(1)?.as_blob().map_err(|_| Error::corrupt("peer"))?)
            {
                return Err(Error::StaleIdentity { peer: row.get(0)? });
            }
        }
        Ok(())
    }

    /// Commits a pending peer: session, mailboxes, and HELLO unless the SAS comes first. An earlier
    /// pairing with the same root stays in force until this one is completed.
    pub(crate) fn add_peer(&mut self, new: &NewPeer<'_>) -> Result<PeerKey, Error> {
        let e = new.established;
        let offer = &e.peer;
        let session_id = e.session.id();
        let session = e.session.to_bytes();
        let root = offer.statements.root();
        self.check_history(&offer.statements)?;
        let name = self.name_for(&root, new)?;
        let deadline = new.deadline.unwrap_or(self.now.plus_millis(PENDING_MS));
        let start = SendChain::start(&session_id);
        self.tx.execute(
            "INSERT INTO peer (root, name, display, statements, state, since, deadline, sas, hello, verified,
                reset_own, reset_peer, session_id, own_last, own_head, recv, recv_head, proc,
                peer_recv, peer_proc, peer_seen, unacked, cseq_own, cseq_peer, peer_last, acked_at, ack_owed, said_recv, said_proc,
                control_due, status_k,
                box_seed, box_id, box_url, box_epoch, box_seq, box_gone, to_seed, to_cert, to_url, to_relay)
             VALUES (?, ?, ?, ?, 0, ?, ?, ?, 0, 0, ?, ?, ?, 0, ?, 0, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                ?, ?, ?, 0, 0, 0, ?, ?, ?, ?)",
            params![
                root.as_bytes(),
                name,
                offer.display.as_str(),
                offer.statements.to_bytes(),
                self.now.as_millis(),
                deadline.as_millis(),
                e.sas.to_string(),
                e.reset_keys.own.expose(),
                e.reset_keys.peer.expose(),
                session_id.as_bytes(),
                start.head.as_bytes(),
                start.head.as_bytes(),
                new.mailbox.seed().as_slice(),
                new.mailbox.public().as_bytes(),
                new.url,
                offer.sender.seed().as_slice(),
                offer.certificate.as_bytes().as_slice(),
                offer.url,
                offer.relay.as_bytes(),
            ],
        )?;
        let key = PeerKey(self.tx.last_insert_rowid());
        self.tx.execute("INSERT INTO session (peer, ratchet) VALUES (?, ?)", params![key.0, &*session])?;
        self.forget_orphan(new.mailbox)?;
        if !new.verify {
            self.with_peer(key, |batch, p| batch.send_hello(p))?;
        }
        Ok(key)
    }

    /// The owner compared the SAS, and it was the same on both sides.
    pub(crate) fn confirm_sas(&mut self, peer: PeerKey) -> Result<(), Error> {
        self.with_peer(peer, |batch, p| {
            if let Some(end) = p.stage.end(&p.name) {
                return Err(end);
            }
            p.verified = true;
            batch.let_speak(p)
        })
    }

    /// Nothing holds HELLO back any more; the peer's completes the pairing.
    pub(super) fn let_speak(&mut self, p: &mut PeerRow) -> Result<(), Error> {
        if !p.hello {
            self.send_hello(p)?;
        }
        if self.has_heard_hello(p)? { self.finish_pairing(p) } else { Ok(()) }
    }

    /// The peer's HELLO verified. With the SAS still to be compared, the pairing waits for the owner.
    pub(super) fn complete(&mut self, p: &mut PeerRow) -> Result<(), Error> {
        if p.hello { self.finish_pairing(p) } else { Ok(()) }
    }

    /// Both HELLO are said and heard.
    fn finish_pairing(&mut self, p: &mut PeerRow) -> Result<(), Error> {
        if p.stage != Stage::Pending {
            return Ok(());
        }
        self.flush()?;
        if let Some(old) = p.resets {
            self.replace_session(p, old)?;
        }
        let older: Vec<(i64, String)> = self
            .tx
            .prepare_cached("SELECT id, name FROM peer WHERE root = ? AND id <> ? AND state BETWEEN 1 AND 3")?
            .query_map(params![p.link.peer.as_bytes(), p.key.0], |r| Ok((r.get(0)?, r.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (id, name) in older {
            self.retire(PeerKey(id), Stage::Replaced)?;
            if is_numbered(&p.name, &name) {
                self.tx.execute("UPDATE peer SET name = ? WHERE id = ?", params![name, p.key.0])?;
                p.name = name;
            }
        }
        p.stage = Stage::Paired;
        // The unique index on roots must see the older row retired first.
        self.flush()?;
        Ok(())
    }

    /// The peer has ended the pairing: nothing more is sent. What it said before is still taken.
    pub(super) fn end(&mut self, peer: PeerKey) -> Result<(), Error> {
        self.drop_reset(peer)?;
        self.with_peer(peer, |batch, p| {
            p.stage = Stage::Ended;
            batch.fall_silent(p)
        })?;
        self.flush()
    }

    /// Gives up what is queued for a peer, and keeps nothing that could be posted.
    fn fall_silent(&self, p: &mut PeerRow) -> Result<(), Error> {
        p.control = None;
        p.status_at = None;
        self.tx.execute(acks::GIVE_UP, [p.key.0])?;
        self.tx.execute(acks::DROP_ENVELOPES, params![p.key.0, 0, i64::MAX])?;
        self.tx.execute("UPDATE outbox SET size = 0 WHERE peer = ? AND size > 0", [p.key.0])?;
        Ok(())
    }

    /// Ends a pairing on this side: nothing more is sent or accepted, its mailbox is deleted.
    pub(crate) fn retire(&mut self, peer: PeerKey, stage: Stage) -> Result<(), Error> {
        self.drop_reset(peer)?;
        self.retire_row(peer, stage)
    }

    /// [`Batch::retire`] for a row of which nothing else waits.
    pub(super) fn retire_row(&mut self, peer: PeerKey, stage: Stage) -> Result<(), Error> {
        self.with_peer(peer, |batch, p| {
            p.stage = stage;
            batch.fall_silent(p)?;
            p.forget_move();
            batch.close_old_boxes_of(peer)?;
            let closing = if stage == Stage::Abandoned { Closing::Delete } else { Closing::Revoke };
            // The mailbox of a session that was to replace another one is that one's.
            let closing = if p.resets.is_some() { 0 } else { closing as i64 };
            batch.tx.execute("UPDATE peer SET box_gone = ? WHERE id = ?", params![closing, peer.0])?;
            if stage != Stage::Replaced {
                // What a peer said who was only replaced is still for the application to take.
                batch.tx.execute(
                    "UPDATE inbox SET state = ?, claimed_by = NULL WHERE peer = ? AND state < 3",
                    params![Inward::Refused as i64, peer.0],
                )?;
            }
            Ok(())
        })?;
        self.flush()
    }

    /// Pairings that were never completed in time.
    pub(crate) fn abandon_overdue(&mut self) -> Result<Vec<PeerKey>, Error> {
        self.flush()?;
        let late: Vec<i64> = self
            .tx
            .prepare_cached("SELECT id FROM peer WHERE state = 0 AND deadline <= ?")?
            .query_map([self.now.as_millis()], |r| r.get(0))?
            .collect::<Result<_, _>>()?;
        for id in &late {
            match self.peer(PeerKey(*id))?.resets {
                Some(old) => self.drop_reset(old)?,
                None => self.retire(PeerKey(*id), Stage::Abandoned)?,
            }
        }
        Ok(late.into_iter().map(PeerKey).collect())
    }

    /// The name of a new pairing. One that replaces a live one gets its name when it is completed, and
    /// a numbered one until then.
    fn name_for(&mut self, root: &Root, new: &NewPeer<'_>) -> Result<String, Error> {
        self.flush()?;
        let replaced: Option<String> = self
            .tx
            .prepare_cached(
                "SELECT name FROM peer WHERE root = ? AND state BETWEEN 1 AND 3 ORDER BY id DESC LIMIT 1",
            )?
            .query_row([root.as_bytes()], |r| r.get(0))
            .optional()?;
        match (new.name, replaced) {
            (None, None) => self.free_name(new.established.peer.display.as_str(), false),
            (None, Some(name)) => self.numbered(&name),
            (Some(wish), Some(name)) if wish == name => self.numbered(&name),
            (Some(wish), _) => self.free_name(wish, true),
        }
    }

    /// A name that no other live peer has. What the owner asked for is taken as it is or refused;
    /// what the peer calls itself only suggests one.
    fn free_name(&self, wanted: &str, exact: bool) -> Result<String, Error> {
        let base = if exact {
            if !is_petname(wanted) {
                return Err(Error::usage("a peer's name is 1 to 32 of a-z, 0-9, '-', '_', '.'"));
            }
            wanted.to_owned()
        } else {
            suggest(wanted)
        };
        match (self.is_taken(&base)?, exact) {
            (false, _) => Ok(base),
            (true, true) => Err(Error::NameTaken { name: base }),
            (true, false) => self.numbered(&base),
        }
    }

    fn numbered(&self, base: &str) -> Result<String, Error> {
        for n in 2..1000 {
            let name = format!("{base}-{n}");
            if !self.is_taken(&name)? {
                return Ok(name);
            }
        }
        Err(Error::NameTaken { name: base.to_owned() })
    }

    fn is_taken(&self, name: &str) -> Result<bool, Error> {
        Ok(self.tx.prepare_cached("SELECT 1 FROM peer WHERE name = ? AND state < 4")?.exists([name])?)
    }
}

/// `bob-2` is only a way around the `bob` whom a pairing replaces.
fn is_numbered(name: &str, base: &str) -> bool {
    let number = name.strip_prefix(base).and_then(|rest| rest.strip_prefix('-'));
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// A local name out of what a stranger calls itself: nothing but plain characters survive.
fn suggest(display: &str) -> String {
    let plain: String = display
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .collect();
    let trimmed: String = plain.trim_matches('-').chars().take(28).collect();
    if trimmed.is_empty() { "peer".to_owned() } else { trimmed }
}
