//! The client's half of the mailbox protocol, for one relay, without I/O.
//!
//! Method kinds:
//! - *commands* say what is wanted: [`open`](MailboxClient::open), [`delete`](MailboxClient::delete),
//!   [`raise_epoch`](MailboxClient::raise_epoch), [`post`](MailboxClient::post), [`ack`](MailboxClient::ack);
//! - *inputs* say what happened: [`handle_response`](MailboxClient::handle_response),
//!   [`handle_chunk`](MailboxClient::handle_chunk), [`handle_end`](MailboxClient::handle_end),
//!   [`handle_failure`](MailboxClient::handle_failure); a deadline that has passed is none of them;
//! - [`poll_output`](MailboxClient::poll_output) says what to do next.
//!
//! Run loop: after each command or input call `poll_output` until it gives [`Output::Wait`]; carry out
//! each [`Output::Transmit`] concurrently, in any order; then wait for an input or for the deadline.
//!
//! Requests are signed when they are transmitted, with the relay's time; every one is idempotent, so
//! what failed is simply sent again, after a back-off with full jitter.

#![allow(clippy::wildcard_enum_match_arm, reason = "a refusal that is not handled here is told")]

mod backoff;
mod job;
mod output;
mod reader;

use std::collections::{BTreeMap, VecDeque};

use super::{
    Certificate, Cursor, Done, MailboxId, MailboxKeyPair, Operation, Page, Posted, Refusal, Refused, RelayId,
    Right, SenderKeyPair,
};
use crate::envelope::EnvelopeHash;
use crate::time::Timestamp;
use backoff::Backoff;
use job::{Job, What};
use reader::{Notice, Reader};

pub use output::{Call, Event, Output, RequestId};

/// Where operations on one mailbox go.
pub const MAILBOX_PATH: &str = "/v1/mb";
/// Where many mailboxes are read in one stream.
pub const READ_PATH: &str = "/v1/read";

/// A relay's clock and ours may be this far apart.
pub(crate) const MAX_CLOCK_OFFSET_MS: i64 = 24 * 3_600_000;

/// See the [module](self).
#[derive(Debug)]
pub struct MailboxClient {
    relay: RelayId,
    offset_ms: i64,
    next_id: u64,
    jobs: VecDeque<Job>,
    flying: BTreeMap<RequestId, Flight>,
    /// Streams that were given up.
    cancelled: Vec<RequestId>,
    events: VecDeque<Event>,
    reader: Reader,
    backoff: Backoff,
    reachable: Option<bool>,
}

#[derive(Debug)]
enum Flight {
    Job(Box<Job>),
    Stream,
}

impl MailboxClient {
    /// A client of the relay with this key, whose clock is `offset_ms` ahead of ours. `seed` spreads
    /// the back-off and the names of requests, so that an answer to another client is none to this one;
    /// it is no secret.
    pub fn new(relay: RelayId, offset_ms: i64, seed: u64) -> Self {
        Self {
            relay,
            offset_ms,
            next_id: seed >> 1,
            jobs: VecDeque::new(),
            flying: BTreeMap::new(),
            cancelled: Vec::new(),
            events: VecDeque::new(),
            reader: Reader::default(),
            backoff: Backoff::new(seed),
            reachable: None,
        }
    }

    // Commands.

    /// Creates the mailbox if there is none, and reads it from `cursor`; without one from where the
    /// relay's record of our acknowledgements stands.
    pub fn open(&mut self, key: MailboxKeyPair, min_epoch: u32, cursor: Option<Cursor>, right: Right) {
        if cursor.is_none() {
            self.drop_jobs_of(&key.public());
            self.push(What::Create { key: key.clone(), min_epoch, right });
        }
        self.reader.add(key, min_epoch, cursor);
    }

    /// Reads the mailbox no more.
    pub fn close(&mut self, mailbox: &MailboxId) {
        self.reader.remove(mailbox);
        self.drop_jobs_of(mailbox);
    }

    /// Deletes the mailbox with all that waits in it.
    pub fn delete(&mut self, key: MailboxKeyPair) {
        self.close(&key.public());
        self.push(What::Delete { key });
    }

    /// Posts envelopes, in this order, under the certificate; answered by an event with `tag`.
    pub fn post(
        &mut self,
        tag: u64,
        sender: SenderKeyPair,
        certificate: Certificate,
        envelopes: Vec<Vec<u8>>,
    ) {
        let certificate = Box::new(certificate);
        self.push(What::Post { tag, sender, certificate, operation: Operation::Post { envelopes } });
    }

    /// Lets the relay drop everything up to `at`, the envelope with that hash included. Call it when
    /// what was read is on our own disk. Only the newest acknowledgement of a mailbox is sent.
    pub fn ack(&mut self, mailbox: &MailboxId, at: Cursor, hash: EnvelopeHash) {
        let Some(key) = self.reader.key(mailbox) else { return };
        self.reader.move_to(mailbox, at);
        self.jobs.retain(|job| !job.what.acknowledges(mailbox));
        self.push(What::Ack { key, at, hash });
    }

    /// Gives the stream up and starts none before `until`: what was read could not be stored.
    pub fn pause_reading(&mut self, until: Timestamp) {
        let stopped = self.reader.stop();
        self.cancel(stopped);
        self.reader.pause_until(until);
    }

    /// Ends the right of whoever holds a certificate of an epoch below `min_epoch`.
    pub fn raise_epoch(&mut self, key: MailboxKeyPair, min_epoch: u32) {
        self.close(&key.public());
        self.push(What::Epoch { key, min_epoch });
    }

    /// The relay has proved that its clock is this far ahead of ours.
    pub fn set_clock(&mut self, offset_ms: i64) {
        self.offset_ms = offset_ms;
    }

    /// Tries at once what waits for its back-off to end.
    pub fn retry_now(&mut self) {
        self.backoff.reset();
        self.reader.hurry();
        for job in &mut self.jobs {
            (job.not_before, job.tries) = (None, 0);
        }
    }

    /// Whether every command was answered.
    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty() && !self.flying.values().any(|f| matches!(f, Flight::Job(_)))
    }

    // Inputs.

    /// The whole answer to a request that is no stream, or an error in place of a stream.
    pub fn handle_response(&mut self, now: Timestamp, id: RequestId, status: u16, body: &[u8]) {
        let Some(flight) = self.flying.remove(&id) else { return };
        let refused = Refused::from_bytes(body).ok().filter(|_| status >= 400);
        match (flight, refused) {
            (Flight::Stream, refused) => {
                self.heard(refused.is_some());
                if let Some(Refused { refusal: Refusal::Skew, time }) = refused {
                    let _ = self.believe(now, time);
                }
                self.reader.ended(id, now, refused.map(|r| r.refusal), &mut self.backoff);
            }
            (Flight::Job(job), Some(refused)) => {
                self.heard(true);
                self.refused(now, *job, &refused);
            }
            (Flight::Job(job), None) => {
                let understood = status < 300 && self.answered(&job.what, body);
                // What stands in front of a relay that is down answers too, but not like a relay.
                self.heard(understood);
                if !understood {
                    self.postpone(now, *job, None);
                }
            }
        }
    }

    /// A piece of a stream's body.
    pub fn handle_chunk(&mut self, now: Timestamp, id: RequestId, chunk: &[u8]) {
        if !self.flying.contains_key(&id) {
            return;
        }
        match self.reader.take(id, chunk, &mut self.events) {
            Ok(notices) => {
                self.heard(true);
                notices.into_iter().for_each(|notice| self.noticed(now, notice));
            }
            Err(reader::Broken) => {
                self.heard(false);
                self.cancel(Some(id));
                self.reader.ended(id, now, None, &mut self.backoff);
            }
        }
    }

    /// A stream's body is over.
    pub fn handle_end(&mut self, now: Timestamp, id: RequestId) {
        if self.flying.remove(&id).is_some() {
            self.reader.ended(id, now, None, &mut self.backoff);
        }
    }

    /// No answer came, or the stream broke.
    pub fn handle_failure(&mut self, now: Timestamp, id: RequestId) {
        match self.flying.remove(&id) {
            None => return,
            Some(Flight::Stream) => self.reader.ended(id, now, None, &mut self.backoff),
            Some(Flight::Job(job)) => self.jobs.push_front(*job),
        }
        self.backoff.failed(now);
        self.set_reachable(false);
    }

    // Output.

    /// What to do next; see the [module](self) for the loop.
    pub fn poll_output(&mut self, now: Timestamp) -> Output {
        if let Some(id) = self.cancelled.pop() {
            return Output::Cancel(id);
        }
        if let Some(event) = self.events.pop_front() {
            return Output::Event(event);
        }
        if let Some(until) = self.backoff.blocks(now) {
            return Output::Wait(Some(until));
        }
        let due = self.jobs.iter().position(|j| j.not_before.is_none_or(|t| t <= now));
        if let Some(job) = due.and_then(|i| self.jobs.remove(i)) {
            let id = self.fresh_id();
            let body = job.sign(&self.relay, now.offset_millis(self.offset_ms));
            self.flying.insert(id, Flight::Job(Box::new(job)));
            return Output::Transmit(id, Call { path: MAILBOX_PATH, body, stream: false });
        }
        if let Some(id) = self.reader.outdated(now) {
            self.flying.remove(&id);
            return Output::Cancel(id);
        }
        if self.reader.may_start(now) {
            let id = self.fresh_id();
            let body = self.reader.start(id, &self.relay, now, now.offset_millis(self.offset_ms));
            self.flying.insert(id, Flight::Stream);
            return Output::Transmit(id, Call { path: READ_PATH, body, stream: true });
        }
        Output::Wait(self.jobs.iter().filter_map(|j| j.not_before).chain(self.reader.deadline()).min())
    }

    fn push(&mut self, what: What) {
        self.jobs.push_back(Job::new(what));
    }

    /// What was to be done with a mailbox is void: a create that comes late would bring it back.
    fn drop_jobs_of(&mut self, mailbox: &MailboxId) {
        self.jobs.retain(|job| !job.what.creates(mailbox) && !job.what.acknowledges(mailbox));
    }

    fn fresh_id(&mut self) -> RequestId {
        self.next_id = self.next_id.wrapping_add(1);
        RequestId(self.next_id)
    }

    fn cancel(&mut self, stream: Option<RequestId>) {
        if let Some(id) = stream
            && self.flying.remove(&id).is_some()
        {
            self.cancelled.push(id);
        }
    }

    /// Something came back, from the relay or from something else.
    fn heard(&mut self, relay: bool) {
        if relay {
            self.backoff.reset();
        }
        self.set_reachable(relay);
    }

    fn set_reachable(&mut self, yes: bool) {
        if self.reachable != Some(yes) {
            self.reachable = Some(yes);
            self.events.push_back(Event::Reachable(yes));
        }
    }

    /// Takes the relay's word for its time, which is not signed here: whoever drives this client can
    /// have it proved, and says so with [`MailboxClient::set_clock`]. A lie costs a retry. What is too
    /// far off is not believed, so that whether something is sent with such a clock is no matter of luck.
    fn believe(&mut self, now: Timestamp, time: Timestamp) -> bool {
        let offset_ms = time.signed_since(now);
        let near = offset_ms.saturating_abs() <= MAX_CLOCK_OFFSET_MS;
        if near {
            self.offset_ms = offset_ms;
        }
        self.events.push_back(Event::Clock { offset_ms });
        near
    }

    /// Whether the answer was one.
    fn answered(&mut self, what: &What, body: &[u8]) -> bool {
        let event = match what {
            What::Create { key, .. } => {
                let Ok(done) = Done::from_bytes(body) else { return false };
                self.reader.created(&key.public());
                Event::Opened { mailbox: key.public(), incarnation: done.incarnation }
            }
            What::Post { tag, .. } => {
                let Ok(p) = Posted::from_bytes(body) else { return false };
                let (incarnation, verdicts, expires_at) = (p.incarnation, p.verdicts, p.expires_at);
                Event::Posted { tag: *tag, incarnation, verdicts, expires_at }
            }
            What::Delete { key } => Event::Deleted { mailbox: key.public() },
            What::Epoch { key, .. } => Event::Revoked { mailbox: key.public() },
            What::Ack { .. } => return Done::from_bytes(body).is_ok(),
        };
        self.events.push_back(event);
        true
    }

    fn refused(&mut self, now: Timestamp, mut job: Job, refused: &Refused) {
        match refused.refusal {
            Refusal::Skew if !job.skew_retried => {
                if self.believe(now, refused.time) {
                    job.skew_retried = true;
                    self.jobs.push_front(job);
                } else {
                    self.postpone(now, job, None);
                }
            }
            refusal if refusal.is_transient() => {
                if let What::Post { tag, .. } = job.what {
                    self.events.push_back(Event::PostDelayed { tag, refusal });
                }
                self.postpone(now, job, Some(refusal));
            }
            refusal => self.events.extend(match job.what {
                What::Post { tag, .. } => Some(Event::PostRefused { tag, refusal }),
                What::Create { key, .. } | What::Epoch { key, .. } | What::Delete { key } => {
                    let mailbox = key.public();
                    self.reader.remove(&mailbox);
                    Some(Event::BoxRefused { mailbox, refusal })
                }
                // A stale acknowledgement: the stream tells where the mailbox stands.
                What::Ack { .. } => None,
            }),
        }
    }

    fn noticed(&mut self, now: Timestamp, notice: Notice) {
        match notice {
            Notice::Lost { key, min_epoch, losses } => {
                self.drop_jobs_of(&key.public());
                // Not at once: a relay that loses it again and again must not be asked in a circle.
                let mut job = Job::new(What::Create { key, min_epoch, right: Right::None });
                job.tries = losses;
                self.postpone(now, job, None);
            }
            Notice::Ended { mailbox, refused } => match refused.refusal {
                Refusal::Skew => {
                    let _ = self.believe(now, refused.time);
                    self.rejoin(now, None);
                }
                refusal if refusal.is_transient() => self.rejoin(now, Some(refusal)),
                refusal => {
                    self.close(&mailbox);
                    self.events.push_back(Event::BoxRefused { mailbox, refusal });
                }
            },
        }
    }

    /// The others are read on until then.
    fn rejoin(&mut self, now: Timestamp, refusal: Option<Refusal>) {
        let delay = self.backoff.delay_after(refusal, self.reader.tries());
        self.reader.rejoin_at(now.plus_millis(delay));
    }

    fn postpone(&mut self, now: Timestamp, mut job: Job, refusal: Option<Refusal>) {
        job.not_before = Some(now.plus_millis(self.backoff.delay_after(refusal, job.tries)));
        job.tries = job.tries.saturating_add(1);
        self.jobs.push_back(job);
    }
}

/// The answer to a poll that does not stream, for drivers that read one mailbox at a time.
///
/// # Errors
/// What the relay refused, or [`Refusal::Malformed`] for an answer that is none.
pub fn read_page(status: u16, body: &[u8]) -> Result<Page, Refusal> {
    if status >= 400 {
        return Err(Refused::from_bytes(body).map_or(Refusal::Malformed, |r| r.refusal));
    }
    Page::from_bytes(body).map_err(|_| Refusal::Malformed)
}

#[cfg(test)]
mod tests;
