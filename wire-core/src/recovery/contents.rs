//! What a recovery file holds, as one deterministic CBOR map.

use std::collections::BTreeSet;

use minicbor::bytes::ByteSlice;
use minicbor::{Decode, Encode};

use super::RecoveryError;
use crate::encoding::{Wiped, cbor};
use crate::identity::{Identity, NextKey, Root, StatementChain};
use crate::mailbox::{Certificate, MailboxKeyPair, RelayId, SenderKeyPair};
use crate::pairing::{DisplayName, ResetKey, ResetKeys, is_petname, is_relay_url};
use crate::record::RecordHash;
use crate::session::SessionId;
use crate::time::Timestamp;

/// Most bytes of the agent's own name.
const MAX_NAME: usize = 64;

/// Everything that a file holds.
#[derive(Clone, Debug)]
pub struct Contents {
    /// When it was written.
    pub saved: Timestamp,
    /// What the agent was called on its machine.
    pub name: String,
    /// The key that speaks for it, and the proof of that.
    pub identity: Identity,
    /// The key that the last statement commits to.
    pub next: NextKey,
    /// The keys of the relays where its mailboxes lie, by rising address.
    pub relays: Vec<KnownRelay>,
    /// Who it is paired with, by rising name.
    pub peers: Vec<SavedPeer>,
}

/// A relay whose key was pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRelay {
    /// Its address.
    pub url: String,
    /// Its key.
    pub id: RelayId,
}

/// A peer, without the session.
#[derive(Clone, Debug)]
pub struct SavedPeer {
    /// Its name on this machine.
    pub name: String,
    /// What it calls itself.
    pub display: DisplayName,
    /// The proof of its key, as far as it was heard.
    pub statements: StatementChain,
    /// When the pairing was confirmed.
    pub since: Timestamp,
    /// The five words were compared.
    pub verified: bool,
    /// The mailbox that it posts to.
    pub mailbox: MailboxKeyPair,
    /// Where that lies.
    pub mailbox_url: String,
    /// The lowest epoch that may post there.
    pub epoch: u32,
    /// The mailbox that we post to.
    pub to: PeerMailbox,
    /// The header keys of a reset.
    pub reset_keys: ResetKeys,
    /// How far both chains were known.
    pub chains: SavedChains,
}

/// How to post to a peer.
#[derive(Clone, Debug)]
pub struct PeerMailbox {
    /// Where its mailbox lies.
    pub url: String,
    /// The key of the relay there.
    pub relay: RelayId,
    /// The right to post.
    pub certificate: Certificate,
    /// The key pair that the certificate names.
    pub sender: SenderKeyPair,
}

/// The session that was, and how far its two chains had come when the file was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedChains {
    /// Its name.
    pub session: SessionId,
    /// The last record of ours.
    pub own_last: u64,
    /// The hash of that, or the session's name.
    pub own_head: RecordHash,
    /// The last record of the peer's run without a gap.
    pub recv: u64,
    /// The hash of that, or the session's name.
    pub recv_head: RecordHash,
    /// The last one of these that is settled here.
    pub proc: u64,
}

impl Contents {
    pub(crate) fn to_body(&self) -> Wiped {
        let (seed, next) = (self.identity.key().seed(), self.next.seed());
        let relays = self.relays.iter().map(|relay| RelayRow { url: &relay.url, id: relay.id }).collect();
        // Seeds are derived from their keys, and have to live as long as what borrows them.
        let secrets: Vec<_> = self.peers.iter().map(|p| (p.mailbox.seed(), p.to.sender.seed())).collect();
        let peers =
            self.peers.iter().zip(&secrets).map(|(p, (mailbox, sender))| p.row(mailbox, sender)).collect();
        cbor::to_wiped(&Body {
            saved: self.saved.as_millis(),
            name: &self.name,
            seed: bytes(seed.as_slice()),
            statements: bytes(self.identity.statements().to_bytes()),
            next: bytes(next.as_slice()),
            relays: Some(relays).filter(|relays: &Vec<_>| !relays.is_empty()),
            peers: Some(peers).filter(|peers: &Vec<_>| !peers.is_empty()),
        })
    }

    /// Everything that can be checked is: chains, certificates, which key belongs to what, order and uniqueness of
    /// names, and the encoding.
    pub(crate) fn from_body(body: &[u8]) -> Result<Self, RecoveryError> {
        Self::read(body).ok_or(RecoveryError::Contents)
    }

    fn read(raw: &[u8]) -> Option<Self> {
        let body: Body<'_> = cbor::from_secret_slice(raw).ok()?;
        let chain = StatementChain::verify(body.statements).ok()?;
        let identity = Identity::from_parts(array(body.seed)?, chain).ok()?;
        let next = NextKey::from_seed(array(body.next)?);
        let is_empty =
            body.relays.as_ref().is_some_and(Vec::is_empty) || body.peers.as_ref().is_some_and(Vec::is_empty);
        if next.digest() != identity.statements().next_digest() || body.name.len() > MAX_NAME || is_empty {
            return None;
        }
        let relays =
            body.relays.unwrap_or_default().into_iter().map(RelayRow::read).collect::<Option<Vec<_>>>()?;
        let peers =
            body.peers.unwrap_or_default().into_iter().map(PeerRow::read).collect::<Option<Vec<_>>>()?;
        let roots: BTreeSet<Root> = peers.iter().map(SavedPeer::root).chain([identity.root()]).collect();
        let rising = relays.is_sorted_by(|a, b| a.url < b.url) && peers.is_sorted_by(|a, b| a.name < b.name);
        let boxes: BTreeSet<_> = peers.iter().map(|p| p.mailbox.public()).collect();
        if !rising || roots.len() != peers.len() + 1 || boxes.len() != peers.len() {
            return None;
        }
        let saved = Timestamp::from_millis(body.saved);
        Some(Self { saved, name: body.name.to_owned(), identity, next, relays, peers })
    }
}

impl SavedPeer {
    /// Its name everywhere.
    pub fn root(&self) -> Root {
        self.statements.root()
    }

    fn row<'a>(&'a self, mailbox: &'a [u8; 32], sender: &'a [u8; 32]) -> PeerRow<'a> {
        let chains = &self.chains;
        PeerRow {
            name: &self.name,
            display: Some(self.display.as_str()).filter(|display| !display.is_empty()),
            statements: bytes(self.statements.to_bytes()),
            since: self.since.as_millis(),
            verified: self.verified.then_some(true),
            own: OwnRow { url: &self.mailbox_url, seed: bytes(mailbox), epoch: self.epoch },
            to: ToRow {
                url: &self.to.url,
                relay: self.to.relay,
                certificate: bytes(self.to.certificate.as_bytes()),
                sender: bytes(sender),
            },
            reset: (bytes(self.reset_keys.own.expose()), bytes(self.reset_keys.peer.expose())),
            chains: ChainsRow {
                session: chains.session,
                own_last: chains.own_last,
                own_head: bytes(chains.own_head.as_bytes()),
                recv: chains.recv,
                recv_head: bytes(chains.recv_head.as_bytes()),
                proc: chains.proc,
            },
        }
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Body<'b> {
    #[n(1)]
    saved: u64,
    #[b(2)]
    name: &'b str,
    #[b(3)]
    seed: &'b ByteSlice,
    #[b(4)]
    statements: &'b ByteSlice,
    #[b(5)]
    next: &'b ByteSlice,
    #[b(6)]
    relays: Option<Vec<RelayRow<'b>>>,
    #[b(7)]
    peers: Option<Vec<PeerRow<'b>>>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct RelayRow<'b> {
    #[b(0)]
    url: &'b str,
    #[n(1)]
    id: RelayId,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct PeerRow<'b> {
    #[b(1)]
    name: &'b str,
    #[b(2)]
    display: Option<&'b str>,
    #[b(3)]
    statements: &'b ByteSlice,
    #[n(4)]
    since: u64,
    #[n(5)]
    verified: Option<bool>,
    #[b(6)]
    own: OwnRow<'b>,
    #[b(7)]
    to: ToRow<'b>,
    #[b(8)]
    reset: (&'b ByteSlice, &'b ByteSlice),
    #[b(9)]
    chains: ChainsRow<'b>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct OwnRow<'b> {
    #[b(0)]
    url: &'b str,
    #[b(1)]
    seed: &'b ByteSlice,
    #[n(2)]
    epoch: u32,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct ToRow<'b> {
    #[b(0)]
    url: &'b str,
    #[n(1)]
    relay: RelayId,
    #[b(2)]
    certificate: &'b ByteSlice,
    #[b(3)]
    sender: &'b ByteSlice,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct ChainsRow<'b> {
    #[n(0)]
    session: SessionId,
    #[n(1)]
    own_last: u64,
    #[b(2)]
    own_head: &'b ByteSlice,
    #[n(3)]
    recv: u64,
    #[b(4)]
    recv_head: &'b ByteSlice,
    #[n(5)]
    proc: u64,
}

impl RelayRow<'_> {
    fn read(self) -> Option<KnownRelay> {
        is_relay_url(self.url).then(|| KnownRelay { url: self.url.to_owned(), id: self.id })
    }
}

impl PeerRow<'_> {
    fn read(self) -> Option<SavedPeer> {
        let display = self.display.unwrap_or_default();
        let sender = SenderKeyPair::from_seed(array(self.to.sender)?);
        let certificate = Certificate::verify(self.to.certificate).ok()?;
        let chains = self.chains;
        let is_sound = is_petname(self.name)
            && DisplayName::is_plain(display)
            && self.display.is_none_or(|display| !display.is_empty())
            && self.verified != Some(false)
            && is_relay_url(self.own.url)
            && is_relay_url(self.to.url)
            && certificate.sender() == sender.public()
            // The numbers of a store are signed.
            && [self.since, chains.own_last, chains.recv].into_iter().all(|n| i64::try_from(n).is_ok())
            && chains.proc <= chains.recv;
        let (reset_own, reset_peer) = self.reset;
        is_sound.then_some(())?;
        Some(SavedPeer {
            name: self.name.to_owned(),
            display: DisplayName::sanitised(display),
            statements: StatementChain::verify(self.statements).ok()?,
            since: Timestamp::from_millis(self.since),
            verified: self.verified.is_some(),
            mailbox: MailboxKeyPair::from_seed(array(self.own.seed)?),
            mailbox_url: self.own.url.to_owned(),
            epoch: self.own.epoch,
            to: PeerMailbox { url: self.to.url.to_owned(), relay: self.to.relay, certificate, sender },
            reset_keys: ResetKeys {
                own: ResetKey::from_bytes(*array(reset_own)?),
                peer: ResetKey::from_bytes(*array(reset_peer)?),
            },
            chains: SavedChains {
                session: chains.session,
                own_last: chains.own_last,
                own_head: RecordHash::from_slice(chains.own_head).ok()?,
                recv: chains.recv,
                recv_head: RecordHash::from_slice(chains.recv_head).ok()?,
                proc: chains.proc,
            },
        })
    }
}

fn bytes(raw: &[u8]) -> &ByteSlice {
    raw.into()
}

fn array(raw: &ByteSlice) -> Option<&[u8; 32]> {
    (**raw).try_into().ok()
}
