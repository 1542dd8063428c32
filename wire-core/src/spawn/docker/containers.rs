//! Containers: made, started, looked at, ended.

use std::time::Duration;

use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::TtySize;
use super::super::command::Signal;
use super::super::error::EngineError;
use super::super::ids::{ContainerId, SpawnName};
use super::client::{Client, Done};
use super::described::{Inspect, Listed, RawInspect, RawListed, id};
use super::fault;
use super::http::Call;
use super::target::{Segment, Target};

/// A container that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Its id.
    pub id: ContainerId,
    /// What the engine did not do as asked, in its words.
    pub warnings: Vec<String>,
}

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitFor {
    /// That it does not run. True of one that was never started, too.
    NotRunning,
    /// That it ends the next time. Asked before it is started, no end is missed.
    NextExit,
    /// That it is gone.
    Removed,
}

/// What a wait came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waited {
    /// The code, for a container that has run.
    pub code: i64,
    /// What went wrong with the waiting, in the engine's words.
    pub error: Option<String>,
}

/// What a removal came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Now,
    /// It was gone.
    Gone,
    /// Somebody else is removing it.
    Underway,
}

/// What a container uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time on processors, in nanoseconds.
    pub cpu_nanos: Option<u64>,
    /// Bytes of memory, page cache among them.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

/// The processes of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Top {
    /// The columns.
    pub titles: Vec<String>,
    /// A row for each process.
    pub processes: Vec<Vec<String>>,
}

impl Client {
    /// Makes a container of that name. [`EngineError::Conflict`]: the name is taken;
    /// [`EngineError::NotFound`]: there is no such image.
    pub async fn create(&self, name: &SpawnName, body: &Value) -> Result<Created, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            id: String,
            warnings: Option<Vec<String>>,
        }
        let target = Target::new("containers").word("create").query("name", name.as_str());
        let call = self.change(Method::POST, "create", target).json(body);
        let answer: Answer = self.send(call).await?.json(Some(self.timeouts().idle)).await?;
        Ok(Created { id: id(&answer.id)?, warnings: answer.warnings.unwrap_or_default() })
    }

    /// Starts it. [`EngineError::BadRequest`]: its program cannot be run, and it is still `created`.
    pub async fn start(&self, id: &ContainerId) -> Result<Done, EngineError> {
        self.carry_out(self.change(Method::POST, "start", container(id).word("start"))).await
    }

    /// Looks at it.
    pub async fn inspect(&self, id: &ContainerId) -> Result<Inspect, EngineError> {
        let raw: RawInspect = self.query("inspect", container(id).word("json")).await?;
        raw.parse()
    }

    /// Looks at it, and gives the engine's whole answer too.
    pub(super) async fn inspect_whole(&self, id: &ContainerId) -> Result<(Inspect, Value), EngineError> {
        let target = Target::new("containers").name(id).word("json");
        let whole: Value = self.query("inspect", target).await?;
        let raw =
            RawInspect::deserialize(&whole).map_err(|error| EngineError::Protocol(error.to_string()))?;
        Ok((raw.parse()?, whole))
    }

    /// Looks at the one of that very name. (The engine would also take the name for the beginning of an id.)
    pub async fn inspect_name(&self, name: &SpawnName) -> Result<Inspect, EngineError> {
        let answer = self.query::<RawInspect>("inspect", container(name).word("json")).await;
        let found = match answer {
            // It looks for names first: there is none, and more than one id begins so.
            Err(EngineError::Server { message, .. }) if message.contains("Multiple IDs found") => {
                return Err(EngineError::NotFound(name.to_string()));
            }
            answer => answer?.parse()?,
        };
        if found.name == name.as_str() { Ok(found) } else { Err(EngineError::NotFound(name.to_string())) }
    }

    /// Those with all of these labels, in every state. An empty value means any.
    pub async fn list(&self, labels: &[(&str, &str)]) -> Result<Vec<Listed>, EngineError> {
        let target = Target::new("containers")
            .word("json")
            .flag("all", true)
            .query("filters", &json!({ "label": label_filter(labels) }).to_string());
        let raw: Vec<RawListed> = self.query("list", target).await?;
        raw.into_iter().map(RawListed::parse).collect()
    }

    /// Sends its first process a signal. [`EngineError::Conflict`]: it does not run.
    pub async fn kill(&self, id: &ContainerId, signal: Signal) -> Result<(), EngineError> {
        let target = container(id).word("kill").query("signal", &signal.number().to_string());
        self.carry_out(self.change(Method::POST, "kill", target)).await.map(drop)
    }

    /// Lets it go on. [`EngineError::Conflict`]: it is not paused.
    pub(super) async fn unpause(&self, id: &ContainerId) -> Result<(), EngineError> {
        let target = container(id).word("unpause");
        self.carry_out(self.change(Method::POST, "unpause", target)).await.map(drop)
    }

    /// Sends its stop signal, and SIGKILL after `grace`, which the engine takes in whole seconds.
    pub async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<Done, EngineError> {
        let seconds = grace.as_secs().saturating_add(u64::from(grace.subsec_nanos() > 0)).min(86_400);
        let target = container(id).word("stop").query("t", &seconds.to_string());
        let limit = Duration::from_secs(seconds) + self.timeouts().stop;
        self.carry_out(Call::new(Method::POST, "stop", target, limit)).await
    }

    /// Waits, however long. A code that is not 0 is no error. If the connection breaks, nothing is known.
    pub async fn wait(&self, id: &ContainerId, until: WaitFor) -> Result<Waited, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            status_code: i64,
            error: Option<Words>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Words {
            #[serde(default)]
            message: String,
        }
        let word = match until {
            WaitFor::NotRunning => "not-running",
            WaitFor::NextExit => "next-exit",
            WaitFor::Removed => "removed",
        };
        let target = container(id).word("wait").query("condition", word);
        let call = Call::new(Method::POST, "wait", target, self.timeouts().query);
        let answer: Answer = self.send(call).await?.json(None).await?;
        Ok(Waited { code: answer.status_code, error: answer.error.map(|words| fault::plain(&words.message)) })
    }

    /// Gives it another name. [`EngineError::Conflict`]: that is taken.
    pub async fn rename(&self, id: &ContainerId, name: &SpawnName) -> Result<(), EngineError> {
        let target = container(id).word("rename").query("name", name.as_str());
        self.carry_out(self.change(Method::POST, "rename", target)).await.map(drop)
    }

    /// Removes it, with the volumes that have no name. `force` kills it first; without that one that runs is
    /// [`EngineError::Conflict`].
    pub async fn remove(&self, id: &ContainerId, force: bool) -> Result<Removed, EngineError> {
        let target = container(id).flag("force", force).flag("v", true);
        match self.carry_out(self.change(Method::DELETE, "remove", target)).await {
            Ok(_) => Ok(Removed::Now),
            Err(EngineError::NotFound(_)) => Ok(Removed::Gone),
            Err(EngineError::Conflict(words)) if words.contains("already in progress") => {
                Ok(Removed::Underway)
            }
            Err(error) => Err(error),
        }
    }

    /// Sets the size of its terminal.
    pub async fn resize(&self, id: &ContainerId, size: TtySize) -> Result<(), EngineError> {
        let target = sized(container(id).word("resize"), size);
        self.carry_out(self.change(Method::POST, "resize", target)).await.map(drop)
    }

    /// What it uses now: one look, where two would take the engine two seconds.
    pub async fn usage(&self, id: &ContainerId) -> Result<Usage, EngineError> {
        let target = container(id).word("stats").flag("stream", false).flag("one-shot", true);
        let raw: Value = self.query("stats", target).await?;
        let number = |at: &str| raw.pointer(at).and_then(Value::as_u64);
        Ok(Usage {
            cpu_nanos: number("/cpu_stats/cpu_usage/total_usage"),
            memory: number("/memory_stats/usage"),
            pids: number("/pids_stats/current"),
        })
    }

    /// Its processes, by the `ps` of the engine's machine. [`EngineError::Conflict`]: it does not run.
    pub async fn top(&self, id: &ContainerId) -> Result<Top, EngineError> {
        self.query("top", container(id).word("top").query("ps_args", "-eo pid,ppid,uid,args")).await
    }
}

/// The filter's words for labels; an empty value means any.
pub(super) fn label_filter(labels: &[(&str, &str)]) -> Vec<String> {
    let word = |(key, value): &(&str, &str)| match *value {
        "" => (*key).to_owned(),
        value => format!("{key}={value}"),
    };
    labels.iter().map(word).collect()
}

/// With the size of a terminal.
pub(super) fn sized(target: Target, size: TtySize) -> Target {
    target.query("h", &size.rows.to_string()).query("w", &size.cols.to_string())
}

fn container(id: &impl Segment) -> Target {
    Target::new("containers").name(id)
}
