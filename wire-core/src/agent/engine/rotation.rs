//! Replacing the identity key: ours, and that of a peer.
//!
//! 1. The new identity is stored, and each peer is told by a ROTATE record, which the old key signs.
//! 2. Until a peer has acknowledged that, nothing behind it is posted to that peer, and our control messages to it
//!    are signed by the old key: it would believe neither.
//! 3. When all have, the old key is erased.
//!
//! A peer's ROTATE counts when its statement continues the chain that is pinned: so only by the key that was
//! committed to be next.

use rusqlite::params;

use super::{Batch, Engine, Outgoing, PeerKey, PeerRow};
use crate::agent::error::Error;
use crate::agent::state::Inward;
use crate::entropy::os_rng;
use crate::identity::{Identity, IdentityKeyPair};
use crate::record::{Inbound, Kind, RecordError, RecordId, open};

/// All who were told of the key have acknowledged it.
const FORGET_OLD: &str = "UPDATE agent SET old_seed = NULL WHERE old_seed IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM peer WHERE rotate_seq IS NOT NULL AND state <= 1)";

impl Engine {
    /// Takes over what another process, or a step before, has made of the identity.
    pub(crate) fn refresh(&mut self, conn: &rusqlite::Connection) -> Result<(), Error> {
        let (length, has_old): (usize, bool) = conn
            .prepare_cached("SELECT length(statements), old_seed IS NOT NULL FROM agent")?
            .query_row([], |r| Ok((r.get(0)?, r.get(1)?)))?;
        if length != self.identity.statements().to_bytes().len() || has_old != self.old.is_some() {
            *self = Self { policy: self.policy.take(), ..Self::load(conn)? };
        }
        Ok(())
    }

    /// The key that signs control messages: the old one for who does not know of the new one yet.
    pub(super) fn control_key(&self, p: &PeerRow) -> &IdentityKeyPair {
        self.old.as_ref().filter(|_| p.rotate_seq.is_some()).unwrap_or(self.identity.key())
    }
}

impl Batch<'_> {
    /// Makes `rotated` our identity and tells every peer. Must be alone in its transaction: what else is signed in
    /// it would be signed by the old key. Gives how many peers have to acknowledge it.
    pub(crate) fn rotate(&mut self, rotated: &Identity) -> Result<usize, Error> {
        self.flush()?;
        self.may_rotate()?;
        let peers: Vec<i64> = self
            .tx
            .prepare("SELECT id FROM peer WHERE state = 1 ORDER BY id")?
            .query_map([], |r| r.get(0))?
            .collect::<Result<_, _>>()?;
        let statement = rotated.statements().last_statement().to_vec();
        for key in &peers {
            let out = Outgoing {
                kind: Kind::Rotate,
                re: None,
                exp: None,
                ctype: "application/octet-stream".to_owned(),
                body: statement.clone(),
                key: None,
            };
            self.with_peer(PeerKey(*key), |batch, p| {
                let id = RecordId::generate(batch.now, &mut os_rng());
                batch.sign_and_seal(p, id, out)?;
                p.rotate_seq = Some(p.own.last);
                Ok(())
            })?;
        }
        // What was asked for under the old key is not answered any more by who has heard of the new one.
        for peer in self.resets_asked()? {
            self.drop_reset(peer)?;
        }
        let old = self.engine.identity.key().seed();
        self.tx.execute(
            "UPDATE agent SET seed = ?, statements = ?, old_seed = ?",
            params![
                rotated.key().seed().as_slice(),
                rotated.statements().to_bytes(),
                (!peers.is_empty()).then_some(old.as_slice())
            ],
        )?;
        Ok(peers.len())
    }

    /// Whoever is in the middle of a pairing would hear of a key that its offer did not name, and whoever does not
    /// know of the last rotation would be told by a key that it does not know.
    fn may_rotate(&self) -> Result<(), Error> {
        let waiting = self.not_told()?;
        if !waiting.is_empty() {
            return Err(Error::RotationUnderWay { peers: waiting });
        }
        let mut pairing = self.names("SELECT name FROM peer WHERE state = 0 ORDER BY name")?;
        pairing.extend(self.names("SELECT coalesce(name, 'an invite') FROM invite WHERE step IN (1, 2)")?);
        if pairing.is_empty() { Ok(()) } else { Err(Error::PairingUnderWay { peers: pairing }) }
    }

    /// Peers that have not acknowledged our last rotation, by name.
    pub(crate) fn not_told(&self) -> Result<Vec<String>, Error> {
        self.names("SELECT name FROM peer WHERE rotate_seq IS NOT NULL AND state <= 1 ORDER BY name")
    }

    pub(super) fn names(&self, sql: &str) -> Result<Vec<String>, Error> {
        let mut statement = self.tx.prepare_cached(sql)?;
        let names = statement.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?;
        Ok(names)
    }

    /// A record of the peer that replaces its key.
    pub(super) fn take_rotation(&mut self, p: &mut PeerRow, statement: &[u8]) -> Result<Inward, Error> {
        let Ok(chain) = self.pinned_statements(p.key)?.extended(statement) else {
            // Its current key alone does not do: this may be a thief's try.
            self.tx.execute(
                "UPDATE peer SET rotation_refused = ? WHERE id = ?",
                params![self.now.as_millis(), p.key.0],
            )?;
            return Ok(Inward::Refused);
        };
        p.old_key = Some(p.pinned);
        p.pinned = chain.current().into();
        self.tx.execute(
            "UPDATE peer SET statements = ?, rotated = ? WHERE id = ?",
            params![chain.to_bytes(), self.now.as_millis(), p.key.0],
        )?;
        self.outdate(p.key)?;
        Ok(Inward::Processed)
    }

    /// Opens what the peer signed: with the key that is pinned, or a control message with the one before that, until
    /// the first message of the new one.
    pub(super) fn open_signed(&self, p: &mut PeerRow, payload: &[u8]) -> Result<Inbound, RecordError> {
        let opened = open(payload, &p.link, &p.pinned);
        match (&opened, p.old_key) {
            (Ok(_), Some(_)) => p.old_key = None,
            (Err(RecordError::Signature), Some(old)) => {
                if let Ok(control @ Inbound::Control(_)) = open(payload, &p.link, &old) {
                    return Ok(control);
                }
            }
            _ => {}
        }
        opened
    }

    /// The peer has acknowledged up to here: it knows our key.
    pub(super) fn note_rotation_heard(p: &mut PeerRow) {
        if p.rotate_seq.is_some_and(|seq| p.peer_recv >= seq) {
            p.rotate_seq = None;
        }
    }

    /// Erases the old key when nobody needs it any more.
    pub(crate) fn forget_old_key(&mut self) -> Result<(), Error> {
        if self.engine.old.is_some() {
            self.flush()?;
            self.tx.prepare_cached(FORGET_OLD)?.execute([])?;
        }
        Ok(())
    }
}
