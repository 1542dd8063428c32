//! A peer: tell it something, ask it something, end the pairing.

use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use super::core::{Agent, within};
use super::engine::{Batch, InboxItem, Outgoing, PeerKey, Stage};
use super::error::{Error, Result};
use super::inbox::Message;
use super::views::{PeerInfo, Sent};
use crate::entropy::jitter;
use crate::record::{Kind, RecordId};
use crate::time::Timestamp;

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
/// How long it is at most until a relay is asked again what it still holds of a peer that has ended the
/// pairing.
const RETRY: Duration = Duration::from_secs(2);

/// A body and its media type.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    ctype: String,
    bytes: Vec<u8>,
}

impl Body {
    /// Bytes of a media type.
    pub fn new(ctype: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { ctype: ctype.into(), bytes: bytes.into() }
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self::new(TEXT, text)
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::new(TEXT, text)
    }
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Self {
        Self::new(BYTES, bytes)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(BYTES, bytes)
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body({}, {} bytes)", self.ctype, self.bytes.len())
    }
}

/// An agent that this one is paired with, or was.
#[derive(Clone, Debug)]
pub struct Peer {
    agent: Agent,
    key: PeerKey,
}

impl Peer {
    pub(crate) fn new(agent: Agent, key: PeerKey) -> Self {
        Self { agent, key }
    }

    pub(super) fn agent(&self) -> &Agent {
        &self.agent
    }

    pub(super) fn key(&self) -> PeerKey {
        self.key
    }

    /// Who it is and how things stand.
    pub async fn info(&self) -> Result<PeerInfo> {
        let key = self.key;
        self.agent.shared.worker.read(move |b| b.view_peer(key)).await.map(PeerInfo::from)
    }

    /// Queues a message. When this returns it is signed, sealed and on this disk; it goes out as soon
    /// as the relay can be reached, and arrives once.
    pub fn send(&self, body: impl Into<Body>) -> SendMessage {
        SendMessage { peer: self.clone(), out: draft(Kind::Msg, body.into()) }
    }

    /// Asks, and waits for the reply.
    pub fn ask(&self, body: impl Into<Body>) -> AskMessage {
        AskMessage { peer: self.clone(), out: draft(Kind::Ask, body.into()), wait: None }
    }

    /// Ends the pairing here: nothing more is sent or taken, and the peer's right to post is withdrawn.
    pub async fn revoke(&self) -> Result<()> {
        let key = self.key;
        self.agent
            .shared
            .worker
            .write(move |b| {
                let key = b.successor(key)?;
                let stage = b.peer(key)?.stage;
                if stage.is_live() { b.retire(key, Stage::Revoked) } else { Ok(()) }
            })
            .await
    }

    /// The owner has compared the five words of a pending pairing, and they are the same.
    pub async fn confirm_sas(&self) -> Result<()> {
        let key = self.key;
        self.agent.shared.worker.write(move |b| b.confirm_sas(key)).await
    }

    /// The owner wants a new session with this peer, because the old one is frozen, was rolled back or is lost.
    /// Where the peer asks for one, that is answered; where one is under way already, nothing is made anew. It goes
    /// out by itself, and again until it is answered; [`PeerInfo::reset`] says how far it is, and what the owners
    /// have to do. Nothing of it happens by itself, and until it is complete the old session stays what it is.
    ///
    /// The mailboxes stay, and so does this `Peer`. What the peer has not processed is sent again in the new
    /// session, under the same ids; the peer's application gets nothing twice.
    ///
    /// # Errors
    /// [`Error::ResetTooOften`] after five within an hour; [`Error::NotPaired`], [`Error::Ended`],
    /// [`Error::Revoked`] and [`Error::Replaced`] where there is no pairing.
    pub async fn reset(&self) -> Result<PeerInfo> {
        let key = self.key;
        self.agent.shared.worker.write(move |b| b.reset(key)).await?;
        self.info().await
    }

    /// The owner has typed the eight words that the *other* owner reads out on its own screen. The new session is
    /// used by this side from now on, as soon as the other side has confirmed it too.
    ///
    /// # Errors
    /// [`Error::ResetWordsDiffer`] where these are other words of the list: someone may stand in between. The reset
    /// is thrown away, and the old session stays what it is. [`Error::Usage`] for what is not eight words of the
    /// list, and [`Error::NoReset`] where no reset waits for words; then nothing has changed.
    pub async fn confirm_reset(&self, words: &str) -> Result<PeerInfo> {
        let (key, words) = (self.key, words.to_owned());
        let are_same = self.agent.shared.worker.write(move |b| b.confirm_reset(key, &words)).await?;
        let info = self.info().await?;
        if are_same { Ok(info) } else { Err(Error::ResetWordsDiffer { peer: info.name }) }
    }

    /// The owner gives up the reset that is under way, ours or the peer's. The session stays what it is. Where our
    /// owner had confirmed it, the peer may go over to the new session all the same: then another reset is needed.
    pub async fn cancel_reset(&self) -> Result<PeerInfo> {
        let key = self.key;
        self.agent.shared.worker.write(move |b| b.cancel_reset(key)).await?;
        self.info().await
    }

    async fn submit(&self, out: Outgoing) -> Result<Sent> {
        let key = self.key;
        let queued = self.agent.shared.worker.write(move |b| {
            let key = b.successor(key)?;
            let (id, _) = b.send(key, out)?;
            b.delivery(&id)?.ok_or(Error::UnknownMessage)
        });
        Ok(Sent::of(queued.await?, self.agent.shared.now()))
    }

    async fn reply(&self, ask: RecordId) -> Result<Message> {
        let (key, shared) = (self.key, &self.agent.shared);
        let look = move |b: &Batch<'_>| b.reply_to(b.successor(key)?, &ask);
        let item = tokio::select! {
            item = shared.wait_for(look) => item?,
            end = self.last_word(ask) => {
                let end = end?;
                // It may be what came last.
                shared.worker.read(look).await?.ok_or(end)?
            }
        };
        Ok(Message::reply(self.agent.clone(), item))
    }

    /// Waits until no word of a record, and no reply to it, can come any more, and says why. A peer that has
    /// ended the pairing may have said something before that: all that it has posted is read first.
    pub(super) async fn last_word(&self, id: RecordId) -> Result<Error> {
        let shared = &self.agent.shared;
        let mut heard_out = false;
        loop {
            let look = move |b: &Batch<'_>| {
                let row = b.delivery(&id)?.ok_or(Error::UnknownMessage)?;
                Ok(row.stage.end(&row.peer_name).map(|end| (row, end)))
            };
            let (row, end) = shared.wait_for(look).await?;
            if heard_out || row.end().is_some() || !row.stage.hears() {
                return Ok(end);
            }
            match shared.heard_out(row.peer).await {
                Ok(()) => heard_out = true,
                Err(error @ (Error::Closed | Error::Store(_))) => return Err(error),
                Err(_) => pause().await,
            }
        }
    }
}

/// Between two tries to hear a peer out.
#[expect(clippy::disallowed_methods, reason = "it waits between two tries")]
async fn pause() {
    tokio::time::sleep(jitter(RETRY)).await;
}

fn draft(kind: Kind, body: Body) -> Outgoing {
    Outgoing { kind, re: None, exp: None, ctype: body.ctype, body: body.bytes, key: None }
}

/// A message that is about to be sent; `await` it.
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct SendMessage {
    peer: Peer,
    out: Outgoing,
}

impl SendMessage {
    /// The application's own name for it: the same key again gives the first message's id, and
    /// nothing is sent twice.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.out.key = Some(key.into());
        self
    }

    /// It answers that message. To an ask it is the reply.
    pub fn re(mut self, re: RecordId) -> Self {
        self.out.re = Some(re);
        self
    }

    /// After this instant the receiver does not take it any more.
    pub fn expires(mut self, at: Timestamp) -> Self {
        self.out.exp = Some(at);
        self
    }

    async fn run(self) -> Result<Sent> {
        let Self { peer, mut out } = self;
        if let Some(re) = out.re {
            let key = peer.key;
            let look = move |b: &Batch<'_>| {
                let ask = b.find_received(&re)?.filter(InboxItem::is_ask);
                let from = ask.map(|item| b.successor(item.peer)).transpose()?;
                Ok(from == Some(b.successor(key)?))
            };
            if peer.agent.shared.worker.read(look).await? {
                out.kind = Kind::Reply;
            }
        }
        peer.submit(out).await
    }
}

impl IntoFuture for SendMessage {
    type Output = Result<Sent>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Sent>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// An ask that is about to be sent; `await` it for the reply.
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct AskMessage {
    peer: Peer,
    out: Outgoing,
    wait: Option<Duration>,
}

impl AskMessage {
    /// Waits at most this long. [`Error::WaitOver`] then ends the waiting, never the ask: with the same
    /// [`key`](Self::key) the same ask is waited for again.
    pub fn wait(mut self, limit: Duration) -> Self {
        self.wait = Some(limit);
        self
    }

    /// The application's own name for it: the same key is the same ask.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.out.key = Some(key.into());
        self
    }

    /// Sends the ask without waiting; [`Ask::reply`] waits.
    pub async fn start(self) -> Result<Ask> {
        let id = self.peer.submit(self.out).await?.id;
        Ok(Ask { peer: self.peer, id })
    }
}

impl IntoFuture for AskMessage {
    type Output = Result<Message>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Message>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let limit = self.wait;
        Box::pin(async move {
            let ask = self.start().await?;
            within(limit, ask.reply()).await
        })
    }
}

/// An ask that was sent.
#[derive(Clone, Debug)]
pub struct Ask {
    peer: Peer,
    id: RecordId,
}

impl Ask {
    /// Its id, by which the peer answers.
    pub fn id(&self) -> RecordId {
        self.id
    }

    /// Waits for the reply. Dropping the future only detaches: the reply is kept, and a later call gets
    /// it. It becomes `processed` when the message is acknowledged.
    ///
    /// It waits as long as a reply can come: [`AskMessage::wait`] bounds that. That the *peer* has ended the
    /// pairing is learnt from its relay by the next post to it, and while nothing is posted it is not known:
    /// an ask that the peer has received is then waited for.
    ///
    /// # Errors
    /// As soon as it is known that no reply can come any more because of how the pairing stands:
    /// [`Error::Revoked`], [`Error::Replaced`] and [`Error::SessionFrozen`] at once, for nothing that the peer
    /// says is taken then; [`Error::Ended`] when all that the peer had posted before is read.
    pub async fn reply(&self) -> Result<Message> {
        self.peer.reply(self.id).await
    }
}

impl Agent {
    /// An ask that was sent earlier, perhaps by another process.
    pub async fn open_ask(&self, id: &RecordId) -> Result<Ask> {
        let id = *id;
        let row = self.shared.worker.read(move |b| b.delivery(&id)).await?.ok_or(Error::UnknownMessage)?;
        if row.kind == Kind::Ask.as_str() {
            Ok(Ask { peer: Peer::new(self.clone(), row.peer), id })
        } else {
            Err(Error::UnknownMessage)
        }
    }
}
