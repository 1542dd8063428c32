//! What peers said, handed out in order and kept until it is acknowledged.

use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_core::Stream;

use super::core::Agent;
use super::engine::{Handed, InboxItem};
use super::error::{Error, Result};
use super::peer::{Body, Peer};
use super::state::Inward;
use super::store::Sync;
use super::views::Sent;
use crate::identity::Root;
use crate::record::RecordId;
use crate::time::Timestamp;

/// The messages of all peers: a stream that never ends.
///
/// Each is handed out to one process at a time, in the order of its peer. One that is dropped without
/// [`Message::ack`] is handed out again, five times in all; then it is put aside as poison and its sender
/// is told; see [`Agent::poison`]. One that is kept for more than ten minutes may be handed out again.
/// Dropping a pending [`next`](Self::next), or the inbox itself, loses nothing and counts as no hand-out.
pub struct Inbox {
    agent: Agent,
    next: Option<Pin<Box<dyn Future<Output = Result<Message>> + Send>>>,
}

impl Agent {
    /// The messages of all peers.
    pub fn inbox(&self) -> Inbox {
        Inbox { agent: self.clone(), next: None }
    }

    /// What waits, oldest first, at most `max`; nothing is handed out by looking.
    pub async fn waiting(&self, max: u32) -> Result<Vec<Message>> {
        let items = self.shared.worker.read(move |b| b.list_inbox(max)).await?;
        Ok(items.into_iter().map(|item| Message::seen(self.clone(), item)).collect())
    }

    /// What was handed out too often in vain and put aside, as its senders were told: the newest, at most
    /// `max`, in the order in which they came. It is kept, and can be answered like any other.
    pub async fn poison(&self, max: u32) -> Result<Vec<Message>> {
        let items = self.shared.worker.read(move |b| b.list_poison(max)).await?;
        Ok(items.into_iter().map(|item| Message::seen(self.clone(), item)).collect())
    }

    /// The waiting message with this id.
    pub async fn message(&self, id: &RecordId) -> Result<Message> {
        let id = *id;
        let item = self.shared.worker.read(move |b| b.find_inbox(&id)).await?;
        item.map(|item| Message::seen(self.clone(), item)).ok_or(Error::UnknownMessage)
    }

    /// The message with this id, waiting or processed: to answer it.
    pub async fn received(&self, id: &RecordId) -> Result<Message> {
        let id = *id;
        let item = self.shared.worker.read(move |b| b.find_received(&id)).await?;
        item.map(|item| Message::seen(self.clone(), item)).ok_or(Error::UnknownMessage)
    }

    /// Answers a message that came in, and acknowledges it.
    pub async fn reply(&self, id: &RecordId, body: impl Into<Body>) -> Result<Sent> {
        let message = self.received(id).await?;
        let sent = message.reply_with(body).await?;
        match message.ack().await {
            Ok(()) | Err(Error::Settled { .. }) => Ok(sent),
            Err(error) => Err(error),
        }
    }
}

impl Inbox {
    /// The next message; waits for one. It gives `None` never, so that `while let Some(..)` reads well.
    pub async fn next(&mut self) -> Option<Result<Message>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Inbox {
    type Item = Result<Message>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let agent = self.agent.clone();
        // The future stays here when `next` is dropped, so what it claims is not lost.
        let next = self.next.get_or_insert_with(|| Box::pin(claim(agent)));
        let outcome = std::task::ready!(next.as_mut().poll(cx));
        self.next = None;
        if let Ok(message) = &outcome {
            message.handed.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Some(outcome))
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("agent", &self.agent).finish_non_exhaustive()
    }
}

async fn claim(agent: Agent) -> Result<Message> {
    let mut changes = agent.shared.worker.changes();
    loop {
        changes.mark_unchanged();
        if agent.shared.worker.read(|b| b.has_ready()).await? {
            let (process, is_alive) = (agent.shared.process.token().to_owned(), agent.shared.is_alive());
            let worker = agent.clone();
            // A claim whose caller is gone by now is let go again.
            let handed = agent
                .shared
                .worker
                .note(move |b| {
                    Ok(match b.claim_next(&process, is_alive)? {
                        Handed::Item(item) => Ok(Message::claimed(worker, *item)),
                        Handed::Spent(n) => Err(Some(n)),
                        Handed::Nothing => Err(None),
                    })
                })
                .await?;
            match handed {
                Ok(message) => return Ok(message),
                Err(Some(n)) => {
                    agent.shared.worker.write(move |b| b.close(n, Inward::Poison)).await?;
                    continue;
                }
                // Another process has what comes first. The change is that it is done, or gone.
                Err(None) => {}
            }
        }
        if changes.changed().await.is_err() {
            return Err(Error::Closed);
        }
    }
}

/// A message, verified: its sender is the one whose key was pinned at the pairing.
pub struct Message {
    agent: Agent,
    item: InboxItem,
    /// This handle holds the claim, and gives it back when it is dropped.
    claim: AtomicBool,
    /// The application has got it. A claim that is dropped before was no hand-out.
    handed: AtomicBool,
}

impl Message {
    fn claimed(agent: Agent, item: InboxItem) -> Self {
        Self { agent, item, claim: AtomicBool::new(true), handed: AtomicBool::new(false) }
    }

    pub(crate) fn seen(agent: Agent, item: InboxItem) -> Self {
        Self { agent, item, claim: AtomicBool::new(false), handed: AtomicBool::new(true) }
    }

    pub(crate) fn reply(agent: Agent, item: InboxItem) -> Self {
        Self::seen(agent, item)
    }

    /// The stable id.
    pub fn id(&self) -> RecordId {
        self.item.id
    }

    /// The sender's name on this machine.
    pub fn sender(&self) -> &str {
        &self.item.peer_name
    }

    /// The sender's name everywhere.
    pub fn sender_root(&self) -> Root {
        self.item.peer_root
    }

    /// The sender.
    pub fn peer(&self) -> Peer {
        Peer::new(self.agent.clone(), self.item.peer)
    }

    /// `msg`, `ask` or `reply`.
    pub fn kind(&self) -> &str {
        &self.item.kind
    }

    /// Whether the sender waits for a reply.
    pub fn is_ask(&self) -> bool {
        self.item.is_ask()
    }

    /// The message that it answers.
    pub fn re(&self) -> Option<RecordId> {
        self.item.re
    }

    /// The sender's clock when it was signed: informative only.
    pub fn ts(&self) -> Timestamp {
        self.item.ts
    }

    /// When it was stored here.
    pub fn arrived(&self) -> Timestamp {
        self.item.arrived
    }

    /// Media type of the body.
    pub fn content_type(&self) -> &str {
        &self.item.ctype
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.item.body
    }

    /// The body as text.
    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.item.body).map_err(|_| Error::NotText)
    }

    /// Says that the application has processed it. When this returns the word is on this disk, and the
    /// sender gets it signed. Again is the same.
    ///
    /// # Errors
    /// [`Error::Settled`] where the sender was told something else: it was rejected, or put aside.
    pub async fn ack(&self) -> Result<()> {
        self.close(Inward::Processed).await
    }

    /// Says that the application does not take it; the sender gets that signed, as `refused`. Again is the
    /// same.
    ///
    /// # Errors
    /// [`Error::Settled`] if the sender was told something else before.
    pub async fn reject(&self) -> Result<()> {
        self.close(Inward::Refused).await
    }

    /// Gives it back unprocessed, as dropping it does. `true`: it comes again. `false`: it was handed out
    /// for the last time, so it is put aside as poison, and the sender gets that signed.
    pub async fn release(&self) -> Result<bool> {
        if !self.claim.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let item = self.item.clone();
        let comes_again = self.agent.shared.worker.write(move |b| b.give_back(&item)).await?;
        self.claim.store(false, Ordering::Relaxed);
        Ok(comes_again)
    }

    /// Sends an answer; to an ask it is the reply.
    pub async fn reply_with(&self, body: impl Into<Body>) -> Result<Sent> {
        self.peer().send(body).re(self.item.id).await
    }

    pub(super) fn store_folder(&self) -> &Path {
        self.agent.shared.store.dir()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.agent.shared.now()
    }

    async fn close(&self, state: Inward) -> Result<()> {
        let n = self.item.n;
        self.agent.shared.worker.write(move |b| b.close(n, state)).await?;
        self.claim.store(false, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        if !self.claim.load(Ordering::Relaxed) {
            return;
        }
        let item = self.item.clone();
        if self.handed.load(Ordering::Relaxed) {
            // The end of its last time is told to the peer.
            let sync = if item.is_last_attempt() { Sync::Now } else { Sync::Later };
            drop(self.agent.shared.worker.submit_with(sync, move |b| b.give_back(&item)));
        } else {
            drop(self.agent.shared.worker.submit_with(Sync::Later, move |b| b.unclaim(&item)));
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.item.id)
            .field("sender", &self.item.peer_name)
            .field("kind", &self.item.kind)
            .finish_non_exhaustive()
    }
}
