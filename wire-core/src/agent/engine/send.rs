//! Saying something: sign, seal, store the exact bytes, all in one step.

use std::fmt;

use rusqlite::{OptionalExtension as _, params};

use super::{Batch, PeerKey, PeerRow, Stage};
use crate::agent::error::Error;
use crate::agent::state::Delivery;
use crate::encoding::cbor;
use crate::entropy::os_rng;
use crate::envelope::EnvelopeHash;
use crate::record::{Draft, Header, Kind, MAX_BODY, RecordId, SignedRecord};
use crate::session::{Lane, SessionError};
use crate::time::Timestamp;

/// Records that the peer has not acknowledged, at most.
pub(crate) const MAX_OUTSTANDING: u64 = 1024;
/// Sealed bytes that the peer has not acknowledged, at most.
const MAX_OUTSTANDING_BYTES: u64 = 16 << 20;
/// Longest key that an application may give a record.
const MAX_KEY: usize = 128;

/// What an application hands in.
pub(crate) struct Outgoing {
    pub(crate) kind: Kind,
    pub(crate) re: Option<RecordId>,
    pub(crate) exp: Option<Timestamp>,
    pub(crate) ctype: String,
    pub(crate) body: Vec<u8>,
    pub(crate) key: Option<String>,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outgoing({}, {} bytes)", self.kind, self.body.len())
    }
}

impl Batch<'_> {
    /// Queues one record for a paired peer. The same key again gives the first record's id.
    pub(crate) fn send(&mut self, peer: PeerKey, out: Outgoing) -> Result<(RecordId, Delivery), Error> {
        if out.body.len() > MAX_BODY {
            return Err(Error::TooLarge { len: out.body.len(), max: MAX_BODY });
        }
        if out.key.as_ref().is_some_and(|k| k.is_empty() || k.len() > MAX_KEY) {
            return Err(Error::usage("a key has 1 to 128 bytes"));
        }
        if !Header::takes_content_type(&out.ctype) {
            return Err(Error::usage("a content type has at most 128 bytes of visible ASCII"));
        }
        if out.exp.is_some_and(|at| !Header::takes_time(at)) {
            return Err(Error::usage("a message has to expire before the year 292 million"));
        }
        if let Some(found) = self.by_key(peer, &out)? {
            return Ok(found);
        }
        self.with_peer(peer, |batch, p| {
            if let Some(end) = p.stage.end(&p.name) {
                return Err(end);
            }
            if p.stage == Stage::Pending {
                return Err(Error::NotPaired { peer: p.name.clone() });
            }
            batch.seal_waiting(p)?;
            Self::check_window(p)?;
            let id = RecordId::generate(batch.now, &mut os_rng());
            let is_ask = out.kind == Kind::Ask;
            batch.sign_and_seal(p, id, out)?;
            if is_ask {
                batch
                    .tx
                    .execute("INSERT INTO ask (peer, id) VALUES (?, ?)", params![peer.0, id.as_bytes()])?;
            }
            Ok((id, Delivery::Queued))
        })
    }

    /// The first record of a session: which versions and kinds we know.
    pub(super) fn send_hello(&mut self, p: &mut PeerRow) -> Result<(), Error> {
        let body = cbor::to_vec(&Hello::ours());
        let hello = Outgoing {
            kind: Kind::Hello,
            re: None,
            exp: None,
            ctype: "application/cbor".to_owned(),
            body,
            key: None,
        };
        p.hello = true;
        let id = RecordId::generate(self.now, &mut os_rng());
        self.sign_and_seal(p, id, hello)
    }

    pub(super) fn sign_and_seal(
        &mut self,
        p: &mut PeerRow,
        id: RecordId,
        out: Outgoing,
    ) -> Result<(), Error> {
        let kind = out.kind.as_str().to_owned();
        let lane =
            if matches!(out.kind, Kind::Rotate | Kind::Move) { Lane::Reserved } else { Lane::Ordinary };
        let draft = Draft { kind: out.kind, id, re: out.re, exp: out.exp, ctype: out.ctype, body: out.body };
        let before = p.own;
        let record = self.sign(p, draft)?;
        if p.unsealed.is_some() {
            // In the order of the chain: what waits is sealed first.
            return self.insert_outbox(p, &record, id, &kind, out.key.as_deref(), None);
        }
        let envelope = seal(p, lane, &record.to_payload()).inspect_err(|_| p.own = before)?;
        p.unacked += envelope.len() as u64;
        self.insert_outbox(p, &record, id, &kind, out.key.as_deref(), Some(&envelope))
    }

    /// Signs the next record of our chain.
    pub(super) fn sign(&mut self, p: &mut PeerRow, draft: Draft) -> Result<SignedRecord, Error> {
        let ack = self.plain_ack(p)?;
        let mut chain = p.own;
        let record = chain
            .sign(self.engine.identity.key(), &p.link, ack, self.now, draft, &mut os_rng())
            .map_err(|_| Error::Internal("signing failed"))?;
        if p.own.last == p.peer_recv {
            // What was asked until now was only whether all is processed.
            (p.status_at, p.status_k) = (None, 0);
        }
        p.own = chain;
        // A record acknowledges as much as a control message would.
        p.ack_owed = false;
        Ok(record)
    }

    /// Stores a record of ours, sealed or to be sealed later.
    pub(super) fn insert_outbox(
        &self,
        p: &PeerRow,
        record: &SignedRecord,
        id: RecordId,
        kind: &str,
        key: Option<&str>,
        envelope: Option<&[u8]>,
    ) -> Result<(), Error> {
        self.tx
            .prepare_cached("INSERT INTO outbox_record (salt, cose, body) VALUES (?, ?, ?)")?
            .execute(params![record.salt.as_bytes(), record.cose, record.body])?;
        let n = self.tx.last_insert_rowid();
        if let Some(envelope) = envelope {
            self.keep_envelope(n, envelope)?;
        }
        self.tx
            .prepare_cached(
                "INSERT INTO outbox (peer, seq, id, key, kind, created, state, hash, env_hash, let_go, size, n)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
            )?
            .execute(params![
                p.key.0,
                record.seq,
                id.as_bytes(),
                key,
                kind,
                self.now.as_millis(),
                Delivery::Queued as i64,
                record.hash.as_bytes(),
                envelope.map(|envelope| *EnvelopeHash::of(envelope).as_bytes()),
                envelope.map_or(0, <[u8]>::len) as u64,
                n,
            ])?;
        Ok(())
    }

    fn keep_envelope(&self, n: i64, envelope: &[u8]) -> Result<(), Error> {
        self.tx
            .prepare_cached("INSERT OR REPLACE INTO outbox_envelope (n, bytes) VALUES (?, ?)")?
            .execute(params![n, envelope])?;
        Ok(())
    }

    /// Seals a stored record again, as a stub where its body is withdrawn. Only on the peer's word
    /// that no live key opens the bytes it got, or when the stored bytes are gone.
    pub(super) fn reseal(&mut self, p: &mut PeerRow, seq: u64) -> Result<(), Error> {
        let Some((record, n, old_size)) = self.unreceived(p.key, seq)? else { return Ok(()) };
        // A full chain waits: the peer's next message turns the ratchet and makes room.
        let Ok(envelope) = seal(p, Lane::Reserved, &record.to_payload()) else { return Ok(()) };
        self.note_sealed(p, seq, n, &envelope)?;
        p.unacked = p.unacked.saturating_sub(old_size) + envelope.len() as u64;
        Ok(())
    }

    /// A record that the peer has not acknowledged, its row of bytes, and how long its envelope is.
    pub(super) fn unreceived(
        &self,
        peer: PeerKey,
        seq: u64,
    ) -> Result<Option<(SignedRecord, i64, u64)>, Error> {
        Ok(self
            .tx
            .prepare_cached(
                "SELECT r.cose, r.salt, r.body, o.hash, o.n, o.size FROM outbox o JOIN outbox_record r ON r.n = o.n
                 WHERE o.peer = ? AND o.seq = ? AND o.state < 2",
            )?
            .query_row(params![peer.0, seq], |r| {
                let record = SignedRecord {
                    seq,
                    cose: r.get(0)?,
                    salt: crate::record::Salt::from_bytes(r.get(1)?),
                    body: r.get(2)?,
                    hash: crate::record::RecordHash::from_bytes(r.get(3)?),
                };
                Ok((record, r.get(4)?, r.get(5)?))
            })
            .optional()?)
    }

    /// Stores the envelope of a record, to be posted.
    pub(super) fn note_sealed(&self, p: &PeerRow, seq: u64, n: i64, envelope: &[u8]) -> Result<(), Error> {
        self.tx
            .prepare_cached(
                "UPDATE outbox SET size = ?, env_hash = ?, state = 0, let_go = 0 WHERE peer = ? AND seq = ?",
            )?
            .execute(params![envelope.len() as u64, EnvelopeHash::of(envelope).as_bytes(), p.key.0, seq])?;
        self.keep_envelope(n, envelope)
    }

    /// The record that was sent with the same key. One that says something else is a mistake, which is not seen
    /// any more where the body was pruned.
    fn by_key(&self, peer: PeerKey, out: &Outgoing) -> Result<Option<(RecordId, Delivery)>, Error> {
        let Some(key) = &out.key else { return Ok(None) };
        let found = self
            .tx
            .prepare_cached(
                "SELECT o.id, o.state, o.kind = ?3 AND (r.body = ?4 OR length(r.salt) = 0)
                 FROM outbox o JOIN outbox_record r ON r.n = o.n WHERE o.key = ?2 AND o.peer IN
                    (SELECT q.id FROM peer q WHERE coalesce(q.origin, q.id) =
                        (SELECT coalesce(origin, id) FROM peer WHERE id = ?1)) ORDER BY o.peer DESC LIMIT 1",
            )?
            .query_row(params![peer.0, key, out.kind.as_str(), out.body], |r| {
                Ok((RecordId::from_bytes(r.get(0)?), r.get::<_, i64>(1)?, r.get::<_, bool>(2)?))
            })
            .optional()?;
        match found {
            None => Ok(None),
            Some((id, state, true)) => Ok(Some((id, Delivery::from_store(state)?))),
            Some((_, _, false)) => Err(Error::usage("the key stands for another message; each has its own")),
        }
    }

    /// Back-pressure: what the receiver may have to hold is bounded, so what we send is.
    fn check_window(p: &PeerRow) -> Result<(), Error> {
        if p.unsealed.is_none() && p.has_room_for(p.own.last.saturating_add(1)) {
            return Ok(());
        }
        let waiting = p.own.last.saturating_sub(p.peer_recv);
        Err(Error::Backpressure { peer: p.name.clone(), waiting })
    }
}

impl PeerRow {
    /// Whether the peer can hold this record of ours, if it has to.
    pub(super) fn has_room_for(&self, seq: u64) -> bool {
        seq <= self.peer_recv.saturating_add(MAX_OUTSTANDING) && self.unacked < MAX_OUTSTANDING_BYTES
    }
}

/// Seals for the peer's mailbox, whose certificate bounds the size.
pub(super) fn seal(p: &mut PeerRow, lane: Lane, payload: &[u8]) -> Result<Vec<u8>, Error> {
    let max = p.to_cert.quota().max_envelope as usize;
    p.sealed = true;
    p.session()?.seal(lane, payload, max, &mut os_rng()).map_err(|e| match e {
        SessionError::ChainFull => {
            Error::Backpressure { peer: p.name.clone(), waiting: p.own.last.saturating_sub(p.peer_recv) }
        }
        SessionError::TooLarge { .. } => Error::TooLarge { len: payload.len(), max },
        _ => Error::Internal("sealing failed"),
    })
}

/// Body of HELLO: {1 versions, 2 kinds}.
#[derive(minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub(super) struct Hello {
    #[n(1)]
    versions: Vec<u8>,
    #[n(2)]
    kinds: Vec<String>,
}

/// The only version of the record layer so far.
const VERSION: u8 = 1;

impl Hello {
    fn ours() -> Self {
        let kinds = [Kind::Msg, Kind::Ask, Kind::Reply, Kind::Cert, Kind::Rotate, Kind::Move];
        Self { versions: vec![VERSION], kinds: kinds.iter().map(|k| k.as_str().to_owned()).collect() }
    }

    /// Whether there is a version that both know.
    pub(super) fn is_compatible(body: &[u8]) -> bool {
        cbor::from_slice::<Self>(body).is_ok_and(|h| h.versions.contains(&VERSION))
    }
}
