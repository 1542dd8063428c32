//! One pairing, as it lies in the store and as a step works on it.

use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use crate::agent::error::Error;
use crate::identity::{Identity, IdentityPublic, PinnedKey, Root, StatementChain};
use crate::mailbox::Certificate;
use crate::record::{Link, ReceiveChain, RecordHash, SendChain};
use crate::session::{Session, SessionId};
use crate::time::Timestamp;

/// Pieces of evidence that are kept for each pairing: one would do.
const MAX_EVIDENCE: u32 = 8;

/// Row of a pairing in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PeerKey(pub(crate) i64);

/// How far a pairing is. The numbers are the store's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Confirmed by code, the peer's HELLO is not here yet.
    Pending = 0,
    /// Both have proved that they hold the session.
    Paired = 1,
    /// The peer has revoked us: nothing more is sent, and what it said before is still taken.
    Ended = 2,
    /// The peer signed two histories, or acknowledged what we never sent: nothing more is sent.
    Frozen = 3,
    /// Revoked here.
    Revoked = 4,
    /// Replaced by a later pairing with the same root.
    Replaced = 5,
    /// Never completed.
    Abandoned = 6,
    /// The pairing is here and its session is not: nothing is said or heard before a reset. In the store it is a
    /// frozen one without a session.
    Lost = 7,
}

impl Stage {
    pub(crate) fn from_store(n: i64) -> Result<Self, Error> {
        let all = [
            Self::Pending,
            Self::Paired,
            Self::Ended,
            Self::Frozen,
            Self::Revoked,
            Self::Replaced,
            Self::Abandoned,
            Self::Lost,
        ];
        all.into_iter().find(|s| *s as i64 == n).ok_or_else(|| Error::corrupt("peer state"))
    }

    /// What the row says. A session is looked for beside it.
    pub(super) fn with_session(self, has_session: bool) -> Result<Self, Error> {
        match (self, has_session) {
            (Self::Frozen, false) => Ok(Self::Lost),
            (Self::Pending | Self::Paired | Self::Ended, false) => Err(Error::corrupt("session")),
            _ => Ok(self),
        }
    }

    fn to_store(self) -> i64 {
        if self == Self::Lost { Self::Frozen as i64 } else { self as i64 }
    }

    pub(crate) fn is_live(self) -> bool {
        self <= Self::Frozen || self == Self::Lost
    }

    /// Whether what the peer said is taken.
    pub(crate) fn hears(self) -> bool {
        self <= Self::Ended
    }

    /// Whether something may be said.
    pub(super) fn speaks(self) -> bool {
        self <= Self::Paired
    }

    /// Why nothing more is said to a peer of this name, if so.
    pub(crate) fn end(self, peer: &str) -> Option<Error> {
        let peer = peer.to_owned();
        Some(match self {
            Self::Pending | Self::Paired => return None,
            Self::Ended => Error::Ended { peer },
            Self::Frozen => Error::SessionFrozen { peer },
            Self::Lost => Error::NeedsReset { peer },
            Self::Revoked => Error::Revoked { peer },
            Self::Replaced => Error::Replaced { peer },
            Self::Abandoned => Error::PairingIncomplete,
        })
    }
}

/// A pairing while a batch works on it. It is copied only to be put back when a step fails.
#[derive(Clone)]
pub(crate) struct PeerRow {
    pub(crate) key: PeerKey,
    pub(crate) name: String,
    pub(crate) stage: Stage,
    pub(crate) hello: bool,
    pub(crate) verified: bool,
    pub(crate) link: Link,
    pub(crate) pinned: PinnedKey,
    /// None where it was not restored.
    session: Option<Restorable>,
    pub(crate) own: SendChain,
    pub(crate) theirs: ReceiveChain,
    pub(crate) proc: u64,
    pub(crate) peer_recv: u64,
    pub(crate) peer_proc: u64,
    pub(crate) peer_seen: u64,
    pub(crate) unacked: u64,
    pub(crate) cseq_own: u64,
    pub(crate) cseq_peer: u64,
    /// Last record that the peer says it has signed.
    pub(crate) peer_last: u64,
    pub(crate) acked_at: Timestamp,
    pub(crate) ack_owed: bool,
    /// `recv` and `proc` of the newest record of the peer: neither falls from one record to the next.
    pub(crate) said: (u64, u64),
    /// The newest control message that was sealed, kept to be posted again where there is nothing new
    /// to say.
    pub(crate) control: Option<Vec<u8>>,
    pub(crate) control_due: bool,
    /// Hash of what it says, until the ratchet turns.
    pub(crate) control_says: Option<[u8; 32]>,
    /// The newest control message of each side as it was signed: the end of the log.
    pub(super) own_signed: Option<Vec<u8>>,
    pub(super) peer_signed: Option<Vec<u8>>,
    /// How many records are held beyond a gap, and the bytes of their bodies, once counted.
    pub(super) held: Option<(u64, u64)>,
    /// A head of ours that the peer named rightly: it names the same again and again.
    pub(super) checked: Option<(u64, RecordHash)>,
    pub(crate) status_at: Option<Timestamp>,
    pub(crate) status_k: u32,
    pub(crate) to_cert: Certificate,
    /// ROTATE of ours that the peer has not acknowledged: nothing behind it is posted before.
    pub(super) rotate_seq: Option<u64>,
    /// MOVE of ours that the peer has not processed, or whose old mailbox is still needed.
    pub(super) moved_by: Option<u64>,
    /// What the peer had signed when it first acknowledged that.
    pub(super) move_last: Option<u64>,
    /// Something of the peer came through the mailbox that we moved to.
    pub(super) move_taken: bool,
    /// Envelopes that were opened in this batch, and took their place.
    pub(super) opened: u64,
    /// The peer's key before its last rotation, for control messages that were under way.
    pub(super) old_key: Option<PinnedKey>,
    /// The row whose place this one is to take, and has not yet.
    pub(super) resets: Option<PeerKey>,
    /// It has taken the place of another session: the peer signs what was open there again.
    pub(super) follows: bool,
    /// The first record that is signed and waits for room to be sealed; so do all behind it.
    pub(super) unsealed: Option<u64>,
    /// Something came in, or was closed, in this batch.
    pub(super) heard: Option<Heard>,
    /// Which generation of the session is in the store, if that is known.
    stored: Option<u64>,
    pub(super) dirty: bool,
    pub(super) sealed: bool,
}

/// What an answer at the end of the batch has to take account of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Heard {
    /// The peer has begun a new chain.
    pub(super) turned: bool,
}

/// A session of which a copy may be kept for as long as the transaction that changes it is open: what
/// the copy replaces was never told to anyone.
pub(crate) struct Restorable(Session);

impl Clone for Restorable {
    fn clone(&self) -> Self {
        Self(self.0.duplicate())
    }
}

impl std::ops::Deref for Restorable {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl std::ops::DerefMut for Restorable {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.0
    }
}

impl PeerRow {
    pub(super) fn load(tx: &Connection, own: &Identity, key: PeerKey) -> Result<Self, Error> {
        let mut statement = tx.prepare_cached(
            "SELECT p.*, s.ratchet FROM peer p LEFT JOIN session s ON s.peer = p.id WHERE p.id = ?",
        )?;
        match statement.query_row([key.0], |r| Ok(Self::read(r, own, key))).optional()? {
            Some(row) => row,
            None => Err(Self::without_session(tx, key)?),
        }
    }

    /// Why there is no session to work with.
    fn without_session(tx: &Connection, key: PeerKey) -> Result<Error, Error> {
        let name: Option<String> = tx
            .prepare_cached("SELECT name FROM peer WHERE id = ? AND state = 7")?
            .query_row([key.0], |r| r.get(0))
            .optional()?;
        Ok(name.map_or(Error::UnknownPeer, |peer| Error::NeedsReset { peer }))
    }

    fn read(r: &Row<'_>, own: &Identity, key: PeerKey) -> Result<Self, Error> {
        let corrupt = || Error::corrupt("peer");
        let session_id = SessionId::from_bytes(r.get("session_id")?);
        let statements: Vec<u8> = r.get("statements")?;
        let chain = StatementChain::from_stored(&statements).map_err(|_| corrupt())?;
        // Read where it lies: a copy would have to be wiped.
        let session = r.get_ref("ratchet")?.as_blob_or_null().map_err(|_| corrupt())?;
        let session = session.map(|bytes| Session::from_bytes(bytes).map(Restorable));
        let session = session.transpose().map_err(|_| corrupt())?;
        let cert: Vec<u8> = r.get("to_cert")?;
        Ok(Self {
            key,
            name: r.get("name")?,
            stage: Stage::from_store(r.get("state")?)?.with_session(session.is_some())?,
            hello: r.get("hello")?,
            verified: r.get("verified")?,
            link: Link { session: session_id, own: own.root(), peer: Root::from_bytes(r.get("root")?) },
            pinned: chain.current().into(),
            stored: session.as_ref().map(|s| s.generation()),
            session,
            own: SendChain { last: r.get("own_last")?, head: RecordHash::from_bytes(r.get("own_head")?) },
            theirs: ReceiveChain { recv: r.get("recv")?, head: RecordHash::from_bytes(r.get("recv_head")?) },
            proc: r.get("proc")?,
            peer_recv: r.get("peer_recv")?,
            peer_proc: r.get("peer_proc")?,
            peer_seen: r.get("peer_seen")?,
            unacked: r.get("unacked")?,
            cseq_own: r.get("cseq_own")?,
            cseq_peer: r.get("cseq_peer")?,
            peer_last: r.get("peer_last")?,
            acked_at: Timestamp::from_millis(r.get("acked_at")?),
            ack_owed: r.get("ack_owed")?,
            said: (r.get("said_recv")?, r.get("said_proc")?),
            control: r.get("control")?,
            control_due: r.get("control_due")?,
            control_says: r.get("control_says")?,
            own_signed: r.get("own_signed")?,
            peer_signed: r.get("peer_signed")?,
            held: None,
            checked: None,
            status_at: r.get::<_, Option<u64>>("status_at")?.map(Timestamp::from_millis),
            status_k: r.get("status_k")?,
            to_cert: Certificate::from_stored(&cert).map_err(|_| corrupt())?,
            rotate_seq: r.get("rotate_seq")?,
            moved_by: r.get("moved_by")?,
            move_last: r.get("move_last")?,
            move_taken: r.get("move_taken")?,
            opened: 0,
            resets: r.get::<_, Option<i64>>("resets")?.map(PeerKey),
            follows: r.get::<_, Option<i64>>("origin")?.is_some(),
            unsealed: r.get("unsealed")?,
            old_key: r
                .get::<_, Option<[u8; 32]>>("old_key")?
                .map(|key| IdentityPublic::from_bytes(key).into()),
            heard: None,
            dirty: false,
            sealed: false,
        })
    }

    pub(super) fn save(&mut self, tx: &Connection) -> Result<(), Error> {
        let mut statement = tx.prepare_cached(
            "UPDATE peer SET state = :state, hello = :hello, verified = :verified,
                own_last = :own_last, own_head = :own_head, recv = :recv, recv_head = :recv_head, proc = :proc,
                peer_recv = :peer_recv, peer_proc = :peer_proc, peer_seen = :peer_seen, unacked = :unacked,
                cseq_own = :cseq_own, cseq_peer = :cseq_peer,
                peer_last = :peer_last, acked_at = :acked_at, ack_owed = :ack_owed,
                said_recv = :said_recv, said_proc = :said_proc,
                control = :control, control_due = :control_due, control_says = :control_says,
                own_signed = :own_signed, peer_signed = :peer_signed,
                status_at = :status_at, status_k = :status_k, to_cert = :to_cert, rotate_seq = :rotate_seq, old_key = :old_key,
                moved_by = :moved_by, move_last = :move_last, move_taken = :move_taken,
                unsealed = :unsealed
             WHERE id = :id",
        )?;
        statement.execute(named_params! {
            ":id": self.key.0,
            ":state": self.stage.to_store(),
            ":hello": self.hello,
            ":verified": self.verified,
            ":own_last": self.own.last,
            ":own_head": self.own.head.as_bytes(),
            ":recv": self.theirs.recv,
            ":recv_head": self.theirs.head.as_bytes(),
            ":proc": self.proc,
            ":peer_recv": self.peer_recv,
            ":peer_proc": self.peer_proc,
            ":peer_seen": self.peer_seen,
            ":unacked": self.unacked,
            ":cseq_own": self.cseq_own,
            ":cseq_peer": self.cseq_peer,
            ":peer_last": self.peer_last,
            ":acked_at": self.acked_at.as_millis(),
            ":ack_owed": self.ack_owed,
            ":said_recv": self.said.0,
            ":said_proc": self.said.1,
            ":control": self.control,
            ":control_due": self.control_due,
            ":control_says": self.control_says,
            ":own_signed": self.own_signed,
            ":peer_signed": self.peer_signed,
            ":status_at": self.status_at.map(Timestamp::as_millis),
            ":status_k": self.status_k,
            ":to_cert": self.to_cert.as_bytes().as_slice(),
            ":rotate_seq": self.rotate_seq,
            ":moved_by": self.moved_by,
            ":move_last": self.move_last,
            ":move_taken": self.move_taken,
            ":old_key": self.old_key.map(|key| *key.public().as_bytes()),
            ":unsealed": self.unsealed,
        })?;
        if let Some(session) = &self.session
            && self.stored != Some(session.generation())
        {
            tx.prepare_cached("UPDATE session SET ratchet = ? WHERE peer = ?")?
                .execute(params![&*session.to_bytes(), self.key.0])?;
            self.stored = Some(session.generation());
        }
        self.dirty = false;
        Ok(())
    }

    /// The session, where there is one.
    pub(crate) fn session(&mut self) -> Result<&mut Session, Error> {
        match &mut self.session {
            Some(session) => Ok(session),
            None => Err(Error::NeedsReset { peer: self.name.clone() }),
        }
    }

    /// Where its sending chain stands.
    #[cfg(test)]
    pub(crate) fn place(&self) -> Option<crate::session::SendingPlace> {
        self.session.as_ref().map(|session| session.place())
    }

    /// What was written of it may have been taken back.
    pub(super) fn write_again(&mut self) {
        self.stored = None;
        self.dirty = true;
    }

    /// Stops the session and keeps what proves why, the first few times.
    pub(super) fn freeze(
        &mut self,
        tx: &Connection,
        now: Timestamp,
        seq: u64,
        what: &str,
        evidence: (&[u8], &[u8]),
    ) -> Result<(), Error> {
        tx.execute(
            "INSERT INTO evidence (peer, seq, what, one, other, at) SELECT ?1, ?2, ?3, ?4, ?5, ?6
             WHERE (SELECT count(*) FROM evidence WHERE peer = ?1) < ?7",
            params![self.key.0, seq, what, evidence.0, evidence.1, now.as_millis(), MAX_EVIDENCE],
        )?;
        if self.stage.is_live() {
            self.stage = Stage::Frozen;
        }
        Ok(())
    }
}
