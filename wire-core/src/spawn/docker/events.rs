//! What happens to containers, as the engine tells it: a stream that opens itself again.
//!
//! 1. [`Client::events`] notes the engine's time and subscribes from there, so that nothing that happens after
//!    it returns is missed.
//! 2. When the connection breaks, it is made anew from the last event that was seen. Of older ones
//!    the engine keeps 256, of all kinds and containers, and none over its own restart: so a
//!    [`Told::Gap`] comes first, and whoever keeps a state lists and inspects then.
//! 3. Events that were seen before the break are not repeated.
//!
//! An event is a reason to look, not the truth: its attributes are the container's labels over the engine's
//! own words, and an image that has a label `exitCode` forges that.

#![expect(clippy::disallowed_methods, reason = "the pauses between attempts to connect")]

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use hyper::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;

use super::super::error::EngineError;
use super::super::ids::ContainerId;
use super::client::Client;
use super::containers::label_filter;
use super::http::{Body, Call};
use super::images::Lines;
use super::target::Target;
use crate::time::Timestamp;

/// The pause before the second attempt to connect, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What the stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Told {
    /// Something happened.
    Event(Event),
    /// Anything may have happened since then that is not told. List, and inspect.
    Gap {
        /// The engine's time of the last event before, or of the subscription.
        since: Timestamp,
    },
}

/// Something that happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// To which.
    pub id: ContainerId,
    /// What.
    pub action: Action,
    /// When, by the engine's clock.
    pub at: Timestamp,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// It was made.
    Create,
    /// It was started.
    Start,
    /// Its first process ended.
    Die,
    /// It ran out of memory.
    Oom,
    /// It was sent a signal.
    Kill,
    /// It was stopped.
    Stop,
    /// It was frozen.
    Pause,
    /// It goes on.
    Unpause,
    /// It has another name.
    Rename,
    /// It is gone.
    Destroy,
    /// A program that the engine started in it ended.
    ExecDie,
    /// Anything else.
    Other,
}

/// The events of the containers with some labels.
pub struct Events {
    client: Client,
    filters: String,
    link: Link,
    /// The last event's time, in the engine's nanoseconds.
    seen: u64,
    pause: Duration,
}

enum Link {
    Open(Open),
    /// Kept here so that whoever leaves [`Events::next`] does not begin the attempt anew.
    Opening(Pin<Box<dyn Future<Output = Result<Open, EngineError>> + Send>>),
}

struct Open {
    body: Body,
    lines: Lines,
    /// Told again after a break, and not to be passed on: up to here, in the engine's nanoseconds.
    known: u64,
}

impl Client {
    /// Subscribes to containers with all of these labels. An empty value means any.
    pub async fn events(&self, labels: &[(&str, &str)]) -> Result<Events, EngineError> {
        let filters = json!({ "type": ["container"], "label": label_filter(labels) }).to_string();
        let seen = self.clock().await?;
        let link = Link::Open(open(self.clone(), filters.clone(), seen).await?);
        Ok(Events { client: self.clone(), filters, link, seen, pause: Duration::ZERO })
    }

    /// Whether the engine still knows that a container's memory ran out. It may have forgotten: of past events it
    /// keeps 256, and none over its own restart. `within`: only so long ago.
    pub(super) async fn remembers_oom(
        &self,
        id: &ContainerId,
        within: Option<Duration>,
    ) -> Result<bool, EngineError> {
        let filters = json!({ "type": ["container"], "container": [id.as_str()], "event": ["oom"] });
        let now = self.clock().await?;
        let within = within.map_or(now, |within| u64::try_from(within.as_nanos()).unwrap_or(u64::MAX));
        let since = now.saturating_sub(within);
        let target = Target::new("events").query("since", &seconds(since)).query("until", &seconds(now));
        let target = target.query("filters", &filters.to_string());
        let call = Call::new(Method::GET, "past events", target, self.timeouts().query);
        let body = self.send(call).await?.body(Some(self.timeouts().idle));
        let mut open = Open { body, lines: Lines::default(), known: 0 };
        while let Ok(Some((at, event))) = open.next().await {
            if event.action == Action::Oom && at >= since {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Events {
    /// The next that there is to tell. Never ends: while the engine is away, it tries to reach it. Safe to drop
    /// and call again.
    pub async fn next(&mut self) -> Told {
        loop {
            match &mut self.link {
                Link::Open(open) => match open.next().await {
                    Ok(Some((nanos, event))) => {
                        self.pause = Duration::ZERO;
                        self.seen = self.seen.max(nanos);
                        return Told::Event(event);
                    }
                    Ok(None) => return self.gap(),
                    Err(error) => {
                        tracing::debug!(%error, "the engine's events broke off");
                        self.reopen();
                    }
                },
                Link::Opening(attempt) => match attempt.await {
                    Ok(open) => {
                        self.link = Link::Open(open);
                        return self.gap();
                    }
                    Err(error) => {
                        tracing::trace!(%error, "the engine's events stay away");
                        self.reopen();
                    }
                },
            }
        }
    }

    fn gap(&self) -> Told {
        Told::Gap { since: Timestamp::from_millis(self.seen / 1_000_000) }
    }

    fn reopen(&mut self) {
        let pause = self.pause;
        self.pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        let attempt = open(self.client.clone(), self.filters.clone(), self.seen.saturating_add(1));
        self.link = Link::Opening(Box::pin(async move {
            sleep(pause).await;
            attempt.await
        }));
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("filters", &self.filters)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

/// A time in nanoseconds, as the engine reads it.
fn seconds(nanos: u64) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

/// Subscribes to what happens from that nanosecond on.
async fn open(client: Client, filters: String, from: u64) -> Result<Open, EngineError> {
    let target = Target::new("events").query("since", &seconds(from)).query("filters", &filters);
    let call = Call::new(Method::GET, "events", target, client.timeouts().query);
    let body = client.send(call).await?.body(None);
    Ok(Open { body, lines: Lines::default(), known: from.saturating_sub(1) })
}

impl Open {
    /// The next event with its time in nanoseconds, or `None` for what is no event: it may have been one. The
    /// stream's end is an error.
    async fn next(&mut self) -> Result<Option<(u64, Event)>, EngineError> {
        loop {
            while let Some(line) = self.lines.next()? {
                let Ok(raw) = serde_json::from_slice::<Raw>(&line) else { return Ok(None) };
                if raw.time_nano > self.known {
                    return Ok(raw.parse().map(|event| (raw.time_nano, event)));
                }
            }
            match self.body.next().await? {
                Some(bytes) => self.lines.feed(&bytes),
                None => return Err(EngineError::Protocol("the events ended".to_owned())),
            }
        }
    }
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "Action")]
    action: String,
    #[serde(rename = "Actor")]
    actor: Actor,
    #[serde(rename = "timeNano")]
    time_nano: u64,
}

#[derive(Deserialize)]
struct Actor {
    #[serde(rename = "ID")]
    id: String,
}

impl Raw {
    fn parse(&self) -> Option<Event> {
        // The arguments of an exec follow its action, and are not kept.
        let word = self.action.split(':').next().unwrap_or_default();
        let action = match word {
            "create" => Action::Create,
            "start" => Action::Start,
            "die" => Action::Die,
            "oom" => Action::Oom,
            "kill" => Action::Kill,
            "stop" => Action::Stop,
            "pause" => Action::Pause,
            "unpause" => Action::Unpause,
            "rename" => Action::Rename,
            "destroy" => Action::Destroy,
            "exec_die" => Action::ExecDie,
            _ => Action::Other,
        };
        let id = ContainerId::parse(&self.actor.id).ok()?;
        Some(Event { id, action, at: Timestamp::from_millis(self.time_nano / 1_000_000) })
    }
}
