//! Programs that the engine itself starts in a running container.

use hyper::Method;
use serde::Deserialize;
use serde_json::Value;

use super::super::TtySize;
use super::super::error::EngineError;
use super::super::ids::{ContainerId, EngineExecId};
use super::client::Client;
use super::containers::sized;
use super::described::{id, odd};
use super::target::Target;

/// A program, as the engine describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecInspect {
    /// It runs.
    pub running: bool,
    /// Its code, once it has ended. 126 or 127 with no `pid` means that it never ran.
    pub exit_code: Option<i32>,
    /// Its number on the engine's machine, if it ever ran.
    pub pid: Option<u32>,
    /// Where it runs.
    pub container: ContainerId,
}

impl Client {
    /// Prepares a program. [`EngineError::Conflict`]: the container does not run, or is paused.
    pub async fn exec_create(&self, id: &ContainerId, body: &Value) -> Result<EngineExecId, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            id: String,
        }
        let target = Target::new("containers").name(id).word("exec");
        let call = self.change(Method::POST, "exec create", target).json(body);
        let answer: Answer = self.send(call).await?.json(Some(self.timeouts().idle)).await?;
        EngineExecId::parse(&answer.id).map_err(|_| odd("an exec's id"))
    }

    /// Looks at it. [`EngineError::NotFound`] also when the engine was started anew meanwhile.
    pub async fn exec_inspect(&self, exec: &EngineExecId) -> Result<ExecInspect, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            running: bool,
            exit_code: Option<i32>,
            pid: i64,
            #[serde(rename = "ContainerID")]
            container_id: String,
        }
        let raw: Answer = self.query("exec inspect", Target::new("exec").name(exec).word("json")).await?;
        Ok(ExecInspect {
            running: raw.running,
            exit_code: raw.exit_code.filter(|_| !raw.running),
            pid: u32::try_from(raw.pid).ok().filter(|pid| *pid > 0),
            container: id(&raw.container_id)?,
        })
    }

    /// Sets the size of its terminal.
    pub async fn exec_resize(&self, exec: &EngineExecId, size: TtySize) -> Result<(), EngineError> {
        let target = sized(Target::new("exec").name(exec).word("resize"), size);
        self.carry_out(self.change(Method::POST, "exec resize", target)).await.map(drop)
    }
}
