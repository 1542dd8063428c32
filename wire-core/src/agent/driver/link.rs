//! One relay, as the driver sees it.

mod identity;
pub(super) mod storing;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use self::identity::{Doubted, Identity};
use self::storing::Flow;
use super::io::{Input, carry_out};
use crate::agent::core::Shared;
use crate::agent::engine::{After, Closing, OwnBox, PeerKey, Post, PostTarget};
use crate::agent::error::Error;
use crate::agent::relay_api::RelayApi;
use crate::agent::relay_url::Reach;
use crate::agent::store::Sync;
use crate::agent::unstored::Source;
use crate::agent::views::RelayState;
use crate::mailbox::client::{Event, Output, RequestId};
use crate::mailbox::{Cursor, MailboxClient, MailboxId, Refusal, Right};
use crate::time::Timestamp;

/// How long what the relay refused waits before it is tried again.
const REFUSED_WAIT_MS: u64 = 60_000;
/// How long a post waits when the mailbox has a new life.
const REBORN_WAIT_MS: u64 = 5_000;

pub(super) struct Link {
    shared: Arc<Shared>,
    url: String,
    api: RelayApi,
    /// By the owner, not by a peer alone.
    chosen: bool,
    /// None until the relay's key is known.
    client: Option<MailboxClient>,
    identity: Identity,
    /// Nothing is asked before then.
    not_before: Option<Timestamp>,
    /// Posts that wait for the client, and those that are under way, by tag.
    waiting: Vec<Post>,
    posts: BTreeMap<u64, Arc<Post>>,
    next_tag: u64,
    /// Peers to whom nothing is posted before then.
    paused: BTreeMap<PeerKey, Timestamp>,
    /// Peers whose post is under way or being noted.
    busy: BTreeMap<PeerKey, ()>,
    boxes: BTreeMap<MailboxId, OwnBox>,
    /// Mailboxes that are left alone until then.
    resting: BTreeMap<MailboxId, Timestamp>,
    /// Mailboxes that the client does not know yet.
    unread: Vec<MailboxId>,
    flights: BTreeMap<RequestId, AbortHandle>,
    arrived: BTreeMap<MailboxId, Vec<(Cursor, Vec<u8>)>>,
    /// How far each mailbox was handed to the store. A step that does not follow on what the store has
    /// is refused by it, so that nothing is acknowledged past a step that failed.
    handed: BTreeMap<MailboxId, Option<Cursor>>,
    flow: Arc<Flow>,
    deadline: Option<Timestamp>,
    /// The relay was out of reach since it last answered.
    was_lost: bool,
}

impl Link {
    pub(super) fn new(shared: Arc<Shared>, url: String, api: RelayApi) -> Self {
        Self {
            shared,
            url,
            api,
            chosen: false,
            client: None,
            identity: Identity::default(),
            not_before: None,
            waiting: Vec::new(),
            posts: BTreeMap::new(),
            next_tag: 0,
            paused: BTreeMap::new(),
            busy: BTreeMap::new(),
            boxes: BTreeMap::new(),
            resting: BTreeMap::new(),
            unread: Vec::new(),
            flights: BTreeMap::new(),
            arrived: BTreeMap::new(),
            handed: BTreeMap::new(),
            flow: Arc::default(),
            deadline: None,
            was_lost: false,
        }
    }

    pub(super) fn is_chosen(&self) -> bool {
        self.chosen
    }

    /// How far requests may reach from now on.
    pub(super) fn reach(&mut self, reach: Reach, chosen: bool) {
        self.api.reach = reach;
        self.chosen = chosen;
    }

    /// Peers for whom no further post is wanted now.
    pub(super) fn busy_peers(&self) -> impl Iterator<Item = PeerKey> {
        self.busy.keys().chain(self.paused.keys()).copied()
    }

    /// How many posts are under way.
    pub(super) fn posting(&self) -> usize {
        self.busy.len()
    }

    pub(super) fn post(&mut self, post: Post) {
        if self.busy.insert(post.target.peer, ()).is_none() {
            self.waiting.push(post);
        }
    }

    /// Reads a mailbox of ours, or closes one whose pairing is over.
    pub(super) fn read(&mut self, own: OwnBox) {
        let id = own.id;
        let known = self.boxes.get(&id).map(|b| b.closing);
        if known != Some(own.closing) && !self.resting.contains_key(&id) {
            self.handed.insert(id, own.cursor);
            self.boxes.insert(id, own);
            self.unread.push(id);
        }
    }

    /// Another process reads now.
    pub(super) fn stop_reading(&mut self) {
        for id in std::mem::take(&mut self.boxes).into_keys() {
            self.with_client(|c| c.close(&id));
        }
        self.unread.clear();
        self.arrived.clear();
        for mailbox in std::mem::take(&mut self.handed).into_keys() {
            self.shared.note_stored(Source::Mailbox(mailbox), Ok(()));
        }
    }

    pub(super) fn hurry(&mut self) {
        self.not_before = None;
        for peer in std::mem::take(&mut self.paused).into_keys() {
            self.shared.set_refusal(peer, None);
        }
        self.resting.clear();
        if let Some(client) = &mut self.client {
            client.retry_now();
        }
        self.shared.worker.note_change();
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let rests = self.paused.values().chain(self.resting.values()).copied();
        self.deadline.into_iter().chain(self.not_before).chain(rests).min()
    }

    pub(super) fn take(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Identified(_, outcome) => self.identified(now, outcome),
            Input::Answered(_, id, response) => {
                self.flights.remove(&id);
                self.with_client(|c| c.handle_response(now, id, response.status, &response.body));
            }
            Input::Chunk(_, id, chunk) => self.with_client(|c| c.handle_chunk(now, id, &chunk)),
            Input::Ended(_, id) => {
                self.flights.remove(&id);
                self.with_client(|c| c.handle_end(now, id));
            }
            Input::Failed(_, id, error) => {
                self.flights.remove(&id);
                self.shared.set_relay_state(&self.url, RelayState::Unreachable(error.to_string()));
                self.with_client(|c| c.handle_failure(now, id));
            }
            Input::Stored { mailbox, at, hash, outcome, .. } => match outcome {
                Ok(_) => {
                    self.shared.note_stored(Source::Mailbox(mailbox), Ok(()));
                    self.with_client(|c| c.ack(&mailbox, at, hash));
                }
                Err(error) => self.reread(now, mailbox, &error),
            },
            Input::Closed(_, mailbox, outcome) => {
                self.boxes.remove(&mailbox);
                self.shared.note_stored(Source::Mailbox(mailbox), Ok(()));
                if outcome.is_err() {
                    self.resting.insert(mailbox, now.plus_millis(REFUSED_WAIT_MS));
                }
            }
            Input::Noted(_, peer, outcome) => {
                self.busy.remove(&peer);
                let wait = match outcome {
                    Ok(After::Done) => 0,
                    Ok(After::Soon) => REBORN_WAIT_MS,
                    Ok(After::Refused(_)) | Err(_) => REFUSED_WAIT_MS,
                };
                match outcome {
                    Ok(After::Refused(refusal)) => self.shared.set_refusal(peer, Some(refusal)),
                    Ok(After::Done | After::Soon) => self.shared.set_refusal(peer, None),
                    Err(_) => {}
                }
                if wait > 0 {
                    self.paused.insert(peer, now.plus_millis(wait));
                }
                self.shared.worker.note_change();
            }
        }
    }

    /// Carries out everything that can be carried out now.
    pub(super) fn pump(&mut self, now: Timestamp, io: &mut JoinSet<()>, tell: &mpsc::Sender<Input>) {
        self.deadline = None;
        self.not_before = self.not_before.filter(|until| *until > now);
        let resting = self.paused.len() + self.resting.len();
        self.paused.retain(|_, until| *until > now);
        self.resting.retain(|_, until| *until > now);
        if self.paused.len() + self.resting.len() < resting {
            self.shared.worker.note_change();
        }
        self.hand_over();
        while let Some(client) = &mut self.client {
            match client.poll_output(now) {
                Output::Transmit(id, call) => {
                    let (api, url, flow) = (self.api.clone(), self.url.clone(), self.flow.clone());
                    self.flights.insert(id, io.spawn(carry_out(api, url, id, call, flow, tell.clone())));
                }
                Output::Cancel(id) => {
                    if let Some(stream) = self.flights.remove(&id) {
                        stream.abort();
                    }
                }
                Output::Event(event) => self.event(now, event, io, tell),
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    break;
                }
            }
        }
        self.store_arrived(io, tell);
        self.identify(now, io, tell);
    }

    fn with_client(&mut self, f: impl FnOnce(&mut MailboxClient)) {
        if let Some(client) = &mut self.client {
            f(client);
        }
    }

    /// Tells the client what it has to do.
    fn hand_over(&mut self) {
        let Some(client) = &mut self.client else { return };
        for id in std::mem::take(&mut self.unread) {
            let Some(own) = self.boxes.get(&id) else { continue };
            match own.closing {
                None => client.open(own.key(), own.epoch, own.cursor, Right::None),
                Some(Closing::Revoke) => client.raise_epoch(own.key(), own.epoch.saturating_add(1)),
                Some(Closing::Delete) => client.delete(own.key()),
            }
        }
        for post in std::mem::take(&mut self.waiting) {
            let tag = self.next_tag;
            self.next_tag += 1;
            let target = &post.target;
            client.post(tag, target.sender.clone(), target.certificate.clone(), post.envelopes.clone());
            self.posts.insert(tag, Arc::new(post));
        }
    }

    fn event(&mut self, now: Timestamp, event: Event, io: &mut JoinSet<()>, tell: &mpsc::Sender<Input>) {
        match event {
            Event::Envelope { mailbox, at, envelope } => {
                self.arrived.entry(mailbox).or_default().push((at, envelope));
            }
            Event::Posted { tag, incarnation, verdicts, expires_at } => {
                let Some(post) = self.posts.remove(&tag) else { return };
                let peer = post.target.peer;
                let noted = self.shared.worker.submit_with(Sync::Later, move |batch| {
                    batch.posted(&post, incarnation, &verdicts, expires_at)
                });
                let (url, tell) = (self.url.clone(), tell.clone());
                io.spawn(async move {
                    let outcome = noted.await.unwrap_or(Err(Error::Closed));
                    let _ = tell.send(Input::Noted(url, peer, outcome)).await;
                });
            }
            Event::PostDelayed { tag, refusal } => {
                let Some(post) = self.posts.get(&tag) else { return };
                let peer = post.target.peer;
                // Whoever hears of it and then looks into the store finds it there.
                drop(self.shared.worker.submit(move |batch| batch.post_refused(peer, refusal)));
                self.shared.set_refusal(peer, Some(refusal));
            }
            Event::PostRefused { tag, refusal } => {
                let Some(post) = self.posts.remove(&tag) else { return };
                self.post_refused(now, &post.target, refusal, io, tell);
            }
            Event::Revoked { mailbox } | Event::Deleted { mailbox } => {
                let Some(peer) = self.boxes.get(&mailbox).map(|own| own.peer) else { return };
                let noted = self.shared.worker.submit(move |batch| batch.mailbox_closed(peer, &mailbox));
                let (url, tell) = (self.url.clone(), tell.clone());
                io.spawn(async move {
                    let outcome = noted.await.unwrap_or(Err(Error::Closed));
                    let _ = tell.send(Input::Closed(url, mailbox, outcome)).await;
                });
            }
            Event::BoxRefused { mailbox, refusal } => {
                // What was refused before is heard of once more when it was asked for twice.
                let Some(own) = self.boxes.remove(&mailbox) else { return };
                tracing::warn!(%refusal, "the relay refused a mailbox");
                self.resting.insert(mailbox, now.plus_millis(REFUSED_WAIT_MS));
                match (own.closing, refusal) {
                    // There is nothing to close.
                    (Some(_), Refusal::NotFound) => {
                        self.identity.doubt_answer(Doubted::Closing(own.peer, mailbox))
                    }
                    _ if Doubted::is(refusal) => self.identity.doubt_answer(Doubted::Box(refusal)),
                    _ => self.shared.set_relay_state(&self.url, RelayState::Refuses(refusal)),
                }
            }
            Event::Clock { .. } => self.identity.check = true,
            Event::Reachable(true) => {
                self.shared.set_relay_state(&self.url, RelayState::Reachable);
                if std::mem::take(&mut self.was_lost) {
                    let url = self.url.clone();
                    drop(self.shared.worker.submit_with(Sync::Later, move |batch| batch.ask_again(&url)));
                }
            }
            Event::Reachable(false) => {
                self.was_lost = true;
                // A failure has said why by itself; this is what stands in front of a relay that is down.
                if let RelayState::Unknown | RelayState::Reachable = self.shared.relay_state(&self.url) {
                    let why = "what answers there is not a relay".to_owned();
                    self.shared.set_relay_state(&self.url, RelayState::Unreachable(why));
                }
            }
            Event::Opened { .. } => {}
        }
    }

    /// It is told, and tried again unless it ends something. An answer that another relay at this address
    /// could give as well counts once the relay has proved its key.
    fn post_refused(
        &mut self,
        now: Timestamp,
        target: &PostTarget,
        refusal: Refusal,
        io: &mut JoinSet<()>,
        tell: &mpsc::Sender<Input>,
    ) {
        let peer = target.peer;
        if Doubted::is(refusal) {
            self.busy.remove(&peer);
            self.paused.insert(peer, now.plus_millis(REFUSED_WAIT_MS));
            self.shared.worker.note_change();
            let epoch = target.certificate.epoch();
            self.identity.doubt_answer(Doubted::Post { peer, epoch, refusal });
            return;
        }
        let noted = self.shared.worker.submit(move |batch| {
            batch.post_refused(peer, refusal)?;
            Ok(After::Refused(refusal))
        });
        let (url, tell) = (self.url.clone(), tell.clone());
        io.spawn(async move {
            let outcome = noted.await.unwrap_or(Err(Error::Closed));
            let _ = tell.send(Input::Noted(url, peer, outcome)).await;
        });
    }
}
