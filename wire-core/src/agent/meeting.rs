//! Two agents meet at a relay: the four messages of a pairing, carried by write-once slots.
//!
//! A made the code, B entered it.
//! 1. A puts M1. B takes it and burns the code, then puts M2.
//! 2. A takes M2 and burns the code, creates its mailbox, and puts M3.
//! 3. B verifies M3 and creates its mailbox. It commits peer, session and the bytes of M4 in one step,
//!    and only then puts M4; a crash after that step puts the same bytes later.
//! 4. A verifies M4, and commits peer, session and HELLO in one step.
//!
//! Nobody is told `paired` by any of this: that takes the peer's HELLO, through the mailboxes.

#![expect(clippy::disallowed_methods, reason = "it waits between two tries")]

use std::sync::Arc;
use std::time::Duration;

use super::core::{Shared, within};
use super::engine::{KnownRelay, NewPeer, PeerKey, SlotRow};
use super::error::{Error, Result};
use super::relay_api::RelayApi;
use crate::entropy::{jitter, os_rng};
use crate::identity::Identity;
use crate::mailbox::{
    Certificate, ClientToken, Close, Get, MailboxKeyPair, Operation, Put, Quota, Refusal, RelayId,
    Rendezvous, Right, SenderKeyPair, SignedRequest, Slot,
};
use crate::pairing::{Initiator, LocalOffer, PairingSecret, Responder};
use crate::time::Timestamp;

/// Longest wait that one question asks of the relay.
const WAIT_MS: u32 = 25_000;
/// Between two tries when the relay cannot be reached.
const RETRY: Duration = Duration::from_millis(500);
/// How long the other side of a code may take for what it does at once if it is there; and both sides,
/// from the last message of the pairing to the first record.
pub(crate) const COMPLETION: Duration = Duration::from_secs(60);
/// How often something is put again before giving up.
const PUT_TRIES: usize = 5;

/// What the owner wants of a pairing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) name: Option<String>,
    pub(crate) verify: bool,
}

/// One side's hold of a rendezvous.
#[derive(Clone, Debug)]
pub(crate) struct Meeting {
    pub(crate) api: RelayApi,
    pub(crate) relay: KnownRelay,
    pub(crate) at: Rendezvous,
    pub(crate) token: ClientToken,
    pub(crate) until: Timestamp,
}

/// The mailbox that the peer of this pairing will post to.
#[derive(Clone)]
pub(crate) struct Ours {
    pub(crate) mailbox: MailboxKeyPair,
    sender: SenderKeyPair,
    certificate: Certificate,
}

impl Meeting {
    pub(crate) fn place(&self) -> Rendezvous {
        self.at.clone()
    }

    /// Puts bytes into a slot of ours. The same bytes again are no mistake.
    pub(crate) async fn put(&self, slot: Slot, bytes: &[u8]) -> Result<()> {
        let call = Put { place: self.place(), token: self.token.clone(), slot, bytes: bytes.to_vec() };
        for _ in 1..PUT_TRIES {
            match self.api.put(&call).await {
                Err(error) if error.is_transient() => tokio::time::sleep(jitter(RETRY)).await,
                outcome => return outcome.map_err(Error::at_rendezvous),
            }
        }
        self.api.put(&call).await.map_err(Error::at_rendezvous)
    }

    /// Waits for the bytes of a slot, until the place is gone.
    pub(crate) async fn get(&self, shared: &Shared, slot: Slot) -> Result<Vec<u8>> {
        loop {
            let left = self.until.since(shared.time.clock.now().offset_millis(self.relay.offset_ms));
            let wait_ms = u32::try_from(left).unwrap_or(u32::MAX).min(WAIT_MS);
            match self.look(slot, wait_ms).await {
                Ok(Some(bytes)) => return Ok(bytes),
                Ok(None) => {}
                Err(error) if error.is_transient() => tokio::time::sleep(jitter(RETRY)).await,
                Err(error) => return Err(error),
            }
            if self.is_over(shared) {
                return Err(Error::CodeExpired);
            }
        }
    }

    fn is_over(&self, shared: &Shared) -> bool {
        shared.time.clock.now().offset_millis(self.relay.offset_ms) >= self.until
    }

    /// Looks into a slot, waiting at most `wait_ms`.
    pub(crate) async fn look(&self, slot: Slot, wait_ms: u32) -> Result<Option<Vec<u8>>> {
        let call = Get { place: self.place(), token: self.token.clone(), slot, wait_ms };
        let got = self.api.get(&call).await.map_err(Error::at_rendezvous)?;
        // A third party held out a claim: whoever it is, this code has served.
        if got.contested { Err(Error::Contested) } else { Ok(got.bytes) }
    }

    /// Gives the place up; the other side learns at once that nothing more comes.
    pub(crate) async fn close(&self) {
        let _ = self.api.close(&Close { place: self.place(), token: self.token.clone() }).await;
    }

    /// Creates the mailbox by the right that the meeting gives.
    pub(crate) async fn create(&self, shared: &Shared, ours: &Ours) -> Result<()> {
        let right = Right::Pairing { place: self.place(), token: self.token.clone() };
        let now = shared.time.clock.now().offset_millis(self.relay.offset_ms);
        let operation = Operation::Create { min_epoch: 0, right };
        self.api.mailbox(&SignedRequest::by_owner(&ours.mailbox, &self.relay.id, now, &operation)).await
    }

    pub(crate) fn url(&self) -> String {
        self.api.url.as_str().to_owned()
    }

    pub(crate) fn owed(&self, slot: Slot, bytes: Vec<u8>) -> SlotRow {
        SlotRow {
            url: self.url(),
            place: self.place(),
            slot,
            token: self.token.clone(),
            bytes,
            until: self.until,
        }
    }
}

impl Ours {
    fn fresh() -> Self {
        Self::of(MailboxKeyPair::generate(&mut os_rng()))
    }

    /// A mailbox that was made earlier gets a fresh sender: its certificate was never given out.
    pub(crate) fn of(mailbox: MailboxKeyPair) -> Self {
        let sender = SenderKeyPair::generate(&mut os_rng());
        let certificate = Certificate::issue(&mailbox, sender.public(), 0, Quota::default());
        Self { mailbox, sender, certificate }
    }

    pub(crate) fn offer<'a>(
        &'a self,
        identity: &'a Identity,
        url: &'a str,
        relay: RelayId,
        display: &'a str,
    ) -> LocalOffer<'a> {
        LocalOffer { identity, url, relay, certificate: &self.certificate, sender: &self.sender, display }
    }
}

/// A's side, from the moment the code was shown.
pub(crate) async fn host(
    shared: &Arc<Shared>,
    meeting: &Meeting,
    initiator: Initiator,
    secret: PairingSecret,
    wishes: Wishes,
) -> Result<PeerKey> {
    let gone = |error| match error {
        // Before its time: who had claimed it has given it up, as after a third one's claim.
        Error::CodeExpired if !meeting.is_over(shared) => Error::CodeUsed,
        other => other,
    };
    let m2 = meeting.get(shared, Slot::B1).await.map_err(gone)?;
    let outcome = host_after_m2(shared, meeting, initiator, &m2, secret, wishes).await;
    meeting.close().await;
    outcome.map_err(gone)
}

async fn host_after_m2(
    shared: &Arc<Shared>,
    meeting: &Meeting,
    initiator: Initiator,
    m2: &[u8],
    secret: PairingSecret,
    wishes: Wishes,
) -> Result<PeerKey> {
    // The first bytes from the other side consume the code, whatever they are.
    let ours = Ours::fresh();
    burn(shared, meeting, secret, &ours).await?;
    let keyed = initiator.receive_m2(m2)?;
    meeting.create(shared, &ours).await?;
    let (url, display, relay) = (meeting.url(), shared.config.name().as_str().to_owned(), meeting.relay.id);
    let sealed = ours.clone();
    let (awaiting, m3) = shared
        .worker
        .read(move |batch| {
            let offer = sealed.offer(&batch.engine.identity, &url, relay, &display);
            Ok(keyed.offer(offer, &mut os_rng())?)
        })
        .await?;
    meeting.put(Slot::A2, &m3).await?;
    // Whoever leaves now has seen that the keys differ.
    let m4 = meeting.get(shared, Slot::B2).await.map_err(|e| match e {
        Error::CodeExpired => Error::WrongCode,
        other => other,
    })?;
    let established = awaiting.receive_m4(&m4, &mut os_rng())?;
    shared.admit(&established.peer.url, &meeting.url()).await?;
    let url = meeting.url();
    shared
        .worker
        .write(move |batch| {
            batch.add_peer(&NewPeer {
                established: &established,
                mailbox: &ours.mailbox,
                url: &url,
                name: wishes.name.as_deref(),
                verify: wishes.verify,
                deadline: None,
            })
        })
        .await
}

/// B's side, from the moment the place was claimed.
pub(crate) async fn join(
    shared: &Arc<Shared>,
    meeting: &Meeting,
    secret: PairingSecret,
    wishes: Wishes,
) -> Result<PeerKey> {
    let m1 = meeting.get(shared, Slot::A1).await?;
    let outcome = join_after_m1(shared, meeting, &m1, secret, wishes).await;
    if outcome.is_err() {
        meeting.close().await;
    }
    outcome
}

async fn join_after_m1(
    shared: &Arc<Shared>,
    meeting: &Meeting,
    m1: &[u8],
    secret: PairingSecret,
    wishes: Wishes,
) -> Result<PeerKey> {
    let context = crate::pairing::Context { relay: meeting.relay.id, rendezvous: meeting.at.clone() };
    let (responder, m2) = Responder::respond(&secret, context, m1, &mut os_rng())?;
    let ours = Ours::fresh();
    burn(shared, meeting, secret, &ours).await?;
    meeting.put(Slot::B1, &m2).await?;
    // Whoever made the code waits for M2 as long as it lives, and answers by itself.
    let m3 = within(Some(COMPLETION), meeting.get(shared, Slot::A2)).await.map_err(|e| match e {
        Error::CodeExpired | Error::WaitOver => Error::PairingIncomplete,
        other => other,
    })?;
    let verified = responder.receive_m3(&m3, shared.root)?;
    shared.admit(&verified.peer().url, &meeting.url()).await?;
    meeting.create(shared, &ours).await?;
    let (url, display, relay) = (meeting.url(), shared.config.name().as_str().to_owned(), meeting.relay.id);
    let owed = meeting.clone();
    let (key, m4) = shared
        .worker
        .write(move |batch| {
            let offer = ours.offer(&batch.engine.identity, &url, relay, &display);
            let (established, m4) = verified.confirm(offer, &mut os_rng())?;
            let key = batch.add_peer(&NewPeer {
                established: &established,
                mailbox: &ours.mailbox,
                url: &url,
                name: wishes.name.as_deref(),
                verify: wishes.verify,
                deadline: None,
            })?;
            batch.owe_slot(&owed.owed(Slot::B2, m4.clone()))?;
            Ok((key, m4))
        })
        .await?;
    // From here on the pairing completes or expires, on both sides; a failed put is put again later.
    if meeting.put(Slot::B2, &m4).await.is_ok() {
        let place = meeting.place();
        shared.worker.write(move |batch| batch.slot_done(&place, Slot::B2)).await?;
    }
    Ok(key)
}

/// Burns the code and notes the mailbox, before anything that follows from them is posted.
async fn burn(shared: &Arc<Shared>, meeting: &Meeting, secret: PairingSecret, ours: &Ours) -> Result<()> {
    let (at, url, mailbox) = (meeting.at.clone(), meeting.url(), ours.mailbox.clone());
    let owner = shared.process.token().to_owned();
    shared
        .worker
        .write(move |batch| {
            batch.consume(&at, &secret)?;
            batch.expect_orphan(&mailbox, &url, &owner)
        })
        .await
}

/// Deletes mailboxes that were made for pairings which never came to be. One whose relay does not answer
/// holds up no other.
pub(crate) async fn delete_orphans(shared: &Arc<Shared>) -> Result<()> {
    let is_alive = shared.is_alive();
    let mut outcome = Ok(());
    for (mailbox, url) in shared.worker.read(move |batch| batch.orphans(is_alive)).await? {
        outcome = outcome.and(delete_orphan(shared, mailbox, &url).await);
    }
    outcome
}

async fn delete_orphan(shared: &Arc<Shared>, mailbox: MailboxKeyPair, url: &str) -> Result<()> {
    let (relay_url, reach) = shared.contact(url, true)?;
    let api = shared.api(relay_url, reach);
    let ask = |known: KnownRelay, now| {
        let request = SignedRequest::by_owner(&mailbox, &known.id, now, &Operation::Delete);
        let api = api.clone();
        async move { api.mailbox(&request).await }
    };
    match shared.timed(&api, ask).await {
        Ok(()) => {}
        // Another relay at this address would say so too.
        Err(Error::Relay(Refusal::NotFound)) => drop(shared.identify(&api).await?),
        Err(error) => return Err(error),
    }
    shared.worker.write(move |batch| batch.forget_orphan(&mailbox)).await
}
