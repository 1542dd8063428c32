//! A container as the engine describes it: what is needed of that, read strictly, and no more.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::super::error::EngineError;
use super::super::ids::{ContainerId, ImageId};
use super::super::rfc3339;
use super::super::runtime::State;
use super::fault;
use crate::time::Timestamp;

/// A container, as the engine describes it.
#[derive(Clone)]
pub struct Inspect {
    /// Its id.
    pub id: ContainerId,
    /// Its name, without the slash.
    pub name: String,
    /// What it is doing.
    pub state: State,
    /// The code of its first process, once that has run and ended. The engine says 0 before; here that is `None`.
    pub exit_code: Option<i32>,
    /// Memory ran out once. Neither true nor false says anything about the code.
    pub oom_killed: bool,
    /// Why it did not start, in the engine's words; empty if it did.
    pub error: String,
    /// Its first process on the engine's machine, while it runs.
    pub pid: Option<u32>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it was last started; `None` if never.
    pub started_at: Option<Timestamp>,
    /// When it last ended; `None` if never. Measured elsewhere than the start: of a run of milliseconds it may lie
    /// before that.
    pub finished_at: Option<Timestamp>,
    /// The image that it was made of.
    pub image: ImageId,
    /// Its labels: those of the image, which are a stranger's, among them.
    pub labels: BTreeMap<String, String>,
    /// What it runs, under which user and environment.
    pub config: Value,
    /// How it is locked down, for comparing with what was asked.
    pub host_config: Value,
    /// What is mounted.
    pub mounts: Value,
}

/// A container in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: ContainerId,
    /// Its name, without the slash.
    pub name: String,
    /// What it is doing.
    pub state: State,
    /// Its labels, with those of its image.
    pub labels: BTreeMap<String, String>,
}

impl fmt::Debug for Inspect {
    /// Without labels, arguments and environment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspect")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("state", &self.state)
            .field("exit_code", &self.exit_code)
            .field("started_at", &self.started_at)
            .field("finished_at", &self.finished_at)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawInspect {
    id: String,
    name: String,
    state: RawState,
    image: String,
    #[serde(default)]
    created: String,
    config: Value,
    host_config: Value,
    #[serde(default)]
    mounts: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawState {
    status: String,
    exit_code: i32,
    #[serde(default, rename = "OOMKilled")]
    oom_killed: bool,
    #[serde(default)]
    error: String,
    pid: i64,
    started_at: String,
    finished_at: String,
}

impl RawInspect {
    pub(super) fn parse(self) -> Result<Inspect, EngineError> {
        let state = State::from_name(&self.state.status);
        let (started_at, finished_at) =
            (rfc3339::parse(&self.state.started_at), rfc3339::parse(&self.state.finished_at));
        let over = matches!(state, State::Exited | State::Dead | State::Removing);
        let ended = over && started_at.is_some() && finished_at.is_some();
        let labels = self.config.get("Labels").and_then(Value::as_object).into_iter().flatten();
        Ok(Inspect {
            id: id(&self.id)?,
            name: plain(&self.name),
            exit_code: ended.then_some(self.state.exit_code),
            oom_killed: self.state.oom_killed,
            error: fault::plain(&self.state.error),
            pid: u32::try_from(self.state.pid).ok().filter(|pid| *pid > 0),
            created: rfc3339::parse(&self.created),
            started_at,
            finished_at,
            image: ImageId::parse(&self.image).map_err(|_| odd("an image's id"))?,
            labels: labels.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect(),
            config: self.config,
            host_config: self.host_config,
            mounts: self.mounts,
            state,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawListed {
    id: String,
    names: Option<Vec<String>>,
    state: String,
    labels: Option<BTreeMap<String, String>>,
}

impl RawListed {
    pub(super) fn parse(self) -> Result<Listed, EngineError> {
        // A link gives it a second name, with another container's before it.
        let own = self.names.iter().flatten().find(|name| !name.trim_start_matches('/').contains('/'));
        Ok(Listed {
            id: id(&self.id)?,
            name: own.map(|name| plain(name)).unwrap_or_default(),
            state: State::from_name(&self.state),
            labels: self.labels.unwrap_or_default(),
        })
    }
}

/// An id in an answer.
pub(super) fn id(text: &str) -> Result<ContainerId, EngineError> {
    ContainerId::parse(text).map_err(|_| odd("a container's id"))
}

pub(super) fn odd(what: &str) -> EngineError {
    EngineError::Protocol(format!("an answer in which {what} is none"))
}

fn plain(name: &str) -> String {
    name.strip_prefix('/').unwrap_or(name).to_owned()
}
