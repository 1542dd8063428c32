//! What runs while an agent is open: one task that posts, reads, stores and acknowledges.
//!
//! 1. A change of the store, here or in another process, lets it look for what to post and which
//!    mailboxes to read.
//! 2. Each relay has a [`Link`]: the pure [`MailboxClient`](crate::mailbox::MailboxClient) and the
//!    requests that are under way for it.
//! 3. What came in is stored in one step, and acknowledged to the relay when it is on the disk.
//!
//! Posting is done by every process, reading by the one that holds the lease.

#![expect(clippy::disallowed_methods, reason = "it owns the timers of an agent")]

mod io;
mod link;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::clock::Steady;
use super::core::Shared;
use super::engine::{OwnBox, PeerKey, Post};
use super::error::Error;
use super::invites;
use super::store::{Doorbell, PollLease, PollWatch};
use super::unstored::Source;
use super::views::RelayState;
use io::Input;
use link::Link;

/// How often it looks at what only time brings: leases, expiries, STATUS.
const TICK: Duration = Duration::from_secs(1);
/// Posts that are under way at one time: each holds up to 1 MiB.
const MAX_POSTS: usize = 64;
/// Inputs that may wait for the task: enough to keep it busy, few enough to push back.
const INPUTS: usize = 256;

/// See the [module](self).
pub(crate) struct Driver {
    shared: Arc<Shared>,
    /// What the links go by: what waits does not wait longer because somebody puts the wall clock back.
    steady: Steady,
    links: BTreeMap<String, Link>,
    inputs: (mpsc::Sender<Input>, mpsc::Receiver<Input>),
    io: JoinSet<()>,
    lease: Option<PollLease>,
    watch: PollWatch,
    /// Another holder hangs: we read as well.
    past_lease: bool,
    ticks: u64,
}

/// What there is to do, as one look at the store shows it.
struct Work {
    /// Each with whether the owner chose its relay, whichever process reads there.
    posts: Vec<(Post, bool)>,
    boxes: Vec<OwnBox>,
    /// Relays that have to prove their key, whichever process found them to be others.
    doubted: Vec<String>,
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            steady: Steady::new(shared.time.clock.clone()),
            shared,
            links: BTreeMap::new(),
            inputs: mpsc::channel(INPUTS),
            io: JoinSet::new(),
            lease: None,
            watch: PollWatch::default(),
            past_lease: false,
            ticks: 0,
        }
    }

    /// Runs until `stop`.
    pub(crate) async fn run(mut self, stop: Arc<Notify>) {
        let mut bell = Doorbell::listen(&self.shared.store);
        let mut changes = self.shared.worker.changes();
        let mut tick = Instant::now();
        changes.mark_changed();
        loop {
            let deadline = self.next_deadline().map_or(tick, |d| d.min(tick));
            tokio::select! {
                () = stop.notified() => break,
                Some(input) = self.inputs.1.recv() => {
                    self.take(input);
                    // What has come in meanwhile shares the next step.
                    while let Ok(input) = self.inputs.1.try_recv() {
                        self.take(input);
                    }
                }
                Ok(()) = changes.changed() => self.refresh().await,
                () = bell.wait() => self.shared.worker.note_change(),
                () = self.shared.hurry.notified() => self.hurry(),
                Some(_) = self.io.join_next() => {}
                () = sleep_until(deadline) => {
                    if Instant::now() >= tick {
                        tick = Instant::now() + TICK;
                        self.tick().await;
                    }
                }
            }
            self.pump();
            self.tell_others();
        }
        self.io.shutdown().await;
    }

    /// Looks at the store and tells each link what it has to do.
    async fn refresh(&mut self) {
        let busy: Vec<PeerKey> = self.links.values().flat_map(Link::busy_peers).collect();
        let room = MAX_POSTS.saturating_sub(self.links.values().map(Link::posting).sum());
        let reading = self.is_reading();
        let own = self.shared.config.relay().as_str().to_owned();
        let look = self.shared.worker.read(move |batch| {
            let mut posts = Vec::new();
            for peer in batch.unposted()? {
                if posts.len() < room
                    && !busy.contains(&peer)
                    && let Some(post) = batch.next_post(peer)?
                {
                    let url = post.target.url.as_str();
                    let chosen = url == own || batch.is_chosen(url)?;
                    posts.push((post, chosen));
                }
            }
            let boxes = if reading { batch.own_boxes()? } else { Vec::new() };
            Ok(Work { posts, boxes, doubted: batch.doubted_relays()? })
        });
        let look = look.await;
        let is_news = self.shared.note_stored(Source::Work, look.as_ref());
        match look {
            Ok(work) => self.assign(work),
            Err(error) if is_news => tracing::warn!(code = error.code(), "the store cannot be read"),
            Err(_) => {}
        }
    }

    fn assign(&mut self, work: Work) {
        for (url, link) in &mut self.links {
            if work.doubted.contains(url) {
                link.doubt();
            } else {
                link.trust_again();
            }
        }
        for (post, chosen) in work.posts {
            let url = post.target.url.clone();
            if let Some(link) = self.link(&url, chosen) {
                link.post(post);
            }
        }
        for own in work.boxes {
            let url = own.url.clone();
            if let Some(link) = self.link(&url, true) {
                link.read(own);
            }
        }
    }

    /// The link to a relay, made on first use. None for an address that policy refuses.
    fn link(&mut self, url: &str, chosen: bool) -> Option<&mut Link> {
        // Whether the owner chose a relay changes with the mailboxes that lie there.
        if self.links.get(url).is_none_or(|link| link.is_chosen() != chosen) {
            let (relay, reach) = match self.shared.contact(url, chosen) {
                Ok(contact) => contact,
                Err(error) => {
                    tracing::warn!(code = error.code(), "a relay address is not used");
                    self.shared.set_relay_state(url, RelayState::of(&error));
                    return None;
                }
            };
            let api = self.shared.api(relay, reach);
            let new = || Link::new(self.shared.clone(), url.to_owned(), api.clone());
            self.links.entry(url.to_owned()).or_insert_with(new).reach(api.reach, chosen);
        }
        self.links.get_mut(url)
    }

    fn take(&mut self, input: Input) {
        let now = self.steady.now();
        if let Some(link) = self.links.get_mut(input.url()) {
            link.take(now, input);
        }
    }

    fn hurry(&mut self) {
        for link in self.links.values_mut() {
            link.hurry();
        }
    }

    /// Lets every link do what it can do now.
    fn pump(&mut self) {
        let now = self.steady.now();
        for link in self.links.values_mut() {
            link.pump(now, &mut self.io, &self.inputs.0);
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let now = self.steady.now();
        let next = self.links.values().filter_map(Link::deadline).min()?;
        Some(Instant::now() + Duration::from_millis(next.since(now).max(1)))
    }

    async fn tick(&mut self) {
        self.ticks += 1;
        self.keep_lease().await;
        if self.ticks % 5 == 1 {
            if let Err(error) = self.on_time().await {
                tracing::warn!(code = error.code(), "a timed step failed");
            }
            self.shared.worker.tidy();
        }
        if self.lease.is_some() {
            invites::resume(&self.shared, &mut self.io).await;
        } else {
            // The process that has the lease does it.
            self.shared.looked.send_replace(true);
        }
    }

    /// Steps that only time brings. They write only when there is something to write.
    async fn on_time(&mut self) -> Result<(), Error> {
        let alive = self.shared.is_alive();
        let look = self.shared.worker.read(|batch| Ok(batch.is_time_due()? || batch.has_dead_claims(alive)?));
        if look.await? {
            let alive = self.shared.is_alive();
            self.shared
                .worker
                .write(|batch| {
                    batch.release_dead_claims(alive)?;
                    batch.requeue_expired()?;
                    batch.seal_due_status()?;
                    batch.close_stale_boxes()?;
                    batch.abandon_overdue().map(|_| ())
                })
                .await?;
        }
        Ok(())
    }

    /// Whoever else has the agent open learns from the lease what only a writer can know.
    fn tell_others(&mut self) {
        let Some(lease) = &mut self.lease else { return };
        let failure = self.shared.unstored.failure_here();
        if lease.is_news(failure.as_ref())
            && let Err(error) = lease.beat(failure.as_ref())
        {
            tracing::debug!(%error, "the poll lease could not be written");
        }
    }

    fn is_reading(&self) -> bool {
        self.lease.is_some() || self.past_lease
    }

    /// Reads from now on, or no more, as the lease says.
    async fn keep_lease(&mut self) {
        let was_reading = self.is_reading();
        self.take_lease();
        match (was_reading, self.is_reading()) {
            (false, true) => self.refresh().await,
            (true, false) => self.links.values_mut().for_each(Link::stop_reading),
            (true, true) | (false, false) => {}
        }
    }

    fn take_lease(&mut self) {
        if let Some(lease) = &mut self.lease {
            let failure = self.shared.unstored.failure_here();
            if !self.ticks.is_multiple_of(5) || lease.beat(failure.as_ref()).is_ok() {
                return;
            }
            self.lease = None;
        }
        match PollLease::try_acquire(&self.shared.store) {
            Ok(Some(lease)) => {
                self.lease = Some(lease);
                self.past_lease = false;
                self.shared.note_stored(Source::Reader, Ok(()));
            }
            Ok(None) => {
                let now = self.shared.time.clock.monotonic();
                self.past_lease = self.watch.is_silent(&self.shared.store, now).unwrap_or(false);
                // What one says that hangs is of another day.
                let failure = PollLease::failure_of_holder(&self.shared.store).filter(|_| !self.past_lease);
                let failure = failure.map(Error::from);
                self.shared.note_stored(Source::Reader, failure.as_ref().map_or(Ok(()), Err));
            }
            Err(error) => tracing::debug!(%error, "no poll lease"),
        }
    }
}
