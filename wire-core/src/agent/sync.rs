//! Knowing where things stand, for programs that are open for a moment only: has what waited been
//! read, is what was queued on its way?
//!
//! The relay's stream has no end that says "this was all". So [`Agent::synced`] asks for the head of
//! each mailbox and waits until the store has read as far, whichever process does the reading.

#![expect(clippy::disallowed_methods, reason = "it waits for what only the relay knows")]

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::core::{Agent, Shared};
use super::engine::{Batch, KnownRelay, OwnBox, PeerKey};
use super::error::{Error, Result};
use super::state::Delivery;
use super::views::{RelayState, Sent};
use crate::mailbox::{Cursor, MailboxId, Operation, Refusal, SignedRequest};
use crate::record::RecordId;

impl Agent {
    /// Waits until everything that waited for this agent at its relays is in the store, and until
    /// unfinished pairings have been looked after once.
    ///
    /// # Errors
    /// Those of the first relay that does not answer: what it holds comes when it is back. And
    /// [`Error::Store`] when what waits is not taken by the store here: then it stays at its relay.
    pub async fn synced(&self) -> Result<()> {
        let shared = &self.shared;
        let mut looked = shared.looked.subscribe();
        tokio::select! {
            looked = looked.wait_for(|looked| *looked) => looked.map_err(|_| Error::Closed)?,
            () = shared.closed() => return Err(Error::Closed),
        };
        let mut asked = JoinSet::new();
        for own in shared.worker.read(|b| b.own_boxes()).await? {
            if own.closing.is_none() {
                asked.spawn(unread(shared.clone(), own));
            }
        }
        let mut heads = Vec::new();
        while let Some(head) = asked.join_next().await {
            let head = head.map_err(|_| Error::Closed)?;
            // Whoever hears of it may look at the state next, and the driver may not have heard of it yet.
            if let Err(error @ (Error::RelayMismatch { url } | Error::ClockSkew { url, .. })) = &head {
                shared.set_relay_state(url, RelayState::of(error));
            }
            heads.push(head?);
        }
        shared.read_up_to(heads).await
    }

    /// Waits until nothing is left that could be told to a relay now: messages, acknowledgements, steps
    /// of a pairing, the end of one. What waits for a relay that does not answer is not waited for.
    pub async fn drained(&self) -> Result<()> {
        let shared = self.shared.clone();
        self.shared
            .until(owed_to, move |owed| {
                owed.iter()
                    .all(|(url, peer)| {
                        peer.is_some_and(|peer| shared.refusal(peer).is_some())
                            || is_trouble(&shared.relay_state(url))
                    })
                    .then_some(())
            })
            .await
    }

    /// Waits until the relay has a record of ours, or it is known why it does not take it now: the state
    /// says which, and [`Agent::trouble_with`] why. What the store knows of earlier refusals does not
    /// count: this process has tried.
    ///
    /// # Errors
    /// [`Error::Ended`], [`Error::Revoked`] and the like: the pairing ended before that.
    pub async fn relayed(&self, id: &RecordId) -> Result<Sent> {
        let (id, shared) = (*id, self.shared.clone());
        let look = move |b: &Batch<'_>| {
            let row = b.delivery(&id)?.ok_or(Error::UnknownMessage)?;
            let peer = b.view_peer(row.peer)?;
            // Nothing more of it is posted now: it waits for a word of the peer.
            let waits = peer.awaits_key && !b.unposted()?.contains(&row.peer);
            Ok((row, peer, waits))
        };
        self.shared
            .until(look, move |(row, peer, waits)| {
                // These pass in a moment.
                let passing = |r: &Refusal| matches!(r, Refusal::Rate { .. } | Refusal::Unavailable { .. });
                let refused = shared.refusal(row.peer).is_some_and(|refusal| !passing(&refusal));
                if row.state >= Delivery::Relayed && row.state != Delivery::Revoked {
                    Some(Ok(Sent::of(row, shared.now())))
                } else if let Some(end) = row.end() {
                    Some(Err(end))
                } else if waits
                    || refused
                    || is_trouble(&shared.relay_state(&peer.relay))
                    || is_damaged(&shared)
                {
                    Some(Ok(Sent::of(row, shared.now())))
                } else {
                    None
                }
            })
            .await?
    }

    /// Asks the agent's own relay who it is.
    pub async fn check_relay(&self) -> Result<()> {
        let own = self.shared.config.relay().as_str();
        let (url, reach) = self.shared.contact(own, true)?;
        let outcome = self.shared.identify(&self.shared.api(url, reach)).await;
        self.shared
            .set_relay_state(own, outcome.as_ref().map_or_else(RelayState::of, |_| RelayState::Reachable));
        outcome.map(|_| ())
    }
}

impl Shared {
    /// Waits until all that a peer has posted to us by now is in the store.
    pub(crate) async fn heard_out(self: &Arc<Self>, peer: PeerKey) -> Result<()> {
        let boxes = self.worker.read(|b| b.own_boxes()).await?;
        match boxes.into_iter().find(|own| own.peer == peer && own.closing.is_none()) {
            Some(own) => self.read_up_to(vec![unread(self.clone(), own).await?]).await,
            None => Ok(()),
        }
    }

    /// Waits until the store has read as far, or is known not to take what comes.
    async fn read_up_to(&self, heads: Vec<Option<Head>>) -> Result<()> {
        let heads: Vec<_> = heads.into_iter().flatten().collect();
        self.until(
            |b| b.own_boxes(),
            |boxes| match has_read(&boxes, &heads) {
                true => Some(Ok(())),
                false => self.unstored.failure().map(Err),
            },
        )
        .await?
    }

    /// Looks, and judges what was seen, again after each change of the store or of what holds it up.
    async fn until<S: Send + 'static, T>(
        &self,
        look: impl Fn(&Batch<'_>) -> Result<S> + Clone + Send + 'static,
        judge: impl Fn(S) -> Option<T>,
    ) -> Result<T> {
        let mut store = self.worker.changes();
        let mut troubles = self.trouble_changes();
        loop {
            store.mark_unchanged();
            troubles.mark_unchanged();
            if let Some(verdict) = judge(self.worker.read(look.clone()).await?) {
                return Ok(verdict);
            }
            let changed = tokio::select! {
                changed = store.changed() => changed,
                changed = troubles.changed() => changed,
            };
            changed.map_err(|_| Error::Closed)?;
        }
    }
}

/// Between two looks at a mailbox that the reader makes anew, and how often it is looked at.
const ANEW_PAUSE: Duration = Duration::from_millis(100);
const ANEW_LOOKS: u32 = 100;

/// What waited in a mailbox when it was looked at.
struct Head {
    mailbox: MailboxId,
    last: Cursor,
    /// Where the store stood, if the relay knows no such position: it is read from the beginning then.
    stale: Option<Cursor>,
}

/// The head of a mailbox, if there is anything in it that the store has not.
async fn unread(shared: Arc<Shared>, own: OwnBox) -> Result<Option<Head>> {
    let (url, reach) = shared.contact(&own.url, true)?;
    let api = shared.api(url, reach);
    let poll = Operation::Poll {
        incarnation: own.cursor.map(|c| c.incarnation),
        after: own.cursor.map_or(0, |c| c.seq),
        max: 1,
        wait_ms: 0,
    };
    let key = own.key();
    let ask = |known: KnownRelay, now| {
        let request = SignedRequest::by_owner(&key, &known.id, now, &poll);
        let api = api.clone();
        async move { api.poll(&request).await }
    };
    let head =
        |incarnation, seq, stale| Some(Head { mailbox: own.id, last: Cursor { incarnation, seq }, stale });
    for _ in 0..ANEW_LOOKS {
        match shared.timed(&api, ask).await {
            Ok(page) if page.envelopes.is_empty() => return Ok(None),
            Ok(page) => return Ok(head(page.incarnation, page.head, None)),
            // The relay has lost the mailbox, and the reader has made it anew; or its place in it.
            Err(Error::Relay(Refusal::Stale { incarnation, first, head: last })) => {
                return Ok(if last < first { None } else { head(incarnation, last, own.cursor) });
            }
            // The relay has lost it. Who ends before the reader has made it anew leaves the peer with nowhere to post.
            // Another relay at this address would say so too.
            Err(Error::Relay(Refusal::NotFound)) => drop(shared.identify(&api).await?),
            Err(error) => return Err(error),
        }
        sleep(ANEW_PAUSE).await;
    }
    Ok(None)
}

fn has_read(boxes: &[OwnBox], heads: &[Head]) -> bool {
    heads.iter().all(|head| {
        let own = boxes.iter().find(|own| own.closing.is_none() && own.id == head.mailbox);
        let reaches = |at: Cursor| at.incarnation == head.last.incarnation && at.seq >= head.last.seq;
        own.is_none_or(|own| own.cursor.is_some_and(|at| head.stale != Some(at) && reaches(at)))
    })
}

/// Relays that are owed something, and for a post the peer.
fn owed_to(b: &Batch<'_>) -> Result<Vec<(String, Option<PeerKey>)>> {
    let mut owed: Vec<_> = b.owed_slots()?.into_iter().map(|slot| (slot.url, None)).collect();
    owed.extend(b.own_boxes()?.into_iter().filter(|own| own.closing.is_some()).map(|own| (own.url, None)));
    for peer in b.unposted()? {
        owed.push((b.view_peer(peer)?.relay, Some(peer)));
    }
    Ok(owed)
}

/// Nothing goes out of a store that cannot be read.
fn is_damaged(shared: &Shared) -> bool {
    shared.unstored.failure().is_some_and(|error| !error.is_transient())
}

fn is_trouble(state: &RelayState) -> bool {
    match state {
        RelayState::Unknown | RelayState::Reachable => false,
        RelayState::Unreachable(_)
        | RelayState::Mismatch
        | RelayState::ClockSkew(_)
        | RelayState::Refuses(_) => true,
    }
}
