//! A program that the engine starts in a container without the shim. It can be read and given input, and
//! no more: the engine has no way to end it.
//!
//! 1. The engine writes its failure to start a program into that program's output. So nothing of it is passed on
//!    before the engine gives the program a process.
//! 2. From then on output is taken as it comes, into a [`Spool`] that holds it for the handle.
//! 3. The end of the output is not yet the end of the program: the engine is asked for that.

#![expect(clippy::disallowed_methods, reason = "an adapter: one task reads, and waits for the engine")]

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream as EventStream;
use serde_json::Value;
use tokio::time::Instant;
use wire_shim::protocol::{Overflow, Stream, TtySize};

use super::client::Client;
use super::ending::{Known, PATIENCE};
use super::engine_stdin::EngineStdin;
use super::execs::ExecInspect;
use super::hijack::{ExecStart, Hijacked, Input, Output};
use super::spool::{Spool, Told};
use crate::spawn::error::{EngineError, ExecError};
use crate::spawn::ids::{ContainerId, EngineExecId};
use crate::spawn::outcome::{ExecEvent, Exit, ExitReason, NotStarted, Outcome};

/// More than the engine's longest word about a program that it could not start.
const WORDS: usize = 16 << 10;

/// Between two questions whether the program runs.
const LOOK: Duration = Duration::from_millis(5);
const LONGEST_LOOK: Duration = Duration::from_millis(500);

/// Between the end of the output and the engine's word that the program has ended.
const SETTLE: Duration = Duration::from_secs(2);

/// 128 and the number of SIGKILL.
pub(super) const KILLED: i32 = 137;

pub(crate) struct EngineExec {
    client: Client,
    exec: EngineExecId,
    input: Option<Input>,
    spool: Arc<Spool>,
    events: Told,
}

/// What to start, and what becomes of its output.
pub(crate) struct Start<'a> {
    pub(crate) body: &'a Value,
    pub(crate) how: ExecStart,
    /// Bytes of each stream that wait for their reader.
    pub(crate) kept: usize,
    pub(crate) overflow: Overflow,
    /// The size of its terminal, which the engine takes only once it runs.
    pub(crate) tty: Option<TtySize>,
    /// What tells why its container ended.
    pub(crate) known: Known,
}

impl EngineExec {
    /// Prepares and starts it.
    pub(crate) async fn start(
        client: &Client,
        container: &ContainerId,
        start: Start<'_>,
    ) -> Result<Self, ExecError> {
        if start.overflow == Overflow::Kill {
            return Err(ExecError::Unsupported { what: "ending a program for its output" });
        }
        let began = Instant::now();
        let exec = match client.exec_create(container, start.body).await {
            Err(EngineError::Conflict(words)) if words.contains("paused") => return Err(ExecError::Paused),
            Err(EngineError::Conflict(_)) => return Err(ExecError::NotRunning),
            created => created?,
        };
        let Hijacked { input, output } = client.exec_start(&exec, start.how).await?;
        let spool = Spool::new(start.kept, start.overflow);
        let events = spool.read([0; 2], true).events();
        let task = Reader {
            client: client.clone(),
            container: container.clone(),
            exec: exec.clone(),
            spool: Arc::clone(&spool),
            tty: start.tty,
            began,
            known: start.known,
        };
        tokio::spawn(task.run(output));
        Ok(Self { client: client.clone(), exec, input, spool, events })
    }

    pub(crate) fn stdin(&mut self) -> Option<EngineStdin> {
        let over = self.spool.over().clone();
        self.input.take().map(|input| EngineStdin::new(input, over))
    }

    pub(crate) async fn resize(&self, size: TtySize) -> Result<(), ExecError> {
        self.client.exec_resize(&self.exec, size).await.map_err(ExecError::from)
    }
}

impl EventStream for EngineExec {
    type Item = ExecEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ExecEvent>> {
        self.events.as_mut().poll_next(cx)
    }
}

impl Drop for EngineExec {
    /// The program goes on, and would stall if its output were not taken.
    fn drop(&mut self) {
        self.spool.abandon();
    }
}

/// Reads one program to its end.
struct Reader {
    client: Client,
    container: ContainerId,
    exec: EngineExecId,
    spool: Arc<Spool>,
    tty: Option<TtySize>,
    began: Instant,
    known: Known,
}

/// What of its output came before it was known whether it runs.
#[derive(Default)]
struct Held {
    parts: Vec<(Stream, Bytes)>,
    over: bool,
    broke: Option<EngineError>,
    /// The engine did not answer for a while.
    away: bool,
}

impl Reader {
    async fn run(self, mut output: Output) {
        let mut held = Held::default();
        let starts = self.starts(&mut output, &mut held).await;
        if starts {
            if let Some(size) = self.tty {
                // One that has ended meanwhile needs none.
                _ = self.client.exec_resize(&self.exec, size).await;
            }
            self.spool.started();
            for (stream, bytes) in std::mem::take(&mut held.parts) {
                _ = self.spool.push(stream, &bytes).await;
            }
            while !held.over {
                match output.next().await {
                    Some(Ok((stream, bytes))) => drop(self.spool.push(stream, &bytes).await),
                    Some(Err(error)) => held.broke = Some(error),
                    None => held.over = true,
                }
            }
        }
        let words: Vec<u8> = held.parts.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
        let (outcome, oom_seen) = self.outcome(&words, held.broke, held.away).await;
        self.spool.end(outcome, oom_seen);
    }

    /// Holds the output back until the program has a process; false if it never gets one, or nobody knows.
    async fn starts(&self, output: &mut Output, held: &mut Held) -> bool {
        let (mut away, mut pause) = (Instant::now(), LOOK);
        loop {
            if held.over {
                tokio::time::sleep(pause).await;
            } else {
                tokio::select! {
                    part = output.next() => match part {
                        Some(Ok(part)) => held.parts.push(part),
                        Some(Err(error)) => held.broke = Some(error),
                        None => held.over = true,
                    },
                    () = tokio::time::sleep(pause) => {}
                }
            }
            pause = (pause * 2).min(LONGEST_LOOK);
            match self.client.exec_inspect(&self.exec).await {
                Ok(ExecInspect { pid: Some(_), .. }) => return true,
                Ok(ExecInspect { running: false, exit_code: Some(_), .. }) if held.over => return false,
                Ok(_) => away = Instant::now(),
                Err(EngineError::NotFound(_)) => return false,
                Err(_) if away.elapsed() > PATIENCE => return false,
                Err(_) => held.away = true,
            }
            // No more than one message comes of what does not run.
            if held.parts.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > WORDS {
                return true;
            }
        }
    }

    /// What the engine says of a program whose output has ended.
    async fn outcome(&self, words: &[u8], broke: Option<EngineError>, away: bool) -> (Outcome, bool) {
        let began = Instant::now();
        let mut pause = Duration::from_millis(2);
        let mut away = away || broke.is_some();
        let ended =
            |exit, away| Outcome::ContainerGone(if away { super::ending::unseen(exit) } else { exit });
        let why = loop {
            match self.client.exec_inspect(&self.exec).await {
                Ok(ExecInspect { running: false, exit_code: Some(code), pid, .. }) => {
                    if let Some(error) = broke {
                        break format!("its output broke off ({error}), and it ended with {code}");
                    }
                    return match pid {
                        None if matches!(code, 126 | 127) => (Outcome::NotStarted(not_started(words)), false),
                        // What kills a container kills its programs, and they are told as killed first.
                        _ if code == KILLED => self.killed().await,
                        // 128 and more may be a signal, or the program's own word: the engine does not say.
                        _ => (Outcome::Exited(code), self.oom_seen().await),
                    };
                }
                Ok(_) if began.elapsed() > SETTLE => {
                    break "its output ended while it still ran".to_owned();
                }
                Ok(_) => {}
                // Only a new engine, or the end of the container, makes it unknown.
                Err(EngineError::NotFound(_)) => match self.gone().await {
                    Some(exit) => return (ended(exit, true), false),
                    None => break "the engine has forgotten it".to_owned(),
                },
                Err(error) if began.elapsed() > PATIENCE => break error.to_string(),
                Err(_) => away = true,
            }
            if let Some(exit) = self.gone().await {
                return (ended(exit, away), false);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        };
        (Outcome::Lost { why }, false)
    }

    /// Whether memory has run out in the container since its start.
    async fn oom_seen(&self) -> bool {
        self.client.remembers_oom(&self.container, Some(self.began.elapsed())).await.unwrap_or(false)
    }

    /// Who or what killed it, if that shows within a moment.
    async fn killed(&self) -> (Outcome, bool) {
        for _ in 0..10 {
            if let Some(exit) = self.gone().await {
                return (Outcome::ContainerGone(exit), false);
            }
            if self.oom_seen().await {
                return (Outcome::OomKilled { shared: true }, true);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        (Outcome::Exited(KILLED), false)
    }

    /// How the container ended, if it has.
    async fn gone(&self) -> Option<Exit> {
        let exit = super::ending::of(&self.client, &self.container, ExitReason::Unknown).await.ok().flatten();
        exit.map(|exit| self.known.explain(exit))
    }
}

/// By the engine's words, which are the kernel's.
pub(super) fn not_started(words: &[u8]) -> NotStarted {
    let words = String::from_utf8_lossy(words).to_lowercase();
    let says = |part: &str| words.contains(part);
    if says("chdir to cwd") || says("mkdir /") {
        NotStarted::BadCwd
    } else if says("no such file or directory") || says("executable file not found") {
        NotStarted::NotFound
    } else if says("permission denied") || says("exec format error") || says("is a directory") {
        NotStarted::NotExecutable
    } else if says("unable to find user") || says("no matching entries in passwd") {
        NotStarted::BadUser
    } else {
        NotStarted::Other(words.trim().to_owned())
    }
}
