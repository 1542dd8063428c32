//! A new session in the place of one that is lost, frozen or rolled back: what the owner asks for.
//!
//! 1. The owner of either side asks: a RESET is made and posted, again and again until it is answered.
//! 2. On the other side it waits until its owner asks too. That answers it: RESET_OK, and a session that is
//!    *pending* and has a row of its own, with the mailboxes of the row that it is to replace.
//! 3. With the RESET_OK the requester has such a row too.
//! 4. Each owner types the words that the other one reads out; only then that side says HELLO. An answerer does so
//!    at once where the RESET is a rotation by the key that was committed to.
//! 5. The HELLO of the other side completes it, as in a pairing: [`replaced`](super::replaced).
//!
//! Until then the old session goes on, if it can. What comes from the other side is stored and shown, and changes
//! nothing: [`arrived`](super::arrived).

use rusqlite::{OptionalExtension as _, Row, named_params, params};
use zeroize::Zeroizing;

use super::control::{STATUS_FIRST_MS, wait};
use super::{Batch, PeerKey, PeerRow, Stage};
use crate::agent::error::Error;
use crate::entropy::os_rng;
use crate::identity::{Identity, NextKey, StatementChain};
use crate::pairing::{ResetKey, ResetKeys};
use crate::record::SendChain;
use crate::reset::{self, Agreed, CheckWords, Message, Request, Requester, ResetError, Standing};
use crate::session::SessionId;
use crate::time::Timestamp;

/// Resets that the owner may ask for or answer in an hour, with one peer.
const MAX_MADE: u32 = 5;
const MADE_MS: u64 = 3_600_000;
/// What waits for the words is given up after so long.
const WORDS_MS: u64 = 7 * 24 * 3_600_000;

/// What is under way, of the row in the store.
#[derive(Default)]
pub(super) struct ResetRow {
    own_ctr: u64,
    pub(super) peer_ctr: u64,
    made: u32,
    made_since: u64,
    pub(super) asked: Option<Zeroizing<Vec<u8>>>,
    pub(super) theirs: Option<Vec<u8>>,
    pub(super) theirs_at: Option<u64>,
    pub(super) answered: Option<[u8; 32]>,
    own_words: Option<String>,
    peer_words: Option<String>,
}

impl ResetRow {
    fn read(r: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            own_ctr: r.get("own_ctr")?,
            peer_ctr: r.get("peer_ctr")?,
            made: r.get("made")?,
            made_since: r.get("made_since")?,
            asked: r.get::<_, Option<Vec<u8>>>("asked")?.map(Zeroizing::new),
            theirs: r.get("theirs")?,
            theirs_at: r.get("theirs_at")?,
            answered: r.get("answered")?,
            own_words: r.get("own_words")?,
            peer_words: r.get("peer_words")?,
        })
    }

    /// Our RESET, if it is not answered yet.
    pub(super) fn requester(&self) -> Result<Option<Requester>, Error> {
        let stored = self.asked.as_ref().map(|bytes| Requester::from_bytes(bytes));
        stored.transpose().map_err(|_| Error::corrupt("reset"))
    }
}

impl Batch<'_> {
    /// The owner wants a new session with a peer: answers the RESET of the peer that waits, or makes one. Where one
    /// is under way already nothing is made: it is posted by itself.
    pub(crate) fn reset(&mut self, peer: PeerKey) -> Result<(), Error> {
        let peer = self.successor(peer)?;
        self.may_reset(peer)?;
        let row = self.reset_row(peer)?;
        // What was stored may not continue the statements any more that are known by now.
        let request = row.theirs.as_deref().map(|theirs| self.verify_request(peer, theirs)).transpose()?;
        if matches!(request, Some(Err(_))) {
            self.tx.execute("UPDATE reset SET theirs = NULL WHERE peer = ?", [peer.0])?;
        }
        match request.and_then(Result::ok) {
            Some(request) => self.answer_reset(peer, &request),
            None if row.asked.is_some() || self.pending_reset(peer)?.is_some() => Ok(()),
            None => self.ask_reset(peer, None),
        }
    }

    /// Makes a RESET, in the place of what is under way. With `rotation`, the identity that is to be ours and the
    /// key that signed its last statement, the peer's owner need not compare the words.
    pub(crate) fn ask_reset(
        &mut self,
        peer: PeerKey,
        rotation: Option<(&Identity, &NextKey)>,
    ) -> Result<(), Error> {
        self.may_reset(peer)?;
        self.count_reset(peer)?;
        self.drop_reset(peer)?;
        let ctr = self.reset_row(peer)?.own_ctr.saturating_add(1).max(self.now.as_millis());
        let identity = rotation.map_or(&self.engine.identity, |(identity, _)| identity);
        let p = self.peer(peer)?;
        let (session, standing) = standing(p);
        let to = p.link.peer;
        let by = rotation.map(|(_, key)| key);
        let asked = Requester::new(identity, by, to, ctr, session, standing, &mut os_rng());
        let envelope = self.seal_reset(peer, &Message::Request(asked.message().to_vec()))?;
        self.tx.execute(
            "UPDATE reset SET own_ctr = ?, asked = ?, asked_at = ?, posts = 0, envelope = ? WHERE peer = ?",
            params![ctr, &*asked.to_bytes(), self.now.as_millis(), envelope, peer.0],
        )?;
        self.post_reset(peer, Some(self.now.plus_millis(wait(STATUS_FIRST_MS, 0))))
    }

    fn answer_reset(&mut self, peer: PeerKey, request: &Request) -> Result<(), Error> {
        self.count_reset(peer)?;
        self.drop_reset(peer)?;
        let (_, standing) = standing(self.peer(peer)?);
        let (answer, agreed) = request
            .answer(&self.engine.identity, standing, &mut os_rng())
            .map_err(|_| Error::Internal("a reset that was verified cannot be answered"))?;
        let envelope = self.seal_reset(peer, &Message::Answer(answer))?;
        self.tx.execute(
            "UPDATE reset SET answered = ?, envelope = ? WHERE peer = ?",
            params![request.hash().as_bytes(), envelope, peer.0],
        )?;
        let is_same = request.session() == Some(self.peer(peer)?.link.session);
        let new = self.add_session(peer, &agreed, is_same)?;
        // Only an answer to what was posted again: no clock brings it.
        self.post_reset(peer, None)?;
        if request.is_rotation() { self.confirmed(new) } else { Ok(()) }
    }

    /// The owner has typed what the other owner reads out. Gives whether these are the words: if not, the reset is
    /// thrown away.
    pub(crate) fn confirm_reset(&mut self, peer: PeerKey, typed: &str) -> Result<bool, Error> {
        let peer = self.successor(peer)?;
        let missing = || Error::usage("the words are the eight words that the other owner reads out");
        let row = self.reset_row(peer)?;
        let (Some(new), Some(own), Some(theirs)) = (self.pending_reset(peer)?, row.own_words, row.peer_words)
        else {
            return Err(Error::NoReset { peer: self.peer(peer)?.name.clone() });
        };
        let words = CheckWords::from_stored(&own, &theirs).map_err(|_| Error::corrupt("words"))?;
        if !words.matches(typed).map_err(|_| missing())? {
            self.drop_reset(peer)?;
            self.tx.execute(
                "UPDATE reset SET refused_at = ? WHERE peer = ?",
                params![self.now.as_millis(), peer.0],
            )?;
            return Ok(false);
        }
        self.confirmed(new)?;
        Ok(true)
    }

    /// The owner gives up what is under way: the session stays what it is.
    pub(crate) fn cancel_reset(&mut self, peer: PeerKey) -> Result<(), Error> {
        let peer = self.successor(peer)?;
        self.peer(peer)?;
        self.drop_reset(peer)
    }

    /// Nobody waits any more for this side: its HELLO goes out, and the other's completes the reset.
    fn confirmed(&mut self, new: PeerKey) -> Result<(), Error> {
        self.tx.execute("UPDATE peer SET deadline = NULL WHERE id = ?", [new.0])?;
        self.with_peer(new, Self::let_speak)
    }

    fn may_reset(&mut self, peer: PeerKey) -> Result<(), Error> {
        let p = self.peer(peer)?;
        match p.stage {
            Stage::Paired | Stage::Frozen | Stage::Lost => Ok(()),
            Stage::Pending => Err(Error::NotPaired { peer: p.name.clone() }),
            stage => Err(stage.end(&p.name).unwrap_or(Error::UnknownPeer)),
        }
    }

    fn count_reset(&mut self, peer: PeerKey) -> Result<(), Error> {
        self.tx.execute("INSERT OR IGNORE INTO reset (peer) VALUES (?)", [peer.0])?;
        let row = self.reset_row(peer)?;
        let now = self.now.as_millis();
        // A clock that was put back begins a new hour.
        let is_over = now < row.made_since || now - row.made_since >= MADE_MS;
        let (made, since) = if is_over { (0, now) } else { (row.made, row.made_since) };
        if made >= MAX_MADE {
            return Err(Error::ResetTooOften { peer: self.peer(peer)?.name.clone() });
        }
        self.tx.execute(
            "UPDATE reset SET made = ?, made_since = ? WHERE peer = ?",
            params![made + 1, since, peer.0],
        )?;
        Ok(())
    }

    /// Throws away what is under way. The counters stay.
    pub(super) fn drop_reset(&mut self, peer: PeerKey) -> Result<(), Error> {
        if let Some(new) = self.pending_reset(peer)? {
            self.retire_row(new, Stage::Abandoned)?;
        }
        self.tx.execute(
            "UPDATE reset SET asked = NULL, asked_at = NULL, theirs = NULL, answered = NULL, envelope = NULL,
                own_words = NULL, peer_words = NULL, refused_at = NULL WHERE peer = ?",
            [peer.0],
        )?;
        self.tx.execute("UPDATE peer SET reset_due = 0, reset_at = NULL WHERE id = ?", [peer.0])?;
        Ok(())
    }

    /// A session that waits for the words and for HELLO, beside the one that it is to replace. `is_same`: what the
    /// peer says of its standing is of our session.
    pub(super) fn add_session(
        &mut self,
        old: PeerKey,
        agreed: &Agreed,
        is_same: bool,
    ) -> Result<PeerKey, Error> {
        self.flush()?;
        let session = agreed.session.id();
        let start = SendChain::start(&session);
        let lost = self.with_peer(old, |batch, p| batch.lost(p, &agreed.standing, is_same))?;
        self.tx.execute(
            "INSERT INTO peer (root, name, display, statements, state, since, deadline, sas, hello, verified,
                reset_own, reset_peer, session_id, own_last, own_head, recv, recv_head, proc,
                peer_recv, peer_proc, peer_seen, unacked, cseq_own, cseq_peer, peer_last, acked_at, ack_owed,
                said_recv, said_proc, control_due, status_k,
                box_seed, box_id, box_url, box_epoch, box_seq, box_gone, to_seed, to_cert, to_url, to_relay, to_inc,
                rotated, origin, resets, lost_from, lost_to)
             SELECT root, name, display, :statements, 0, since, :deadline, sas, 0, verified,
                reset_own, reset_peer, :session, 0, :head, 0, :head, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                zeroblob(32), randomblob(32), box_url, box_epoch, 0, 0, to_seed, to_cert, to_url, to_relay, to_inc,
                iif(statements = :statements, rotated, :now), coalesce(origin, id), id, :lost_from, :lost_to
             FROM peer WHERE id = :old",
            named_params! {
                ":statements": agreed.statements.to_bytes(),
                ":deadline": self.now.plus_millis(WORDS_MS).as_millis(),
                ":session": session.as_bytes(),
                ":head": start.head.as_bytes(),
                ":now": self.now.as_millis(),
                ":lost_from": lost.map(|(from, _)| from),
                ":lost_to": lost.map(|(_, to)| to),
                ":old": old.0,
            },
        )?;
        let new = PeerKey(self.tx.last_insert_rowid());
        self.tx.execute(
            "INSERT INTO session (peer, ratchet) VALUES (?, ?)",
            params![new.0, &*agreed.session.to_bytes()],
        )?;
        self.tx.execute(
            "UPDATE reset SET own_words = ?, peer_words = ? WHERE peer = ?",
            params![*agreed.words.own(), *agreed.words.peer(), old.0],
        )?;
        Ok(new)
    }

    /// Records of ours that the peer once acknowledged and does not have any more.
    fn lost(&self, p: &PeerRow, said: &Standing, is_same: bool) -> Result<Option<(u64, u64)>, Error> {
        let recv = if is_same { said.recv } else { 0 };
        let is_ours = match said.recv_head {
            Some(head) if recv > 0 => self.is_our_head(p, recv, &head)?,
            _ => recv == 0,
        };
        // Where this side was rolled back, the peer may have more than is known here, or something else.
        Ok((is_ours && recv < p.peer_recv).then_some((recv.saturating_add(1), p.peer_recv)))
    }

    /// Peers whose answer to a RESET of ours is waited for.
    pub(super) fn resets_asked(&self) -> Result<Vec<PeerKey>, Error> {
        let mut statement = self.tx.prepare("SELECT peer FROM reset WHERE asked IS NOT NULL")?;
        let peers = statement.query_map([], |r| r.get(0).map(PeerKey))?.collect::<Result<_, _>>()?;
        Ok(peers)
    }

    /// The session that waits to replace that of `peer`.
    pub(super) fn pending_reset(&self, peer: PeerKey) -> Result<Option<PeerKey>, Error> {
        Ok(self
            .tx
            .prepare_cached("SELECT id FROM peer WHERE resets = ? AND state = 0")?
            .query_row([peer.0], |r| r.get(0).map(PeerKey))
            .optional()?)
    }

    pub(super) fn reset_row(&self, peer: PeerKey) -> Result<ResetRow, Error> {
        let row = self
            .tx
            .prepare_cached("SELECT * FROM reset WHERE peer = ?")?
            .query_row([peer.0], ResetRow::read)
            .optional()?;
        Ok(row.unwrap_or_default())
    }

    pub(super) fn verify_request(
        &mut self,
        peer: PeerKey,
        message: &[u8],
    ) -> Result<Result<Request, ResetError>, Error> {
        let own = self.peer(peer)?.link.own;
        Ok(Request::verify(message, own, &self.pinned_statements(peer)?))
    }

    pub(super) fn pinned_statements(&self, peer: PeerKey) -> Result<StatementChain, Error> {
        let pinned: Vec<u8> = self
            .tx
            .prepare_cached("SELECT statements FROM peer WHERE id = ?")?
            .query_row([peer.0], |r| r.get(0))
            .optional()?
            .ok_or(Error::UnknownPeer)?;
        StatementChain::from_stored(&pinned).map_err(|_| Error::corrupt("statements"))
    }

    pub(super) fn reset_keys(&self, peer: PeerKey) -> Result<ResetKeys, Error> {
        Ok(self
            .tx
            .prepare_cached("SELECT reset_own, reset_peer FROM peer WHERE id = ?")?
            .query_row([peer.0], |r| {
                Ok(ResetKeys { own: ResetKey::from_bytes(r.get(0)?), peer: ResetKey::from_bytes(r.get(1)?) })
            })?)
    }

    fn seal_reset(&mut self, peer: PeerKey, message: &Message) -> Result<Vec<u8>, Error> {
        let keys = self.reset_keys(peer)?;
        let p = self.peer(peer)?;
        let max = p.to_cert.quota().max_envelope as usize;
        let roots = (p.link.own, p.link.peer);
        let (Message::Request(bytes) | Message::Answer(bytes)) = message;
        let too_large = Error::TooLarge { len: bytes.len(), max };
        reset::seal(&keys.own, roots, message, max, &mut os_rng()).ok_or(too_large)
    }

    /// Has the envelope of the reset posted now, and again at `again`.
    pub(super) fn post_reset(&mut self, peer: PeerKey, again: Option<Timestamp>) -> Result<(), Error> {
        self.tx.execute(
            "UPDATE peer SET reset_due = 1, reset_at = ? WHERE id = ?",
            params![again.map(Timestamp::as_millis), peer.0],
        )?;
        Ok(())
    }

    /// What is not answered is posted again: the same bytes, as STATUS is.
    pub(super) fn post_resets_again(&mut self) -> Result<(), Error> {
        let due: Vec<(i64, u32)> = self
            .tx
            .prepare_cached(
                "SELECT p.id, r.posts FROM peer p JOIN reset r ON r.peer = p.id WHERE p.reset_at <= ?",
            )?
            .query_map([self.now.as_millis()], |r| Ok((r.get(0)?, r.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (id, posts) in due {
            let posts = posts.saturating_add(1);
            self.tx.execute("UPDATE reset SET posts = ? WHERE peer = ?", params![posts, id])?;
            self.post_reset(PeerKey(id), Some(self.now.plus_millis(wait(STATUS_FIRST_MS, posts))))?;
        }
        Ok(())
    }

    /// The present session of the pairing that `peer` was a session of.
    pub(crate) fn successor(&self, peer: PeerKey) -> Result<PeerKey, Error> {
        self.tx
            .prepare_cached(
                "SELECT max(q.id) FROM peer q WHERE q.resets IS NULL AND coalesce(q.origin, q.id) =
                    (SELECT coalesce(origin, id) FROM peer WHERE id = ?)",
            )?
            .query_row([peer.0], |r| r.get::<_, Option<i64>>(0))?
            .map(PeerKey)
            .ok_or(Error::UnknownPeer)
    }

    /// The session so many resets before that.
    pub(crate) fn session_before(&self, peer: PeerKey, resets: u32) -> Result<PeerKey, Error> {
        self.tx
            .prepare_cached(
                "SELECT q.id FROM peer q WHERE q.resets IS NULL AND coalesce(q.origin, q.id) =
                    (SELECT coalesce(origin, id) FROM peer WHERE id = ?) ORDER BY q.id DESC LIMIT 1 OFFSET ?",
            )?
            .query_row(params![peer.0, resets], |r| r.get(0).map(PeerKey))
            .optional()?
            .ok_or(Error::usage("there was no session so many resets ago"))
    }
}

/// What this side says of the session that is to be replaced.
fn standing(p: &PeerRow) -> (Option<SessionId>, Standing) {
    if p.stage == Stage::Lost {
        return (None, Standing::default());
    }
    let (last, recv) = (p.own.last, p.theirs.recv);
    let head = (last > 0).then_some(p.own.head);
    let recv_head = (recv > 0).then_some(p.theirs.head);
    (Some(p.link.session), Standing { last, head, recv, recv_head })
}
