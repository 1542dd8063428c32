//! The one stream in which all mailboxes at a relay are read.

use std::collections::{BTreeMap, VecDeque};

use super::backoff::Backoff;
use super::{Event, RequestId};
use crate::mailbox::{
    Cursor, Frame, FrameDecoder, MailboxId, MailboxKeyPair, Operation, ReadRequest, Refusal, Refused,
    RelayId, SignedRequest,
};
use crate::time::Timestamp;

/// Longest frame that is taken: the largest envelope and what surrounds it.
const MAX_FRAME: usize = (256 << 10) + 256;
/// Largest number of an envelope, so that every store can hold it.
const MAX_SEQ: u64 = i64::MAX as u64;
/// A stream that lived this long was a good one.
const GOOD_LIFE_MS: u64 = 10_000;

#[derive(Debug, Default)]
pub(super) struct Reader {
    boxes: BTreeMap<MailboxId, Own>,
    stream: Option<Stream>,
    /// The set of mailboxes changed since the stream began.
    outdated: bool,
    /// When a mailbox that the relay would not read for now is asked for again.
    rejoin: Option<Timestamp>,
    not_before: Option<Timestamp>,
    /// Streams in a row that brought nothing and did not last.
    failures: u32,
}

#[derive(Debug)]
struct Own {
    key: MailboxKeyPair,
    min_epoch: u32,
    cursor: Option<Cursor>,
    /// It is known to exist, so it can be read.
    exists: bool,
    /// How often the relay has lost it since it last gave anything out.
    losses: u32,
}

#[derive(Debug)]
struct Stream {
    id: RequestId,
    since: Timestamp,
    /// Mailbox of each poll.
    order: Vec<MailboxId>,
    frames: FrameDecoder,
    bye_ms: Option<u64>,
}

/// What else a chunk brought.
#[derive(Debug)]
pub(super) enum Notice {
    /// The relay lost the mailbox, or was restored: create it again and read what is there.
    Lost { key: MailboxKeyPair, min_epoch: u32, losses: u32 },
    /// It is not read any more in this stream.
    Ended { mailbox: MailboxId, refused: Refused },
}

/// The stream is not one of frames.
#[derive(Debug)]
pub(super) struct Broken;

impl Reader {
    pub(super) fn add(&mut self, key: MailboxKeyPair, min_epoch: u32, cursor: Option<Cursor>) {
        let exists = cursor.is_some();
        self.outdated |= exists;
        let losses = self.boxes.get(&key.public()).map_or(0, |own| own.losses);
        self.boxes.insert(key.public(), Own { key, min_epoch, cursor, exists, losses });
    }

    pub(super) fn created(&mut self, mailbox: &MailboxId) {
        if let Some(own) = self.boxes.get_mut(mailbox)
            && !own.exists
        {
            own.exists = true;
            self.outdated = true;
        }
    }

    pub(super) fn remove(&mut self, mailbox: &MailboxId) {
        if self.boxes.remove(mailbox).is_some_and(|own| own.exists) {
            self.outdated = true;
        }
    }

    pub(super) fn key(&self, mailbox: &MailboxId) -> Option<MailboxKeyPair> {
        self.boxes.get(mailbox).map(|own| own.key.clone())
    }

    pub(super) fn move_to(&mut self, mailbox: &MailboxId, at: Cursor) {
        if let Some(own) = self.boxes.get_mut(mailbox) {
            own.cursor = Some(at);
        }
    }

    /// A stream that runs without all of today's mailboxes.
    pub(super) fn outdated(&mut self, now: Timestamp) -> Option<RequestId> {
        if self.rejoin.is_some_and(|t| t <= now) {
            self.rejoin = None;
            self.outdated = true;
        }
        if self.outdated { self.stop() } else { None }
    }

    /// Ends the stream at once; what still comes of it is not taken.
    pub(super) fn stop(&mut self) -> Option<RequestId> {
        self.stream.take().map(|s| s.id)
    }

    fn wants_stream(&self) -> bool {
        self.stream.is_none() && self.boxes.values().any(|own| own.exists)
    }

    pub(super) fn may_start(&self, now: Timestamp) -> bool {
        self.wants_stream() && self.not_before.is_none_or(|t| t <= now)
    }

    /// When it has something to do without any input.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let start = if self.wants_stream() { self.not_before } else { None };
        start.into_iter().chain(self.rejoin).min()
    }

    pub(super) fn pause_until(&mut self, until: Timestamp) {
        self.not_before = Some(until);
    }

    /// How often in a row it was all for nothing.
    pub(super) fn tries(&mut self) -> u32 {
        self.failures = self.failures.saturating_add(1);
        self.failures - 1
    }

    /// Asks again soon for what the relay would not read now.
    pub(super) fn rejoin_at(&mut self, at: Timestamp) {
        self.rejoin = Some(self.rejoin.map_or(at, |t| t.min(at)));
    }

    /// Tries at once what waits.
    pub(super) fn hurry(&mut self) {
        self.not_before = None;
        self.failures = 0;
    }

    /// The body that asks for everything after each cursor. `relay_time` signs it.
    pub(super) fn start(
        &mut self,
        id: RequestId,
        relay: &RelayId,
        now: Timestamp,
        relay_time: Timestamp,
    ) -> Vec<u8> {
        let readable: Vec<&Own> = self.boxes.values().filter(|own| own.exists).collect();
        let polls = readable
            .iter()
            .map(|own| {
                let operation = Operation::Poll {
                    incarnation: own.cursor.map(|c| c.incarnation),
                    after: own.cursor.map_or(0, |c| c.seq),
                    max: 0,
                    wait_ms: 0,
                };
                SignedRequest::by_owner(&own.key, relay, relay_time, &operation)
            })
            .collect();
        let order = readable.iter().map(|own| own.key.public()).collect();
        let frames = FrameDecoder::new(MAX_FRAME);
        self.stream = Some(Stream { id, since: now, order, frames, bye_ms: None });
        self.outdated = false;
        self.rejoin = None;
        self.not_before = None;
        ReadRequest { polls, follow: true }.to_bytes()
    }

    /// Cuts a chunk into frames and says what they brought.
    pub(super) fn take(
        &mut self,
        id: RequestId,
        chunk: &[u8],
        events: &mut VecDeque<Event>,
    ) -> Result<Vec<Notice>, Broken> {
        let Some(stream) = self.stream.as_mut().filter(|s| s.id == id) else { return Ok(Vec::new()) };
        let mut notices = Vec::new();
        stream.frames.push(chunk);
        loop {
            match stream.frames.next_frame().map_err(|_| Broken)? {
                None => return Ok(notices),
                Some(Frame::KeepAlive) => {}
                Some(Frame::Bye { reconnect_after_ms }) => {
                    stream.bye_ms = Some(u64::from(reconnect_after_ms));
                }
                Some(Frame::Envelope { index, incarnation, seq, envelope }) => {
                    let mailbox = stream.order.get(index as usize).copied().ok_or(Broken)?;
                    if seq > MAX_SEQ {
                        return Err(Broken);
                    }
                    // Removed or deleted since the stream began: nobody waits for it.
                    if let Some(own) = self.boxes.get_mut(&mailbox) {
                        own.losses = 0;
                        self.failures = 0;
                        let at = Cursor { incarnation, seq };
                        events.push_back(Event::Envelope { mailbox, at, envelope });
                    }
                }
                Some(Frame::End { index, refused }) => {
                    let mailbox = stream.order.get(index as usize).copied().ok_or(Broken)?;
                    let Some(own) = self.boxes.get_mut(&mailbox) else { continue };
                    if let Refusal::NotFound | Refusal::Stale { .. } = refused.refusal {
                        let (key, losses) = (own.key.clone(), own.losses);
                        own.exists = false;
                        own.cursor = None;
                        own.losses = losses.saturating_add(1);
                        notices.push(Notice::Lost { key, min_epoch: own.min_epoch, losses });
                    } else {
                        notices.push(Notice::Ended { mailbox, refused });
                    }
                }
            }
        }
    }

    /// The stream is over: none before a while, which grows as long as streams bring nothing.
    pub(super) fn ended(
        &mut self,
        id: RequestId,
        now: Timestamp,
        refusal: Option<Refusal>,
        backoff: &mut Backoff,
    ) {
        let Some(stream) = self.stream.take_if(|s| s.id == id) else { return };
        if now.since(stream.since) >= GOOD_LIFE_MS {
            self.failures = 0;
        }
        let delay = match stream.bye_ms {
            Some(millis) => backoff.spread(millis, self.failures),
            None => backoff.delay_after(refusal, self.failures),
        };
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now.plus_millis(delay));
    }
}
