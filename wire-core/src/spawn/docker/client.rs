//! The engine's client: which engine, how long to wait, which version to speak.
//!
//! 1. [`Client::connect`] asks for the engine's version, without one of its own.
//! 2. An engine that is not Docker is refused by type, before anything is asked of it.
//! 3. The version spoken is the newest that both know. It stands in the path of every later request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::error::EngineError;
use super::super::facts::EngineFacts;
use super::super::rfc3339;
use super::endpoint::Endpoint;
use super::facts::{self, Version};
use super::http::{self, Answer, Call};
use super::target::Target;
use crate::time::Timestamp;

/// The oldest version that is spoken, that of Docker 20.10.
const OLDEST: ((u32, u32), &str) = ((1, 41), "1.41");

/// The newest version that is spoken, that of Docker 25: the oldest one that the newest engines still take,
/// and the first in which a read-only mount is read-only below its first file system too.
const NEWEST: (u32, u32) = (1, 44);

/// Which engine, and how long to wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineConfig {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// How long its answers may take.
    pub timeouts: Timeouts,
}

impl EngineConfig {
    /// The engine there, with the usual limits of time.
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, timeouts: Timeouts::default() }
    }

    /// The engine that `DOCKER_HOST` names, else the one at `/var/run/docker.sock`.
    pub fn from_env() -> Result<Self, EngineError> {
        Endpoint::from_env().map(Self::new)
    }
}

/// How long an answer may take to begin, connecting included, by what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// What changes nothing: inspect, list, version. 30 s.
    pub query: Duration,
    /// What changes something: create, start, remove. 2 min, as starting many at once is slow. An archive that
    /// is sent may take longer, as long as it moves.
    pub change: Duration,
    /// On top of the grace, until a stop must have answered. 1 min.
    pub stop: Duration,
    /// The longest pause within an answer, 1 min. Streams and waits may pause for ever.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            query: Duration::from_secs(30),
            change: Duration::from_secs(120),
            stop: Duration::from_secs(60),
            idle: Duration::from_secs(60),
        }
    }
}

/// A Docker Engine. Cheap to clone; holds no connection.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    config: EngineConfig,
    version: Version,
    prefix: String,
}

/// Whether a change was needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was made.
    Now,
    /// It was so already.
    Already,
}

impl Client {
    /// Asks the engine who it is and which version to speak. Podman, and what is neither, is
    /// [`EngineError::Unsupported`].
    pub async fn connect(config: EngineConfig) -> Result<Self, EngineError> {
        let call = Call::new(Method::GET, "version", Target::new("version"), config.timeouts.query);
        let answer = http::send(&config.endpoint, "", call).await?;
        let version: Version = answer.json(Some(config.timeouts.idle)).await?;
        version.supported()?;
        let (major, minor) = version.spoken(OLDEST, NEWEST)?;
        let prefix = format!("/v{major}.{minor}");
        Ok(Self(Arc::new(Inner { config, version, prefix })))
    }

    /// Where the engine listens, and how long it may take.
    pub fn config(&self) -> &EngineConfig {
        &self.0.config
    }

    /// What the engine is and can enforce.
    pub async fn probe(&self) -> Result<EngineFacts, EngineError> {
        let info = self.query("info", Target::new("info")).await?;
        facts::probe(&self.0.version, &info, &self.0.config.endpoint).await
    }

    /// The same, and the engine's clock, in one question.
    pub async fn probe_at(&self) -> Result<(EngineFacts, Timestamp), EngineError> {
        let info: serde_json::Value = self.query("info", Target::new("info")).await?;
        let clock = info["SystemTime"].as_str().and_then(rfc3339::parse);
        let clock = clock.ok_or_else(|| EngineError::Protocol("the engine's clock is no time".to_owned()))?;
        let info = serde_json::from_value(info).map_err(|e| EngineError::Protocol(e.to_string()))?;
        Ok((facts::probe(&self.0.version, &info, &self.0.config.endpoint).await?, clock))
    }

    /// The engine's clock.
    pub async fn system_time(&self) -> Result<Timestamp, EngineError> {
        self.clock().await.map(|nanos| Timestamp::from_millis(nanos / 1_000_000))
    }

    /// The same in nanoseconds.
    pub(super) async fn clock(&self) -> Result<u64, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Clock {
            system_time: String,
        }
        let clock: Clock = self.query("info", Target::new("info")).await?;
        rfc3339::parse_nanos(&clock.system_time)
            .ok_or_else(|| EngineError::Protocol("the engine's clock is no time".to_owned()))
    }

    /// Sends a request in the agreed version.
    pub(super) async fn send(&self, call: Call) -> Result<Answer, EngineError> {
        http::send(&self.0.config.endpoint, &self.0.prefix, call).await
    }

    /// Asks, and reads the whole answer.
    pub(super) async fn query<T: DeserializeOwned>(
        &self,
        verb: &'static str,
        target: Target,
    ) -> Result<T, EngineError> {
        let call = Call::new(Method::GET, verb, target, self.timeouts().query);
        self.send(call).await?.json(Some(self.timeouts().idle)).await
    }

    /// A request that changes something.
    pub(super) fn change(&self, method: Method, verb: &'static str, target: Target) -> Call {
        Call::new(method, verb, target, self.timeouts().change)
    }

    /// Changes something, with no answer but that.
    pub(super) async fn carry_out(&self, call: Call) -> Result<Done, EngineError> {
        let answer = self.send(call).await?;
        Ok(if answer.status() == hyper::StatusCode::NOT_MODIFIED { Done::Already } else { Done::Now })
    }

    pub(super) fn timeouts(&self) -> &Timeouts {
        &self.0.config.timeouts
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("config", &self.0.config)
            .field("version", &self.0.prefix)
            .finish_non_exhaustive()
    }
}
