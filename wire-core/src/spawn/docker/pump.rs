//! Takes the output of a container without the shim, from its first byte to its end.

#![expect(clippy::disallowed_methods, reason = "an adapter: one task reads, and waits for the engine")]

use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use super::ending::{self, PATIENCE};
use super::engine_exec::{KILLED, not_started};
use super::hijack::Output;
use super::spool::Spool;
use crate::spawn::error::{EngineError, Retry};
use crate::spawn::ids::ContainerId;
use crate::spawn::outcome::{Exit, ExitReason, Outcome};

/// Bytes of the first words.
const WORDS: usize = 512;

/// Between the end of the output and the engine's word that the container has ended.
const PAUSE: Duration = Duration::from_millis(100);

/// Reads into the spool until the container has ended.
pub(super) fn start(client: Client, id: ContainerId, spool: Arc<Spool>, mut output: Output) {
    spool.started();
    tokio::spawn(async move {
        let (mut broke, mut words) = (None, Vec::new());
        while let Some(part) = output.next().await {
            match part {
                Ok((stream, bytes)) => {
                    words.extend(bytes.iter().take(WORDS - words.len()));
                    _ = spool.push(stream, &bytes).await;
                }
                Err(error) => broke = Some(error),
            }
        }
        let (outcome, oom_seen) = end(&client, &id, broke).await;
        spool.end(never_ran(&words, &outcome).unwrap_or(outcome), oom_seen);
    });
}

/// A command that cannot be executed: the engine's own first process says so, and ends with a code that a command
/// may have too. One that ran and says the same is believed, at its own cost.
fn never_ran(words: &[u8], outcome: &Outcome) -> Option<Outcome> {
    let says_so = words.starts_with(b"[FATAL tini (") && words.windows(7).any(|part| part == b"] exec ");
    let ended = matches!(outcome, Outcome::Exited(126 | 127));
    (says_so && ended).then(|| Outcome::NotStarted(not_started(words)))
}

/// What became of the container whose output has ended.
async fn end(client: &Client, id: &ContainerId, broke: Option<EngineError>) -> (Outcome, bool) {
    let began = tokio::time::Instant::now();
    let mut away = broke.is_some();
    let why = loop {
        let exit = match ending::of(client, id, ExitReason::Unknown).await {
            Ok(None) if began.elapsed() > PATIENCE => break "its output ended while it still ran".to_owned(),
            Err(error) if began.elapsed() > PATIENCE => break error.to_string(),
            Ok(exit) => exit.map(|exit| if away { ending::unseen(exit) } else { exit }),
            Err(_) => {
                away = true;
                None
            }
        };
        match (exit, &broke) {
            (Some(Exit { code: Some(code), oom_seen, .. }), None) => {
                let oom_seen = oom_seen || client.remembers_oom(id, None).await.unwrap_or(false);
                let killed = oom_seen && code == KILLED;
                let outcome =
                    if killed { Outcome::OomKilled { shared: true } } else { Outcome::Exited(code) };
                return (outcome, oom_seen);
            }
            (Some(Exit { code: Some(code), .. }), Some(error)) => {
                break format!("its output broke off ({error}), and it ended with {code}");
            }
            (Some(exit), _) => return (Outcome::ContainerGone(exit), false),
            (None, _) => tokio::time::sleep(PAUSE).await,
        }
    };
    (Outcome::Lost { why }, false)
}

/// Whether it is worth asking again: the engine is away, or was too busy.
pub(super) const fn may_pass(error: &EngineError) -> bool {
    !matches!(error, EngineError::PermissionDenied { .. }) && !matches!(error.retry(), Retry::No)
}

/// A moment.
pub(super) async fn pause() {
    tokio::time::sleep(PAUSE).await;
}
