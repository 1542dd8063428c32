//! The streaming read: many mailboxes, one answer, as long as both sides like.
//!
//! 1. Every mailbox has its turn: a few envelopes of each that has some, round and round.
//! 2. A mailbox with a full window (64 envelopes or 1 MiB that its owner has not acknowledged) waits
//!    for an acknowledgement, which wakes it like a post does.
//! 3. A mailbox that is gone, or whose epoch was raised, ends; the others go on.
//! 4. `bye` is the last word: nothing is left and nobody follows, the relay drains, or it failed.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use wire_core::mailbox::{
    Cursor, Frame, Incarnation, KEEP_ALIVE_MS, MailboxId, Outcome, ReadSpec, Refusal, Refused, STREAM_WINDOW,
    STREAM_WINDOW_BYTES, StreamPlan,
};

use crate::Store;
use crate::clock::now;
use crate::service::next;
use crate::store::WakeKey;

/// Envelopes of one turn.
const TURN: usize = 16;
/// When it is worth coming back after a drain or a failure.
const COME_BACK_MS: u32 = 1000;

/// One mailbox of a stream.
struct Feed {
    index: u32,
    mailbox: MailboxId,
    /// What was sent last.
    sent: Option<Cursor>,
    epoch: Option<u32>,
    /// Number and size of each envelope that is sent and not acknowledged.
    window: VecDeque<(u64, usize)>,
}

enum Turn {
    /// There may be more.
    Again,
    /// Wait for a change.
    Wait,
    /// It has ended.
    End,
    /// The store failed.
    Failed,
}

/// The client has gone.
struct Gone;

struct Sender(mpsc::Sender<Bytes>);

impl Sender {
    async fn send(&self, bytes: Vec<u8>) -> Result<(), Gone> {
        self.0.send(Bytes::from(bytes)).await.map_err(|_| Gone)
    }
}

pub(crate) async fn run<S: Store>(
    store: &S,
    plan: StreamPlan,
    chunks: mpsc::Sender<Bytes>,
    mut draining: watch::Receiver<bool>,
) {
    let sender = Sender(chunks);
    let reconnect_after_ms = tokio::select! {
        told = feed(store, plan, &sender) => match told {
            Ok(reconnect_after_ms) => reconnect_after_ms,
            Err(Gone) => return,
        },
        _ = draining.wait_for(|drain| *drain) => COME_BACK_MS,
    };
    // If the client has gone meanwhile there is nobody to say it to.
    drop(sender.send(Frame::Bye { reconnect_after_ms }.to_bytes()).await);
}

/// Sends until there is a reason to say bye.
async fn feed<S: Store>(store: &S, plan: StreamPlan, sender: &Sender) -> Result<u32, Gone> {
    let follow = plan.follow;
    let mut feeds = BTreeMap::new();
    for (index, read) in (0u32..).zip(plan.reads) {
        match read {
            Ok(ReadSpec::Mailbox { mailbox, after, .. }) => {
                let window = VecDeque::new();
                feeds.insert(index, Feed { index, mailbox, sent: after, epoch: None, window });
            }
            Ok(ReadSpec::Slot { .. }) => {}
            Err(refusal) => sender.send(end(index, refusal)).await?,
        }
    }
    let mut of_mailbox: BTreeMap<MailboxId, Vec<u32>> = BTreeMap::new();
    for feed in feeds.values() {
        of_mailbox.entry(feed.mailbox).or_default().push(feed.index);
    }
    let keys = of_mailbox.keys().map(|mailbox| WakeKey::Mailbox(*mailbox)).collect();
    let mut changes = std::pin::pin!(store.watch(keys));
    let period = Duration::from_millis(KEEP_ALIVE_MS);
    let mut keep_alive = interval_at(Instant::now() + period, period);
    keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);

    let mut turns: VecDeque<u32> = feeds.keys().copied().collect();
    loop {
        while let Some(index) = turns.pop_front() {
            let Some(feed) = feeds.get_mut(&index) else { continue };
            match feed.turn(store, sender).await? {
                Turn::Again => turns.push_back(index),
                Turn::Wait => {}
                Turn::End => drop(feeds.remove(&index)),
                Turn::Failed => return Ok(COME_BACK_MS),
            }
        }
        if !follow || feeds.is_empty() {
            return Ok(0);
        }
        tokio::select! {
            change = next(&mut changes) => match change {
                Some(WakeKey::Mailbox(mailbox)) => {
                    turns.extend(of_mailbox.get(&mailbox).into_iter().flatten());
                }
                Some(WakeKey::Place(_)) => {}
                None => return Ok(COME_BACK_MS),
            },
            _ = keep_alive.tick() => sender.send(Frame::KeepAlive.to_bytes()).await?,
        }
    }
}

impl Feed {
    async fn turn<S: Store>(&mut self, store: &S, sender: &Sender) -> Result<Turn, Gone> {
        let unacked: usize = self.window.iter().map(|(_, size)| size).sum();
        let free = STREAM_WINDOW_BYTES.saturating_sub(unacked);
        let room = if free == 0 { 0 } else { STREAM_WINDOW.saturating_sub(self.window.len()).min(TURN) };
        let spec = ReadSpec::Mailbox {
            mailbox: self.mailbox,
            after: self.sent,
            max_envelopes: room,
            max_bytes: free,
            now: now(),
        };
        let (page, epoch) = match store.read(spec).await {
            Ok(Outcome::Page { page, epoch }) => (page, epoch),
            Ok(_) => {
                sender.send(end(self.index, Refusal::NotFound)).await?;
                return Ok(Turn::End);
            }
            Err(_) => return Ok(Turn::Failed),
        };
        if *self.epoch.get_or_insert(epoch) != epoch {
            sender.send(end(self.index, Refusal::OldEpoch)).await?;
            return Ok(Turn::End);
        }
        let freed = self.note_acked(page.incarnation, page.acked);
        let mut bytes = Vec::new();
        for (seq, envelope) in page.envelopes {
            self.window.push_back((seq, envelope.len()));
            self.sent = Some(Cursor { incarnation: page.incarnation, seq });
            let frame = Frame::Envelope { index: self.index, incarnation: page.incarnation, seq, envelope };
            bytes.extend_from_slice(&frame.to_bytes());
        }
        let progress = freed || !bytes.is_empty();
        if !bytes.is_empty() {
            sender.send(bytes).await?;
        }
        let more = self.sent.is_none_or(|sent| sent.seq < page.head);
        Ok(if progress && more { Turn::Again } else { Turn::Wait })
    }

    /// Whether that made room in the window.
    fn note_acked(&mut self, incarnation: Incarnation, acked: u64) -> bool {
        let before = self.window.len();
        match self.sent {
            Some(sent) if sent.incarnation == incarnation => {
                while self.window.front().is_some_and(|(seq, _)| *seq <= acked) {
                    self.window.pop_front();
                }
            }
            _ => self.window.clear(),
        }
        self.window.len() < before
    }
}

fn end(index: u32, refusal: Refusal) -> Vec<u8> {
    Frame::End { index, refused: Refused { refusal, time: now() } }.to_bytes()
}
