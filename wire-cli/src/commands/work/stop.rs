//! `wire stop`: ends containers, all at once, and removes them.

use std::time::Duration;

use serde::Serialize;
use tokio::task::JoinSet;
use wire_core::spawn::EngineError;
use wire_core::spawn::docker::Docker;

use super::docs::ExitDoc;
use super::{engine, find};
use crate::cli::StopArgs;
use crate::exit::{self, Failure};
use crate::home::Ctx;
use crate::output::ErrorBody;

#[derive(Serialize)]
struct StopDoc {
    containers: Vec<StoppedDoc>,
}

#[derive(Serialize)]
struct StoppedDoc {
    /// As it was asked for.
    asked: String,
    name: Option<String>,
    exit: Option<ExitDoc>,
    removed: bool,
    error: Option<ErrorBody>,
}

impl StoppedDoc {
    fn line(&self) -> Option<String> {
        let name = self.name.as_ref()?;
        let code = self.exit.as_ref().and_then(ExitDoc::code).map(|code| format!(" with {code}"));
        let gone = if self.removed { ", and removed" } else { "" };
        Some(format!("✓ {name}  ended{}{gone}", code.unwrap_or_default()))
    }
}

pub(crate) async fn run(ctx: &Ctx, args: &StopArgs) -> Result<u8, Failure> {
    let docker = engine(ctx).await?;
    let mut stopping = JoinSet::new();
    for (n, id) in args.ids.iter().cloned().enumerate() {
        let (docker, grace, keep) = (docker.clone(), args.grace, args.keep);
        stopping.spawn(async move { (n, stop(&docker, &id, grace, keep).await, id) });
    }
    let mut ended = ctx.stop.or(async { Ok(stopping.join_all().await) }).await?;
    ended.sort_by_key(|(n, ..)| *n);
    let mut failure = None;
    let mut containers = Vec::new();
    for (_, outcome, asked) in ended {
        containers.push(match outcome {
            Ok(doc) => doc,
            Err(error) if args.ids.len() == 1 => return Err(error),
            Err(error) => {
                failure.get_or_insert(error.exit());
                if !ctx.out.is_json() {
                    ctx.out.failure(&error);
                }
                StoppedDoc { asked, name: None, exit: None, removed: false, error: error.body() }
            }
        });
    }
    ctx.out.show(&StopDoc { containers }, |doc| {
        doc.containers.iter().filter_map(StoppedDoc::line).collect::<Vec<_>>().join("\n")
    })?;
    Ok(failure.unwrap_or(exit::OK))
}

async fn stop(docker: &Docker, id: &str, grace: Duration, keep: bool) -> Result<StoppedDoc, Failure> {
    let sandbox = find(docker, id).await?;
    let (asked, name) = (id.to_owned(), Some(sandbox.name().to_string()));
    let exit = match sandbox.stop(grace).await {
        // Its maker was gone before it could start it: nothing to end, and to be removed like any other.
        Err(EngineError::NeverStarted) if !keep => None,
        ended => Some(ExitDoc::from(&ended?)),
    };
    if !keep {
        sandbox.remove().await?;
    }
    Ok(StoppedDoc { asked, name, exit, removed: !keep, error: None })
}
