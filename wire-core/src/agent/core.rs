//! An open agent: its store, its thread, its driver, and what its handles share.

#![expect(clippy::disallowed_methods, reason = "it starts the tasks of an agent")]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;

use super::clock::Clock;
use super::config::Config;
use super::driver::Driver;
use super::engine::{Batch, Engine, KnownRelay, PeerKey};
use super::error::{Error, Result};
use super::http::HttpTransport;
use super::nextkey;
use super::relay_api::RelayApi;
use super::relay_url::{PeerRelayPolicy, Reach, RelayUrl};
use super::schema::MIGRATIONS;
use super::store::{ProcessLock, StoreFile};
use super::transport::Transport;
use super::unstored::{Source, Unstored};
use super::views::{AgentInfo, RelayState};
use super::worker::{RelayTime, Worker};
use crate::identity::Root;
use crate::mailbox::Refusal;
use crate::time::Timestamp;

/// An agent of this machine. Cheap to clone; all clones are the same agent.
///
/// While one is open it posts what is queued, fetches, stores and acknowledges, whatever the program
/// does meanwhile. Several processes may have the same agent open: they share the store, and one of
/// them reads for all.
///
/// ```no_run
/// use wire_core::{Agent, Config};
/// # async fn example() -> wire_core::Result<()> {
/// let me = Agent::open(Config::from_env("alice")?).await?;
/// let offer = me.offer().await?;
/// println!("wire join {}", offer.code());
/// let bob = offer.paired().await?;
/// bob.send("hello").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Agent {
    pub(crate) shared: Arc<Shared>,
    /// Ends the driver with the last handle.
    _running: Arc<Running>,
}

/// What every part of an open agent can reach.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) root: Root,
    pub(crate) store: Arc<StoreFile>,
    pub(crate) worker: Worker,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) time: Arc<RelayTime>,
    pub(crate) process: ProcessLock,
    /// Lets the driver try at once what waits for its back-off.
    pub(crate) hurry: Notify,
    /// One run at a time goes on with unfinished pairings.
    pub(crate) resuming: Arc<Semaphore>,
    /// Unfinished pairings were looked after once, here or by the process that does it for all.
    pub(crate) looked: watch::Sender<bool>,
    relays: Mutex<BTreeMap<String, RelayState>>,
    /// Why relays did not take what this process posted last, by peer. What the store knows of it may be
    /// the word of an earlier day.
    refusals: Mutex<BTreeMap<PeerKey, Refusal>>,
    /// What the store of this agent did not take.
    pub(crate) unstored: Unstored,
    troubles_changed: watch::Sender<u64>,
    /// For those who wait for what only an open agent does.
    closed: watch::Sender<bool>,
}

struct Running {
    stop: Arc<Notify>,
    driver: Mutex<Option<JoinHandle<()>>>,
}

impl Agent {
    /// Opens the agent, and makes it if there is none of this name yet.
    ///
    /// # Errors
    /// [`Error::Store`] for a store that cannot be used; it is never repaired or overwritten.
    pub async fn open(config: Config) -> Result<Self> {
        let transport = HttpTransport::new(config.proxy())?;
        Self::open_with(config, Arc::new(transport)).await
    }

    /// [`Agent::open`] over another network.
    pub async fn open_with(config: Config, transport: Arc<dyn Transport>) -> Result<Self> {
        Self::start(config, transport, Clock::system()).await
    }

    pub(crate) async fn start(config: Config, transport: Arc<dyn Transport>, clock: Clock) -> Result<Self> {
        let time = Arc::new(RelayTime { clock, offset_ms: AtomicI64::new(0) });
        let folder = config.folder();
        let now = time.now();
        let (store, mut engine, process) = tokio::task::spawn_blocking(move || {
            let store = StoreFile::open_or_make(&folder, MIGRATIONS, |tx, folder| {
                Engine::create(tx, now, |next| nextkey::write(folder, next))
            })?;
            let engine = store.read(Engine::load)?;
            let store = Arc::new(store);
            let process = ProcessLock::acquire(&store)?;
            Ok::<_, Error>((store, engine, process))
        })
        .await
        .map_err(|_| Error::Internal("opening the store failed"))??;
        engine.policy = Some(PeerRelayPolicy::new(config.relay().clone(), config.plain_http()));
        let root = engine.identity.root();
        let worker = Worker::start(store.clone(), engine, time.clone())?;
        let shared = Arc::new(Shared {
            config,
            root,
            store,
            worker,
            transport,
            time,
            process,
            hurry: Notify::new(),
            resuming: Arc::new(Semaphore::new(1)),
            looked: watch::Sender::new(false),
            relays: Mutex::new(BTreeMap::new()),
            refusals: Mutex::new(BTreeMap::new()),
            unstored: Unstored::default(),
            troubles_changed: watch::Sender::new(0),
            closed: watch::Sender::new(false),
        });
        let own = shared.config.relay().as_str().to_owned();
        if let Some(known) = shared.worker.read(move |b| b.relay(&own)).await? {
            shared.time.offset_ms.store(known.offset_ms, std::sync::atomic::Ordering::Relaxed);
        }
        let stop = Arc::new(Notify::new());
        let driver = tokio::spawn(Driver::new(shared.clone()).run(stop.clone()));
        let running = Running { stop, driver: Mutex::new(Some(driver)) };
        let agent = Self { shared, _running: Arc::new(running) };
        agent.settle_next_key().await?;
        Ok(agent)
    }

    /// The local name.
    pub fn name(&self) -> &str {
        self.shared.config.name().as_str()
    }

    /// The stable name that peers know, `wid:..`.
    pub fn root(&self) -> Root {
        self.shared.root
    }

    /// What the agent is and where it keeps its state.
    pub fn info(&self) -> AgentInfo {
        AgentInfo {
            name: self.name().to_owned(),
            root: self.shared.root,
            relay: self.shared.config.relay().as_str().to_owned(),
            folder: self.shared.config.folder(),
            next_key_here: nextkey::is_here(self.shared.store.dir()),
        }
    }

    /// Ends what runs for this agent in this process, after the steps that were handed in. Everything
    /// that is queued stays on the disk and goes out when the agent is opened again.
    ///
    /// For its clones everything ends with [`Error::Closed`], waits too.
    pub async fn close(self) {
        self.shared.closed.send_replace(true);
        self._running.stop.notify_one();
        let driver = self._running.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(driver) = driver {
            let _ = driver.await;
        }
        self.shared.worker.stop().await;
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("name", &self.name())
            .field("root", &self.shared.root)
            .finish_non_exhaustive()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            driver.abort();
        }
    }
}

impl Shared {
    pub(crate) fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// Where a mailbox lies, and how far requests to it may reach. A relay that the owner chose is used as
    /// it is; a peer's choice is judged by the policy.
    pub(crate) fn contact(&self, url: &str, chosen: bool) -> Result<(RelayUrl, Reach)> {
        let plain = self.config.plain_http();
        if chosen {
            return Ok((RelayUrl::parse(url, plain)?, Reach::Anywhere));
        }
        Ok(PeerRelayPolicy::new(self.config.relay().clone(), plain).check(url)?)
    }

    /// Whether the mailbox that a peer offers lies where it may be used: at the relay of the rendezvous, at
    /// another that the owner chose, or where the policy allows.
    pub(crate) async fn admit(&self, offered: &str, rendezvous: &str) -> Result<()> {
        let url = offered.to_owned();
        let chosen = offered == rendezvous || self.worker.read(move |b| b.is_chosen(&url)).await?;
        self.contact(offered, chosen).map(|_| ())
    }

    pub(crate) fn api(&self, url: RelayUrl, reach: Reach) -> RelayApi {
        RelayApi { transport: self.transport.clone(), url, reach }
    }

    /// The relay's key and time: as they are stored, or by asking it where they are not known or in doubt.
    pub(crate) async fn known(&self, api: &RelayApi) -> Result<KnownRelay> {
        let url = api.url.as_str().to_owned();
        match self.worker.read(move |b| b.relay(&url)).await? {
            Some(known) => Ok(known),
            None => self.identify(api).await,
        }
    }

    /// Asks the relay for its key and time, and pins or checks them. One that is not the one we know is
    /// used by no process any more, now or later, until it has proved that it is.
    pub(crate) async fn identify(&self, api: &RelayApi) -> Result<KnownRelay> {
        let outcome = self.ask_who(api).await;
        if let Err(Error::RelayMismatch { .. } | Error::ClockSkew { .. }) = &outcome {
            let url = api.url.as_str().to_owned();
            if let Err(error) = self.worker.write(move |b| b.doubt_relay(&url)).await {
                tracing::warn!(code = error.code(), "a doubt could not be noted");
            }
        }
        outcome
    }

    /// Asks what is signed with the relay's time. A stored time can be of a day when our clock stood
    /// elsewhere: a relay that refuses it proves its time anew, and is asked once more.
    pub(crate) async fn timed<T, F: Future<Output = Result<T>>>(
        &self,
        api: &RelayApi,
        ask: impl Fn(KnownRelay, Timestamp) -> F,
    ) -> Result<T> {
        let known = self.known(api).await?;
        let now = || self.time.clock.now();
        match ask(known, now().offset_millis(known.offset_ms)).await {
            Err(Error::Relay(Refusal::Skew)) => {
                let known = self.identify(api).await?;
                ask(known, now().offset_millis(known.offset_ms)).await
            }
            outcome => outcome,
        }
    }

    async fn ask_who(&self, api: &RelayApi) -> Result<KnownRelay> {
        let seen = api.identify(&self.time.clock).await?;
        let url = api.url.as_str().to_owned();
        let same = self.worker.read({
            let url = url.clone();
            move |b| {
                Ok(b.relay(&url)?
                    .is_some_and(|k| k.id == seen.id && k.offset_ms.abs_diff(seen.offset_ms) < 1_000))
            }
        });
        if !same.await? {
            self.worker.write(move |b| b.note_relay(&url, seen)).await?;
        }
        // The time of another relay than the one that we know counts for nothing.
        if api.url == *self.config.relay() {
            self.time.offset_ms.store(seen.offset_ms, std::sync::atomic::Ordering::Relaxed);
        }
        Ok(seen)
    }

    pub(crate) fn set_relay_state(&self, url: &str, state: RelayState) {
        let mut relays = self.relays.lock().unwrap_or_else(PoisonError::into_inner);
        if relays.get(url) != Some(&state) {
            relays.insert(url.to_owned(), state);
            drop(relays);
            self.troubles_changed.send_modify(|n| *n += 1);
        }
    }

    pub(crate) fn relay_state(&self, url: &str) -> RelayState {
        let relays = self.relays.lock().unwrap_or_else(PoisonError::into_inner);
        relays.get(url).cloned().unwrap_or(RelayState::Unknown)
    }

    /// Notes why a peer's relay did not take a post of this process, or that it did.
    pub(crate) fn set_refusal(&self, peer: PeerKey, refusal: Option<Refusal>) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match refusal {
            Some(refusal) => refusals.insert(peer, refusal),
            None => refusals.remove(&peer),
        };
        drop(refusals);
        if before != refusal {
            self.troubles_changed.send_modify(|n| *n += 1);
        }
    }

    pub(crate) fn refusal(&self, peer: PeerKey) -> Option<Refusal> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).get(&peer).copied()
    }

    /// Notes whether something was stored that has to be. Gives whether that is news.
    pub(crate) fn note_stored<T>(&self, source: Source, outcome: Result<T, &Error>) -> bool {
        let is_news = self.unstored.note(source, outcome);
        if is_news {
            self.troubles_changed.send_modify(|n| *n += 1);
        }
        is_news
    }

    /// Rises when anything changes that [`Agent::trouble`] and [`Agent::trouble_with`] tell.
    pub(crate) fn trouble_changes(&self) -> watch::Receiver<u64> {
        self.troubles_changed.subscribe()
    }

    /// Ends when the agent is closed, and keeps nothing of it.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + use<> {
        let mut closed = self.closed.subscribe();
        async move {
            let _ = closed.wait_for(|closed| *closed).await;
        }
    }

    /// Looks again and again until `look` finds something: after each change of the store, here or in
    /// another process.
    pub(crate) async fn wait_for<T: Send + 'static>(
        &self,
        look: impl Fn(&Batch<'_>) -> Result<Option<T>> + Clone + Send + 'static,
    ) -> Result<T> {
        let mut changes = self.worker.changes();
        loop {
            changes.mark_unchanged();
            if let Some(found) = self.worker.read(look.clone()).await? {
                return Ok(found);
            }
            if changes.changed().await.is_err() {
                return Err(Error::Closed);
            }
        }
    }

    pub(crate) fn is_alive(&self) -> impl Fn(&str) -> bool + Send + 'static {
        let store = self.store.clone();
        // A lock that cannot be looked at counts as held: nothing is taken from a living process.
        move |token: &str| ProcessLock::is_alive(&store, token).unwrap_or(true)
    }
}

/// Waits for `future` at most this long.
pub(crate) async fn within<T>(limit: Option<Duration>, future: impl Future<Output = Result<T>>) -> Result<T> {
    match limit {
        None => future.await,
        Some(limit) => tokio::time::timeout(limit, future).await.unwrap_or(Err(Error::WaitOver)),
    }
}
