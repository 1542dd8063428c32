//! Invites: a pairing whose two sides need never be on line at the same time.
//!
//! The maker stores what it needs and posts M1; whoever follows the link answers with M2 whenever it
//! comes; any open process of either agent takes the next step when it finds its slot filled. The
//! secret of the link is stored by nobody.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::core::{Agent, Shared, within};
use super::engine::{InviteRow, InviteStep, NewPeer, PeerKey, SlotRow};
use super::error::{Error, Result};
use super::meeting::{self, Meeting, Ours};
use super::offer::{self, PairOptions};
use super::peer::Peer;
use super::relay_api::RelayApi;
use super::trouble::Trouble;
use crate::entropy::os_rng;
use crate::mailbox::{Allocate, Claim, ClientToken, Right, Slot};
use crate::pairing::{AwaitingConfirmation, Context, Initiator, InviteId, InviteLink, Origin, Responder};
use crate::time::Timestamp;

/// An invite whose link is to be handed to the other side.
pub struct Invite {
    agent: Agent,
    link: InviteLink,
    until: Timestamp,
}

/// A link that was followed; the other side has to come on line to complete the pairing.
#[derive(Clone, Debug)]
pub struct FollowedInvite {
    agent: Agent,
    id: InviteId,
}

/// How far an invite is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InviteState {
    /// We made the link; nobody has followed it yet.
    Waiting,
    /// Somebody followed our link and has to come on line again.
    Confirming,
    /// We followed a link; its maker has to come on line.
    Joined,
    /// It failed. One that led to a peer is that peer.
    Failed,
}

/// An invite of this agent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InviteInfo {
    /// How far it is.
    pub state: InviteState,
    /// The name that the peer will have here, if one was chosen.
    pub name: Option<String>,
    /// Until when it can be followed or completed.
    pub until: Timestamp,
    /// Why it failed, if it did.
    pub why: Option<Trouble>,
}

impl InviteState {
    /// The stable word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Confirming => "confirming",
            Self::Joined => "joined",
            Self::Failed => "failed",
        }
    }
}

impl From<InviteRow> for InviteInfo {
    fn from(row: InviteRow) -> Self {
        let why = row.failed.as_deref().map(|why| Trouble::from(&failed(why)));
        Self { state: row.step.into(), name: row.name, until: row.until, why }
    }
}

impl From<InviteStep> for InviteState {
    fn from(step: InviteStep) -> Self {
        match step {
            InviteStep::Offered => Self::Waiting,
            InviteStep::Confirming => Self::Confirming,
            InviteStep::Joined => Self::Joined,
            InviteStep::Over => Self::Failed,
        }
    }
}

impl Agent {
    /// The invites that are not over, and for a day after their time those that failed or ran out.
    pub async fn invites(&self) -> Result<Vec<InviteInfo>> {
        let rows = self.shared.worker.read(|b| b.listed_invites()).await?;
        Ok(rows.into_iter().map(InviteInfo::from).collect())
    }

    /// Makes a link with a 128-bit secret that one agent can follow within days. Pairing by it needs no
    /// moment at which both are on line.
    pub async fn invite(&self, options: PairOptions) -> Result<Invite> {
        let shared = &self.shared;
        options.check(shared).await?;
        let (url, reach) = shared.contact(shared.config.relay().as_str(), true)?;
        let api = shared.api(url, reach);
        let relay = shared.identify(&api).await?;
        let origin: Origin = api.url.as_str().parse().map_err(|_| Error::Internal("own relay address"))?;
        let link = InviteLink::generate(origin, &mut os_rng());
        let token = ClientToken::random(&mut os_rng());
        let call = Allocate { token: token.hash(), invite: Some(link.id), right: Right::None };
        let until = api.allocate(&call).await?.until;
        let context = Context { relay: relay.id, rendezvous: link.rendezvous() };
        let (initiator, m1) = Initiator::start(&link.pairing_secret(), context, &mut os_rng());
        let meeting = Meeting { api, relay, at: link.rendezvous(), token, until };
        let row = InviteRow {
            id: link.id,
            step: InviteStep::Offered,
            url: meeting.url(),
            relay: relay.id,
            token: meeting.token.clone(),
            state: initiator.to_bytes()?,
            mailbox: None,
            name: options.name,
            verify: options.verify,
            until,
            peer: None,
            failed: None,
        };
        commit(shared, &meeting, row, Slot::A1, m1).await?;
        Ok(Invite { agent: self.clone(), link, until })
    }

    /// Follows an invite link. The pairing completes when the maker of the link comes on line.
    pub async fn follow(&self, link: &str, options: PairOptions) -> Result<FollowedInvite> {
        let link = InviteLink::parse(link)?;
        let shared = &self.shared;
        let id = link.id;
        match shared.worker.read(move |b| b.invite(&id)).await?.map(|row| row.step) {
            None => {}
            Some(InviteStep::Offered | InviteStep::Confirming) => {
                return Err(Error::usage("that is this agent's own link: the other side has to follow it"));
            }
            Some(InviteStep::Joined | InviteStep::Over) => {
                return Ok(FollowedInvite { agent: self.clone(), id });
            }
        }
        options.check(shared).await?;
        let (url, reach) = shared.contact(link.origin.as_str(), true)?;
        let api = shared.api(url, reach);
        let relay = shared.identify(&api).await?;
        let token = ClientToken::random(&mut os_rng());
        let claim = Claim { place: link.rendezvous(), token: token.hash() };
        let until = api.claim(&claim).await.map_err(Error::at_rendezvous)?.until;
        let meeting = Meeting { api, relay, at: link.rendezvous(), token, until };
        let m1 = meeting.get(shared, Slot::A1).await?;
        let context = Context { relay: relay.id, rendezvous: link.rendezvous() };
        let (responder, m2) = Responder::respond(&link.pairing_secret(), context, &m1, &mut os_rng())?;
        let row = InviteRow {
            id,
            step: InviteStep::Joined,
            url: meeting.url(),
            relay: relay.id,
            token: meeting.token.clone(),
            state: responder.to_bytes()?,
            mailbox: None,
            name: options.name,
            verify: options.verify,
            until,
            peer: None,
            failed: None,
        };
        commit(shared, &meeting, row, Slot::B1, m2).await?;
        Ok(FollowedInvite { agent: self.clone(), id })
    }
}

impl Invite {
    /// The link. It is the secret: whoever has it can pair.
    pub fn link(&self) -> String {
        self.link.reveal().to_string()
    }

    /// Until when it can be followed.
    pub fn expires(&self) -> Timestamp {
        self.until
    }

    /// Waits until somebody has followed it and the pairing is complete.
    pub async fn paired(self) -> Result<Peer> {
        wait_paired(self.agent, self.link.id).await
    }
}

impl std::fmt::Debug for Invite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invite").field("until", &self.until).finish_non_exhaustive()
    }
}

impl FollowedInvite {
    /// Waits at most `limit` until the pairing is complete. [`Error::WaitOver`] ends only the waiting.
    pub async fn paired(&self, limit: Option<Duration>) -> Result<Peer> {
        within(limit, wait_paired(self.agent.clone(), self.id)).await
    }
}

async fn wait_paired(agent: Agent, id: InviteId) -> Result<Peer> {
    let outcome = agent.shared.wait_for(move |b| {
        let row = b.invite(&id)?.ok_or(Error::CodeExpired)?;
        Ok(match (row.peer, row.failed) {
            (Some(peer), _) => Some(Ok(peer)),
            (None, Some(why)) => Some(Err(failed(&why))),
            (None, None) => None,
        })
    });
    let key = outcome.await??;
    offer::complete(&agent.shared, key).await?;
    Ok(Peer::new(agent, key))
}

/// The stored word for a failure, as an error again.
fn failed(code: &str) -> Error {
    match code {
        "wrong_code" => Error::WrongCode,
        "code_used" => Error::CodeUsed,
        "contested" => Error::Contested,
        _ => Error::CodeExpired,
    }
}

/// Commits the state of an invite together with the bytes that lead to it, then puts the bytes.
async fn commit(
    shared: &Arc<Shared>,
    meeting: &Meeting,
    row: InviteRow,
    slot: Slot,
    bytes: Vec<u8>,
) -> Result<()> {
    let owed = meeting.owed(slot, bytes.clone());
    shared
        .worker
        .write(move |b| {
            b.owe_slot(&owed)?;
            b.put_invite(&row)
        })
        .await?;
    put_owed(shared, meeting, slot, &bytes).await
}

async fn put_owed(shared: &Arc<Shared>, meeting: &Meeting, slot: Slot, bytes: &[u8]) -> Result<()> {
    match meeting.put(slot, bytes).await {
        Err(error) if !is_final(shared, &meeting.api, &error).await => Err(error),
        outcome => {
            let place = meeting.place();
            shared.worker.write(move |b| b.slot_done(&place, slot)).await?;
            outcome
        }
    }
}

/// Whether an error ends what it happened to: what the relay or the other side said, and only once the
/// relay has proved after that that it is the one we know. Anything else is tried again, until the time
/// of the invite is over.
async fn is_final(shared: &Arc<Shared>, api: &RelayApi, error: &Error) -> bool {
    let is_said = match error {
        Error::Transport(_)
        | Error::NotARelay { .. }
        | Error::RelayMismatch { .. }
        | Error::ClockSkew { .. }
        | Error::Store(_)
        | Error::Closed
        | Error::Internal(_) => false,
        other => !other.is_transient(),
    };
    is_said && shared.identify(api).await.is_ok()
}

/// Goes on with what other processes, or this one earlier, left unfinished: slots to put, invites to
/// take a step further, mailboxes to delete. At most one such run at a time.
pub(crate) async fn resume(shared: &Arc<Shared>, io: &mut JoinSet<()>) {
    let Ok(permit) = shared.resuming.clone().try_acquire_owned() else { return };
    let is_alive = shared.is_alive();
    let idle = shared.worker.read(move |b| {
        Ok(b.owed_slots()?.is_empty() && b.open_invites()?.is_empty() && b.orphans(is_alive)?.is_empty())
    });
    if idle.await.unwrap_or(true) {
        shared.looked.send_replace(true);
        return;
    }
    let shared = shared.clone();
    io.spawn(async move {
        if let Err(error) = run(&shared).await {
            tracing::debug!(code = error.code(), "an unfinished pairing could not go on");
        }
        shared.looked.send_replace(true);
        drop(permit);
    });
}

async fn run(shared: &Arc<Shared>) -> Result<()> {
    shared.worker.write(|b| b.expire_invites()).await?;
    // What cannot go on holds up nothing else.
    let mut outcome = Ok(());
    for row in shared.worker.read(|b| b.owed_slots()).await? {
        outcome = outcome.and(put_again(shared, row).await);
    }
    for row in shared.worker.read(|b| b.open_invites()).await? {
        outcome = outcome.and(go_on(shared, row).await);
    }
    outcome.and(meeting::delete_orphans(shared).await)
}

async fn put_again(shared: &Arc<Shared>, row: SlotRow) -> Result<()> {
    if shared.now() >= row.until {
        return shared.worker.write(move |b| b.slot_done(&row.place, row.slot)).await;
    }
    let meeting = meeting_of(shared, &row.url, row.place, row.token, row.until).await?;
    // A slot that is refused for good is done as well; what it means shows elsewhere.
    put_owed(shared, &meeting, row.slot, &row.bytes).await
}

/// One step of one invite; one that cannot be taken any more ends it.
async fn go_on(shared: &Arc<Shared>, row: InviteRow) -> Result<()> {
    let id = row.id;
    let meeting = meeting_of(shared, &row.url, id.into(), row.token.clone(), row.until).await?;
    match advance(shared, &meeting, row).await {
        Err(error) if is_final(shared, &meeting.api, &error).await => {
            let why = error.code();
            shared.worker.write(move |b| b.end_invite(&id, None, Some(why))).await
        }
        outcome => outcome,
    }
}

/// The step, if the slot that it waits for is filled.
async fn advance(shared: &Arc<Shared>, meeting: &Meeting, row: InviteRow) -> Result<()> {
    let slot = match row.step {
        InviteStep::Offered => Slot::B1,
        InviteStep::Confirming => Slot::B2,
        InviteStep::Joined => Slot::A2,
        InviteStep::Over => return Ok(()),
    };
    let Some(bytes) = meeting.look(slot, 0).await? else { return Ok(()) };
    match row.step {
        InviteStep::Offered => confirm(shared, meeting, row, &bytes).await,
        InviteStep::Confirming => finish(shared, meeting, row, &bytes).await,
        InviteStep::Joined => accept(shared, meeting, row, &bytes).await,
        InviteStep::Over => Ok(()),
    }
}

/// A has M2: its mailbox, then M3.
async fn confirm(shared: &Arc<Shared>, meeting: &Meeting, row: InviteRow, m2: &[u8]) -> Result<()> {
    let keyed = Initiator::from_bytes(&row.state)?.receive_m2(m2)?;
    let ours = mailbox_of(shared, meeting, row.id).await?;
    let (url, display) = (row.url.clone(), shared.config.name().as_str().to_owned());
    let owed = meeting.clone();
    let m3 = shared
        .worker
        .write(move |b| {
            let offer = ours.offer(&b.engine.identity, &url, row.relay, &display);
            let (awaiting, m3) = keyed.offer(offer, &mut os_rng())?;
            let state = awaiting.to_bytes()?;
            let mailbox = Some(ours.mailbox.clone());
            b.owe_slot(&owed.owed(Slot::A2, m3.clone()))?;
            b.put_invite(&InviteRow { step: InviteStep::Confirming, state, mailbox, ..row })?;
            Ok(m3)
        })
        .await?;
    put_owed(shared, meeting, Slot::A2, &m3).await
}

/// A has M4: the peer.
async fn finish(shared: &Arc<Shared>, meeting: &Meeting, row: InviteRow, m4: &[u8]) -> Result<()> {
    let established = AwaitingConfirmation::from_bytes(&row.state)?.receive_m4(m4, &mut os_rng())?;
    shared.admit(&established.peer.url, &row.url).await?;
    let mailbox = row.mailbox.clone().ok_or_else(|| Error::corrupt("invite"))?;
    shared
        .worker
        .write(move |b| {
            let peer = add_peer(b, &established, &mailbox, &row)?;
            b.end_invite(&row.id, Some(peer), None)
        })
        .await?;
    meeting.close().await;
    Ok(())
}

/// B has M3: its mailbox, the peer, then M4.
async fn accept(shared: &Arc<Shared>, meeting: &Meeting, row: InviteRow, m3: &[u8]) -> Result<()> {
    let verified = Responder::from_bytes(&row.state)?.receive_m3(m3, shared.root)?;
    shared.admit(&verified.peer().url, &row.url).await?;
    let ours = mailbox_of(shared, meeting, row.id).await?;
    let (url, display) = (row.url.clone(), shared.config.name().as_str().to_owned());
    let owed = meeting.clone();
    let m4 = shared
        .worker
        .write(move |b| {
            let offer = ours.offer(&b.engine.identity, &url, row.relay, &display);
            let (established, m4) = verified.confirm(offer, &mut os_rng())?;
            let peer = add_peer(b, &established, &ours.mailbox, &row)?;
            b.owe_slot(&owed.owed(Slot::B2, m4.clone()))?;
            b.end_invite(&row.id, Some(peer), None)?;
            Ok(m4)
        })
        .await?;
    put_owed(shared, meeting, Slot::B2, &m4).await
}

/// The mailbox of an invite: on the disk first, then at the relay.
async fn mailbox_of(shared: &Arc<Shared>, meeting: &Meeting, id: InviteId) -> Result<Ours> {
    let ours = Ours::of(shared.worker.write(move |b| b.invite_mailbox(&id)).await?);
    meeting.create(shared, &ours).await?;
    Ok(ours)
}

fn add_peer(
    b: &mut super::engine::Batch<'_>,
    established: &crate::pairing::Established,
    mailbox: &crate::mailbox::MailboxKeyPair,
    row: &InviteRow,
) -> Result<PeerKey> {
    b.add_peer(&NewPeer {
        established,
        mailbox,
        url: &row.url,
        name: row.name.as_deref(),
        verify: row.verify,
        deadline: Some(row.until),
    })
}

async fn meeting_of(
    shared: &Arc<Shared>,
    url: &str,
    at: crate::pairing::Rendezvous,
    token: ClientToken,
    until: Timestamp,
) -> Result<Meeting> {
    let (relay_url, reach) = shared.contact(url, true)?;
    let api = shared.api(relay_url, reach);
    let relay = shared.known(&api).await?;
    Ok(Meeting { api, relay, at, token, until })
}
