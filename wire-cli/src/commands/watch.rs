//! `wire watch`: stays, and shows or hands on what comes.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Serialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use wire_core::Agent;
use wire_core::agent::RelayState;
use wire_core::record::RecordId;

use crate::cli::WatchArgs;
use crate::exit::Failure;
use crate::home::{Ctx, trouble};
use crate::output::Output;
use crate::views::MessageDoc;

/// Before a message whose command failed is handed out again; doubles each time.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Serialize)]
struct HandedDoc<'a> {
    id: String,
    sender: &'a str,
    state: &'static str,
    /// The command's exit code; none if a signal ended it.
    exit: Option<i32>,
}

/// Never ends by itself.
pub(crate) async fn run(ctx: &Ctx, agent: &Agent, args: &WatchArgs) -> Result<u8, Failure> {
    ctx.out.note(format!("watching as {}; Ctrl-C ends it", agent.name()));
    let work = async {
        match &args.exec {
            Some(command) => exec(ctx.out, agent, command).await,
            None if args.quiet => std::future::pending().await,
            None => show(ctx.out, agent, args.line).await,
        }
    };
    tokio::select! {
        outcome = work => outcome,
        failure = tell_of_relay(ctx.out, agent) => Err(failure),
    }
}

async fn show(out: Output, agent: &Agent, line: bool) -> Result<u8, Failure> {
    let mut arrivals = agent.arrivals();
    loop {
        let message = arrivals.next().await?;
        let human = if line { MessageDoc::fenced_line } else { MessageDoc::line };
        out.show(&MessageDoc::new(&message), human)?;
    }
}

/// Hands each message to the command, one after the other.
async fn exec(out: Output, agent: &Agent, command: &str) -> Result<u8, Failure> {
    let mut inbox = agent.inbox();
    let mut failures: BTreeMap<RecordId, u32> = BTreeMap::new();
    while let Some(message) = inbox.next().await {
        let message = message?;
        let exit = hand(out, command, &MessageDoc::new(&message)).await?;
        let id = message.id();
        let state = if exit == Some(0) {
            message.ack().await?;
            failures.remove(&id);
            "processed"
        } else {
            "released"
        };
        let doc = HandedDoc { id: id.to_string(), sender: message.sender(), state, exit };
        out.show(&doc, |doc| match doc.exit {
            Some(0) => format!("✓ {}  processed", doc.id),
            Some(code) => format!("{}  exit {code}: it comes again", doc.id),
            None => format!("{}  killed: it comes again", doc.id),
        })?;
        if state == "released" {
            let tries = failures.entry(id).or_default();
            tokio::time::sleep(PAUSE * 2u32.pow((*tries).min(6))).await;
            *tries += 1;
        }
    }
    Err(Failure::internal("the inbox ended"))
}

async fn hand(out: Output, command: &str, message: &MessageDoc) -> Result<Option<i32>, Failure> {
    let fail = |error: std::io::Error| Failure::internal(format!("cannot run sh: {error}"));
    let mut sh = Command::new("sh");
    sh.arg("-c").arg(command).stdin(Stdio::piped()).process_group(0);
    if out.is_json() {
        // Standard output is ours: a document a line.
        sh.stdout(Stdio::from(std::io::stderr()));
    }
    let mut child = sh.spawn().map_err(fail)?;
    let mut group = Group::of(&child);
    if let Some(mut stdin) = child.stdin.take() {
        let json = serde_json::to_vec(message).map_err(|e| Failure::internal(e.to_string()))?;
        // A command that reads none of it may still succeed.
        let _ = stdin.write_all(&json).await;
        let _ = stdin.write_all(b"\n").await;
    }
    let code = child.wait().await.map_err(fail)?.code();
    // What it has left running on purpose may go on.
    group.0 = None;
    Ok(code)
}

/// A command and all that it has started, ended together when nobody waits for it any more: the message
/// is handed out again, and must not be worked on twice at a time.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id.cast_signed())))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// Says when the relay is lost and when it is back.
async fn tell_of_relay(out: Output, agent: &Agent) -> Failure {
    let relay = agent.info().relay;
    let mut known = RelayState::Unknown;
    loop {
        let changed = agent.relay_changed();
        let state = agent.relay_state(&relay);
        if state.as_str() != known.as_str() {
            match trouble(&state, &relay) {
                Some(why) => out.note(format!("{why}; trying again and again")),
                None if trouble(&known, &relay).is_some() => out.note(format!("{relay} answers again")),
                None => {}
            }
            known = state;
        }
        if let Err(error) = changed.await {
            return error.into();
        }
    }
}
