//! Into the recovery file, and out of it into a new store.
//!
//! The file is written before the transaction commits that says so, or that rotates: what the store says of the file
//! is true, and a file that is ahead of the store by one statement is a rotation that was cut off. It holds the
//! identity that the rotation made, so the same rotation is completed from it.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Row, Transaction, named_params, params};
use zeroize::Zeroizing;

use super::{Batch, Engine, PeerKey, StoreKey};
use crate::agent::error::Error;
use crate::entropy::os_rng;
use crate::identity::{Identity, NextKey, STATEMENT_LEN, StatementChain};
use crate::mailbox::{Certificate, MailboxKeyPair, RelayId, SenderKeyPair};
use crate::pairing::{DisplayName, ResetKey, ResetKeys};
use crate::record::RecordHash;
use crate::recovery::{Contents, KnownRelay, PeerMailbox, SavedChains, SavedPeer};
use crate::session::SessionId;
use crate::time::Timestamp;

/// What the store knows of the recovery file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BackupView {
    pub(crate) file: String,
    pub(crate) at: Timestamp,
    /// Peers of which the file does not know, or not the newest, by name.
    pub(crate) missing: Vec<String>,
}

const SAVED: &str =
    "SELECT name, display, statements, since, verified, box_seed, box_url, box_epoch, to_url, to_relay,
    to_cert, to_seed, reset_own, reset_peer, session_id, own_last, own_head, recv, recv_head, proc
    FROM peer WHERE state IN (1, 3) ORDER BY state = 1 DESC, id DESC";

impl Engine {
    /// Fills a new store with what a file held. Its peers have no session.
    pub(crate) fn restore(
        tx: &Transaction<'_>,
        now: Timestamp,
        contents: &Contents,
        file: &str,
    ) -> Result<(), Error> {
        let identity = &contents.identity;
        tx.execute(
            "INSERT INTO agent (id, seed, statements, store_key, created, backup_at, backup_file)
             VALUES (1, ?, ?, ?, ?, ?, ?)",
            params![
                identity.key().seed().as_slice(),
                identity.statements().to_bytes(),
                StoreKey::random(&mut os_rng()).expose(),
                now.as_millis(),
                contents.saved.as_millis(),
                file
            ],
        )?;
        for relay in &contents.relays {
            // It has to prove its key before it is used, as any relay does whose time is not known.
            tx.execute(
                "INSERT INTO relay (url, relay_id, offset_ms, doubted) VALUES (?, ?, 0, 1)",
                params![relay.url, relay.id.as_bytes()],
            )?;
        }
        contents.peers.iter().try_for_each(|peer| insert(tx, now, peer))
    }
}

impl Batch<'_> {
    /// Writes a recovery file by `save`, with `next` in it, and notes that.
    pub(crate) fn back_up(
        &mut self,
        name: &str,
        next: &NextKey,
        file: &str,
        save: impl FnOnce(&Contents) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let identity = self.engine.identity.clone();
        let contents = self.contents(name, identity, next.clone())?;
        save(&contents)?;
        self.note_backup(file)
    }

    /// Rotates by what the recovery file holds, and writes by `save` the file that belongs to the new key, the last
    /// step before the commit. Must be alone in its transaction.
    pub(crate) fn rotate_from(
        &mut self,
        held: &Contents,
        name: &str,
        file: &str,
        save: impl FnOnce(&Contents) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let own = &self.engine.identity;
        let (rotated, after) = match Ahead::of(held, own, file)? {
            Ahead::Not => own.rotate(&held.next, &mut os_rng()).map_err(Error::Rotation)?,
            // Cut off after the file was written: the same once more.
            Ahead::ByOne => (held.identity.clone(), held.next.clone()),
        };
        self.rotate(&rotated)?;
        let contents = self.contents(name, rotated, after)?;
        save(&contents)?;
        self.note_backup(file)
    }

    /// The next key that a file holds for the present identity.
    pub(crate) fn next_key_of(&self, held: &Contents, file: &str) -> Result<NextKey, Error> {
        match Ahead::of(held, &self.engine.identity, file)? {
            Ahead::Not => Ok(held.next.clone()),
            Ahead::ByOne => Err(Error::RotationCutOff { path: file.to_owned() }),
        }
    }

    /// The recovery file, as far as it is known here.
    pub(crate) fn backup(&self) -> Result<Option<BackupView>, Error> {
        let known = self
            .tx
            .prepare_cached("SELECT backup_file, backup_at FROM agent")?
            .query_row([], |r| Ok(r.get::<_, Option<String>>(0)?.zip(r.get::<_, Option<u64>>(1)?)))?;
        let missing =
            self.names("SELECT name FROM peer WHERE state IN (1, 3) AND in_file = 0 ORDER BY name")?;
        Ok(known.map(|(file, at)| BackupView { file, at: Timestamp::from_millis(at), missing }))
    }

    /// The next key has come back beside the store: no file has the one after it.
    pub(crate) fn forget_backup(&mut self) -> Result<(), Error> {
        self.tx.execute("UPDATE agent SET backup_at = NULL, backup_file = NULL, next_moved = 0", [])?;
        Ok(())
    }

    /// Whether the file of the next key beside the store is to be erased: a recovery file has it.
    pub(crate) fn has_moved_next_key(&self) -> Result<bool, Error> {
        Ok(self.tx.prepare_cached("SELECT next_moved FROM agent")?.query_row([], |r| r.get(0))?)
    }

    /// It was erased.
    pub(crate) fn next_key_erased(&mut self) -> Result<(), Error> {
        self.tx.execute("UPDATE agent SET next_moved = 0", [])?;
        Ok(())
    }

    /// The recovery file does not know this peer as it is now.
    pub(super) fn outdate(&mut self, peer: PeerKey) -> Result<(), Error> {
        self.tx.execute("UPDATE peer SET in_file = 0 WHERE id = ?", [peer.0])?;
        Ok(())
    }

    fn note_backup(&mut self, file: &str) -> Result<(), Error> {
        self.tx.execute(
            "UPDATE agent SET backup_at = ?, backup_file = ?, next_moved = 1",
            params![self.now.as_millis(), file],
        )?;
        self.tx.execute("UPDATE peer SET in_file = 1 WHERE state IN (1, 3)", [])?;
        Ok(())
    }

    fn contents(&mut self, name: &str, identity: Identity, next: NextKey) -> Result<Contents, Error> {
        self.flush()?;
        let mut statement = self.tx.prepare_cached(SAVED)?;
        let mut rows = statement.query([])?;
        let (mut roots, mut peers) = (BTreeSet::new(), BTreeMap::new());
        while let Some(row) = rows.next()? {
            let peer = saved(row)??;
            // Of a root that was paired with again, the newest.
            if roots.insert(peer.root()) {
                peers.insert(peer.name.clone(), peer);
            }
        }
        let urls: BTreeSet<&str> = peers.values().map(|peer: &SavedPeer| peer.mailbox_url.as_str()).collect();
        let mut relays = Vec::new();
        for url in urls {
            let id = self.pinned(url)?.map(|(known, _)| known.id);
            relays.extend(id.map(|id| KnownRelay { url: url.to_owned(), id }));
        }
        let peers = peers.into_values().collect();
        Ok(Contents { saved: self.now, name: name.to_owned(), identity, next, relays, peers })
    }
}

/// Where a file stands against the store.
enum Ahead {
    /// It has the key that the present statement commits to.
    Not,
    /// It has the present statement and the one after it.
    ByOne,
}

impl Ahead {
    fn of(held: &Contents, own: &Identity, file: &str) -> Result<Self, Error> {
        let (theirs, ours) = (held.identity.statements(), own.statements());
        if theirs.root() != ours.root() {
            return Err(Error::AnotherIdentity { path: file.to_owned() });
        }
        let (theirs, ours) = (theirs.to_bytes(), ours.to_bytes());
        match theirs.strip_prefix(ours).map(<[u8]>::len) {
            Some(0) => Ok(Self::Not),
            Some(STATEMENT_LEN) => Ok(Self::ByOne),
            _ => Err(Error::StaleRecovery { path: file.to_owned() }),
        }
    }
}

fn insert(tx: &Transaction<'_>, now: Timestamp, peer: &SavedPeer) -> Result<(), Error> {
    let (to, chains) = (&peer.to, &peer.chains);
    tx.execute(
        "INSERT INTO peer (root, name, display, statements, state, since, sas, hello, verified,
            reset_own, reset_peer, session_id, own_last, own_head, recv, recv_head, proc,
            peer_recv, peer_proc, peer_seen, unacked, cseq_own, cseq_peer, peer_last, acked_at, ack_owed, said_recv, said_proc,
            control_due, status_k, in_file,
            box_seed, box_id, box_url, box_epoch, box_seq, box_gone, to_seed, to_cert, to_url, to_relay)
         VALUES (:root, :name, :display, :statements, 3, :since, '', 1, :verified,
            :reset_own, :reset_peer, :session, :own_last, :own_head, :recv, :recv_head, :proc,
            :own_last, :own_last, 0, 0, 0, 0, 0, :now, 0, 0, 0, 0, 0, 1,
            :seed, :box, :url, :epoch, 0, 0, :to_seed, :to_cert, :to_url, :to_relay)",
        named_params! {
            ":root": peer.root().as_bytes(),
            ":name": peer.name,
            ":display": peer.display.as_str(),
            ":statements": peer.statements.to_bytes(),
            ":since": peer.since.as_millis(),
            ":verified": peer.verified,
            ":reset_own": peer.reset_keys.own.expose(),
            ":reset_peer": peer.reset_keys.peer.expose(),
            ":session": chains.session.as_bytes(),
            ":own_last": chains.own_last,
            ":own_head": chains.own_head.as_bytes(),
            ":recv": chains.recv,
            ":recv_head": chains.recv_head.as_bytes(),
            ":proc": chains.proc,
            ":now": now.as_millis(),
            ":seed": peer.mailbox.seed().as_slice(),
            ":box": peer.mailbox.public().as_bytes(),
            ":url": peer.mailbox_url,
            ":epoch": peer.epoch,
            ":to_seed": to.sender.seed().as_slice(),
            ":to_cert": to.certificate.as_bytes().as_slice(),
            ":to_url": to.url,
            ":to_relay": to.relay.as_bytes(),
        },
    )?;
    Ok(())
}

/// One row; what was verified on its way into the store is not verified again.
fn saved(r: &Row<'_>) -> rusqlite::Result<Result<SavedPeer, Error>> {
    let secret = |at: &str| r.get::<_, [u8; 32]>(at).map(Zeroizing::new);
    let (display, statements, cert): (String, Vec<u8>, Vec<u8>) =
        (r.get("display")?, r.get("statements")?, r.get("to_cert")?);
    let verified = (StatementChain::from_stored(&statements), Certificate::from_stored(&cert));
    let (Ok(statements), Ok(certificate)) = verified else {
        return Ok(Err(Error::corrupt("peer")));
    };
    Ok(Ok(SavedPeer {
        name: r.get("name")?,
        display: DisplayName::sanitised(&display),
        statements,
        since: Timestamp::from_millis(r.get("since")?),
        verified: r.get("verified")?,
        mailbox: MailboxKeyPair::from_seed(&*secret("box_seed")?),
        mailbox_url: r.get("box_url")?,
        epoch: r.get("box_epoch")?,
        to: PeerMailbox {
            url: r.get("to_url")?,
            relay: RelayId::from_bytes(r.get("to_relay")?),
            certificate,
            sender: SenderKeyPair::from_seed(&*secret("to_seed")?),
        },
        reset_keys: ResetKeys {
            own: ResetKey::from_bytes(*secret("reset_own")?),
            peer: ResetKey::from_bytes(*secret("reset_peer")?),
        },
        chains: SavedChains {
            session: SessionId::from_bytes(r.get("session_id")?),
            own_last: r.get("own_last")?,
            own_head: RecordHash::from_bytes(r.get("own_head")?),
            recv: r.get("recv")?,
            recv_head: RecordHash::from_bytes(r.get("recv_head")?),
            proc: r.get("proc")?,
        },
    }))
}
