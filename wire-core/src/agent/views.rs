//! What an agent shows of itself: plain values, copied out of the store.

use std::path::PathBuf;

use super::core::Agent;
use super::engine::{Batch, DeliveryRow, PeerView, ResetView, Stage};
use super::error::{Error, Result};
use super::peer::Peer;
use super::state::Delivery;
use super::trouble::Trouble;
use crate::identity::Root;
use crate::mailbox::Refusal;
use crate::record::RecordId;
use crate::time::Timestamp;

/// After so long without the peer's word a record is shown as overdue.
const OVERDUE_MS: u64 = 15 * 60_000;

/// The agent itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AgentInfo {
    /// Its name on this machine.
    pub name: String,
    /// Its name everywhere.
    pub root: Root,
    /// The relay that it uses.
    pub relay: String,
    /// Where its state is.
    pub folder: PathBuf,
    /// The key that may rotate the identity still lies beside the store: no backup was made.
    pub next_key_here: bool,
}

/// What is known of a relay in this process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelayState {
    /// It was not asked yet.
    Unknown,
    /// It answers.
    Reachable,
    /// It does not, and why.
    Unreachable(String),
    /// It answers with another key than the one pinned for it; nothing is posted there.
    Mismatch,
    /// Its clock and ours are more than a day apart.
    ClockSkew(String),
    /// It refuses us, and why.
    Refuses(Refusal),
}

impl RelayState {
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::RelayMismatch { .. } => Self::Mismatch,
            Error::ClockSkew { .. } => Self::ClockSkew(error.to_string()),
            Error::Relay(refusal) => Self::Refuses(*refusal),
            other => Self::Unreachable(other.to_string()),
        }
    }

    /// The word for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Reachable => "reachable",
            Self::Unreachable(_) => "unreachable",
            Self::Mismatch => "mismatch",
            Self::ClockSkew(_) => "clock_skew",
            Self::Refuses(_) => "refuses",
        }
    }
}

/// How far a pairing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerState {
    /// Confirmed by code; the peer's first record is not here yet, or the SAS waits to be compared.
    Pending,
    /// Complete.
    Paired,
    /// The peer has revoked us: nothing more is sent, and what it sent before is still taken.
    Ended,
    /// Stopped: the peer's signed history contradicts itself, or its state was copied.
    Frozen,
    /// Ended here.
    Revoked,
    /// A later pairing with the same agent took its place.
    Replaced,
    /// Never completed.
    Abandoned,
    /// The pairing was restored and its session was not: nothing is sent or taken before a reset.
    Lost,
}

impl PeerState {
    /// The word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Paired => "paired",
            Self::Ended => "ended",
            Self::Frozen => "frozen",
            Self::Revoked => "revoked",
            Self::Replaced => "replaced",
            Self::Abandoned => "abandoned",
            Self::Lost => "lost",
        }
    }
}

impl From<Stage> for PeerState {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Pending => Self::Pending,
            Stage::Paired => Self::Paired,
            Stage::Ended => Self::Ended,
            Stage::Frozen => Self::Frozen,
            Stage::Revoked => Self::Revoked,
            Stage::Replaced => Self::Replaced,
            Stage::Abandoned => Self::Abandoned,
            Stage::Lost => Self::Lost,
        }
    }
}

impl From<PeerState> for Stage {
    fn from(state: PeerState) -> Self {
        match state {
            PeerState::Pending => Self::Pending,
            PeerState::Paired => Self::Paired,
            PeerState::Ended => Self::Ended,
            PeerState::Frozen => Self::Frozen,
            PeerState::Revoked => Self::Revoked,
            PeerState::Replaced => Self::Replaced,
            PeerState::Abandoned => Self::Abandoned,
            PeerState::Lost => Self::Lost,
        }
    }
}

/// A peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// Its name on this machine.
    pub name: String,
    /// What it calls itself. Never used as a name.
    pub display: String,
    /// Its name everywhere.
    pub root: Root,
    /// How far the pairing is.
    pub state: PeerState,
    /// When the pairing was confirmed.
    pub since: Timestamp,
    /// The five words; equal on both sides exactly when nobody stands in between.
    pub sas: String,
    /// The owner has compared them.
    pub verified: bool,
    /// The pairing waits for that.
    pub awaits_verification: bool,
    /// The relay of its mailbox.
    pub relay: String,
    /// Records that wait to be posted.
    pub queued: u64,
    /// Records that the peer has not acknowledged.
    pub unacked: u64,
    /// Records of the peer that wait to be processed here.
    pub unread: u64,
    /// Records of the peer that were handed out too often in vain; see [`Agent::poison`].
    pub poison: u64,
    /// Envelopes that were rejected: nothing in them could be taken for a word of the peer.
    pub rejected: u64,
    /// Why its relay did not take the last post.
    pub refused: Option<String>,
    /// How often it has replaced its key.
    pub rotations: u64,
    /// It has not acknowledged our new key yet: what is sent to it waits for that.
    pub awaits_new_key: bool,
    /// When that was last heard here, in this pairing.
    pub rotated: Option<Timestamp>,
    /// When it, or who has its current key alone, tried to replace the key by one that it had not committed to.
    pub rotation_refused: Option<Timestamp>,
    /// The relay of the mailbox that it posts to.
    pub own_relay: String,
    /// That mailbox was moved, and the old one is still read.
    pub moving: bool,
    /// When it refused the last move: the mailbox is where it was.
    pub move_refused: Option<Timestamp>,
    /// The reset of its session that is under way.
    pub reset: Option<ResetInfo>,
    /// When words were typed that were not those of a reset, which was thrown away: someone may have stood in
    /// between. Until the next reset is asked for.
    pub words_differed: Option<Timestamp>,
    /// Records of ours, the first and the last of them by number, that the peer had received, and had lost when its
    /// session was reset. What it had not processed of them was sent again.
    pub lost: Option<(u64, u64)>,
}

/// How far the reset of a session is. It changes nothing before it is complete, and is completed by owners alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResetInfo {
    /// What it waits for.
    pub state: ResetState,
    /// The eight words that this side's owner reads out, once both sides have agreed.
    pub words: Option<String>,
}

/// What a reset waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResetState {
    /// The peer, or who has stolen its store, asks for it: our owner answers by [`Peer::reset`](super::Peer::reset),
    /// or does nothing.
    Requested,
    /// We have asked; the peer's owner has to answer.
    Asked,
    /// Both have agreed: our owner has to type the words that the other one reads out.
    AwaitsWords,
    /// Our owner is done; the peer's has to type our words.
    Confirmed,
}

impl ResetState {
    /// The word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Asked => "asked",
            Self::AwaitsWords => "awaits_words",
            Self::Confirmed => "confirmed",
        }
    }
}

impl From<ResetView> for ResetInfo {
    fn from(v: ResetView) -> Self {
        let state = match (&v.theirs, &v.agreed) {
            // The peer has begun anew, so what was agreed before is worth nothing to it.
            (Some(_), _) => ResetState::Requested,
            (None, Some((true, _))) => ResetState::Confirmed,
            (None, Some((false, _))) => ResetState::AwaitsWords,
            (None, None) => ResetState::Asked,
        };
        Self { state, words: v.agreed.map(|(_, words)| words) }
    }
}

impl From<PeerView> for PeerInfo {
    fn from(v: PeerView) -> Self {
        Self {
            name: v.name,
            display: v.display,
            root: v.root,
            state: v.stage.into(),
            since: v.since,
            sas: v.sas,
            verified: v.verified,
            awaits_verification: v.stage == Stage::Pending && !v.hello,
            relay: v.relay,
            queued: v.queued,
            unacked: v.unacked,
            unread: v.unread,
            poison: v.poison,
            rejected: v.rejected,
            refused: v.refused,
            rotations: v.rotations,
            awaits_new_key: v.awaits_key,
            rotated: v.rotated,
            rotation_refused: v.rotation_refused,
            own_relay: v.own_relay,
            moving: v.moving,
            move_refused: v.move_refused,
            reset: v.reset.map(ResetInfo::from),
            words_differed: v.words_differed,
            lost: v.lost,
        }
    }
}

/// A record that we sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// Its stable id.
    pub id: RecordId,
    /// Local name of the peer.
    pub peer: String,
    /// What it is for: `msg`, `ask`, `reply`.
    pub kind: String,
    /// How far it got, as far as it was proved.
    pub state: Delivery,
    /// The peer has not acknowledged it for too long.
    pub overdue: bool,
    /// When it was queued.
    pub created: Timestamp,
    /// Why nothing more will happen to it, where that is how its pairing ended.
    pub end: Option<Trouble>,
}

impl Sent {
    pub(crate) fn of(row: DeliveryRow, now: Timestamp) -> Self {
        let overdue = row.state < Delivery::Received && now.since(row.created) > OVERDUE_MS;
        Self {
            end: row.end().as_ref().map(Trouble::from),
            id: row.id,
            peer: row.peer_name,
            kind: row.kind,
            state: row.state,
            overdue,
            created: row.created,
        }
    }

    /// Whether nothing more will happen to it.
    pub fn is_final(&self) -> bool {
        self.state.is_final() || self.end.is_some()
    }
}

impl Agent {
    /// All pairings, live ones first.
    pub async fn peers(&self) -> Result<Vec<PeerInfo>> {
        let views = self.shared.worker.read(|b| b.list_peers()).await?;
        Ok(views.into_iter().map(PeerInfo::from).collect())
    }

    /// The peer with this local name or `wid:` name.
    pub async fn peer(&self, who: &str) -> Result<Peer> {
        let who = who.to_owned();
        let view = self.shared.worker.read(move |b| b.find_peer(&who)).await?;
        Ok(Peer::new(self.clone(), view.key))
    }

    /// How far a record that we sent got.
    pub async fn status(&self, id: &RecordId) -> Result<Sent> {
        let id = *id;
        let row = self.shared.worker.read(move |b| b.delivery(&id)).await?;
        row.map(|row| Sent::of(row, self.shared.now())).ok_or(Error::UnknownMessage)
    }

    /// Waits until a record that we sent got at least so far, or is final, or no word of it can come any
    /// more: [`Sent::end`] says why. What the peer had posted before it ended the pairing is read first.
    pub async fn wait_for(&self, id: &RecordId, least: Delivery) -> Result<Sent> {
        let (id, shared) = (*id, &self.shared);
        let look = move |b: &Batch<'_>| b.delivery(&id)?.ok_or(Error::UnknownMessage);
        let peer = Peer::new(self.clone(), shared.worker.read(look).await?.peer);
        let reached = move |row: &DeliveryRow| row.state >= least || row.end().is_some();
        tokio::select! {
            biased;
            row = shared.wait_for(move |b| Ok(Some(look(b)?).filter(reached))) => {
                Ok(Sent::of(row?, shared.now()))
            }
            end = peer.last_word(id) => {
                let end = end?;
                // It may be what came last.
                let row = shared.worker.read(look).await?;
                let is_reached = reached(&row);
                let mut sent = Sent::of(row, shared.now());
                if !is_reached {
                    sent.end = Some(Trouble::from(&end));
                }
                Ok(sent)
            }
        }
    }

    /// The newest records that are not final yet, at most `max`.
    pub async fn open_deliveries(&self, max: u32) -> Result<Vec<Sent>> {
        let rows = self.shared.worker.read(move |b| b.open_deliveries(max)).await?;
        let now = self.shared.now();
        Ok(rows.into_iter().map(|row| Sent::of(row, now)).collect())
    }

    /// Follows the store: it reads as changed when something in it may have, here or in another process.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.shared.worker.changes()
    }

    /// What this process knows of a relay.
    pub fn relay_state(&self, url: &str) -> RelayState {
        self.shared.relay_state(url)
    }

    /// Waits until what this process knows of any relay, or of what the own store does not take, changes,
    /// counted from this call.
    pub fn trouble_changed(&self) -> impl Future<Output = Result<()>> + use<> {
        let (mut changes, closed) = (self.shared.trouble_changes(), self.shared.closed());
        async move {
            tokio::select! {
                changed = changes.changed() => changed.map_err(|_| Error::Closed),
                () = closed => Err(Error::Closed),
            }
        }
    }

    /// Tries at once what waits for its back-off.
    pub fn retry_now(&self) {
        self.shared.hurry.notify_one();
    }
}
