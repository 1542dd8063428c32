//! `wire watch`: stays, and shows or hands on what comes.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Serialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use wire_core::Agent;
use wire_core::agent::{Error, PeerInfo, Trouble};
use wire_core::record::RecordId;

use crate::cli::WatchArgs;
use crate::exit::Failure;
use crate::home::Ctx;
use crate::output::Output;
use crate::views::{MessageDoc, PeerEvent, WhyDoc};

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

impl HandedDoc<'_> {
    fn line(&self) -> String {
        let how = match self.exit {
            Some(0) if self.state == "processed" => return format!("✓ {}  processed", self.id),
            Some(code) => format!("exit {code}"),
            None => "killed".to_owned(),
        };
        let then = match self.state {
            "released" => "it comes again",
            "poison" => "it was put aside, and the sender is told so; see: wire inbox --dead",
            _ => "another process has settled it",
        };
        format!("{}  {how}: {then}", self.id)
    }
}

/// What keeps messages from coming; null when that is over.
#[derive(Serialize)]
struct TroubleDoc {
    trouble: Option<WhyDoc>,
}

/// Never ends by itself.
pub(crate) async fn run(ctx: &Ctx, agent: &Agent, args: &WatchArgs) -> Result<u8, Failure> {
    ctx.out.note(format!("watching as {}; Ctrl-C ends it", agent.name()));
    let (stuck, is_stuck) = watch::channel(None);
    let work = async {
        match &args.exec {
            Some(command) => exec(ctx.out, agent, command, &stuck).await,
            None if args.quiet => std::future::pending().await,
            None => show(ctx.out, agent, args.line).await,
        }
    };
    tokio::select! {
        outcome = work => outcome,
        outcome = tell_of_trouble(ctx.out, agent, is_stuck, args.quiet) => outcome,
        outcome = tell_of_peers(ctx.out, agent, args.quiet) => outcome,
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
async fn exec(out: Output, agent: &Agent, command: &str, stuck: &Stuck) -> Result<u8, Failure> {
    let mut inbox = agent.inbox();
    let mut failures: BTreeMap<RecordId, u32> = BTreeMap::new();
    while let Some(message) = patiently(stuck, async || inbox.next().await.transpose()).await? {
        let exit = hand(out, command, &MessageDoc::new(&message)).await?;
        let id = message.id();
        let state = if exit == Some(0) {
            match patiently(stuck, async || message.ack().await).await {
                Ok(()) => "processed",
                // Meanwhile another process had it, and what the sender was told stays.
                Err(Error::Settled { state }) => state.as_str(),
                Err(error) => return Err(error.into()),
            }
        } else if patiently(stuck, async || message.release().await).await? {
            "released"
        } else {
            "poison"
        };
        let doc = HandedDoc { id: id.to_string(), sender: message.sender(), state, exit };
        out.show(&doc, HandedDoc::line)?;
        if state == "released" {
            let tries = failures.entry(id).or_default();
            tokio::time::sleep(PAUSE * 2u32.pow((*tries).min(6))).await;
            *tries += 1;
        } else {
            failures.remove(&id);
        }
    }
    Err(Failure::internal("the inbox ended"))
}

/// Why messages are not handed on.
type Stuck = watch::Sender<Option<Trouble>>;

/// Does it again while the disk is full: a command that has done its work is not run anew for that.
async fn patiently<T>(stuck: &Stuck, mut step: impl AsyncFnMut() -> Result<T, Error>) -> Result<T, Error> {
    loop {
        match step().await {
            Err(error @ Error::Store(_)) if error.is_transient() => {
                stuck.send_replace(Some(Trouble::from(&error)));
                tokio::time::sleep(PAUSE).await;
            }
            outcome => {
                stuck.send_replace(None);
                return outcome;
            }
        }
    }
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

/// Says once what keeps messages from coming, and once that it is over: to people, and to programs unless
/// they want nothing.
async fn tell_of_trouble(
    out: Output,
    agent: &Agent,
    mut is_stuck: watch::Receiver<Option<Trouble>>,
    quiet: bool,
) -> Result<u8, Failure> {
    let mut known: Option<(&'static str, String)> = None;
    loop {
        let changed = agent.trouble_changed();
        let stuck = is_stuck.borrow_and_update().clone();
        let in_store = stuck.or_else(|| agent.store_trouble());
        let over = match in_store {
            Some(_) => "the store takes what comes again".to_owned(),
            None => format!("{} answers again", agent.info().relay),
        };
        let trouble = in_store.or_else(|| agent.trouble());
        let now = trouble.as_ref().map(|trouble| (trouble.code, over));
        if now != known {
            let why = trouble.map(WhyDoc::from);
            match (&why, &known) {
                (Some(why), _) => {
                    out.note(format!("{}; trying again and again", why.message));
                    why.hint_line().iter().for_each(|hint| out.note(hint));
                }
                (None, Some((_, over))) => out.note(over),
                (None, None) => {}
            }
            if out.is_json() && !quiet {
                out.show(&TroubleDoc { trouble: why }, |_| String::new())?;
            }
            known = now;
        }
        tokio::select! {
            changed = changed => changed?,
            Ok(()) = is_stuck.changed() => {}
        }
    }
}

/// Says what an owner has to know of peers, each once: to people, and to programs unless they want nothing. What became
/// of a key or a pairing before is told by `wire peers`.
async fn tell_of_peers(out: Output, agent: &Agent, quiet: bool) -> Result<u8, Failure> {
    let mut changes = agent.changes();
    let mut known: Vec<PeerEvent> = agent.peers().await?.iter().flat_map(PeerEvent::of_pairing).collect();
    loop {
        changes.mark_unchanged();
        let all = |peer: &PeerInfo| {
            let freeze = PeerEvent::of_freeze(peer).into_iter();
            freeze.chain(PeerEvent::of_session(peer)).chain(PeerEvent::of_pairing(peer)).collect::<Vec<_>>()
        };
        let now: Vec<PeerEvent> = agent.peers().await?.iter().flat_map(all).collect();
        for event in now.iter().filter(|event| !known.contains(event)) {
            event.lines().lines().for_each(|line| out.note(line));
            if out.is_json() && !quiet {
                out.show(event, |_| String::new())?;
            }
        }
        known = now;
        changes.changed().await.map_err(|_| Error::Closed)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(state: &'static str, exit: Option<i32>) -> String {
        HandedDoc { id: "01K9".to_owned(), sender: "bob", state, exit }.line()
    }

    #[test]
    fn a_line_says_whether_the_message_comes_again() {
        assert_eq!(line("processed", Some(0)), "✓ 01K9  processed");
        assert_eq!(line("released", Some(3)), "01K9  exit 3: it comes again");
        assert_eq!(line("released", None), "01K9  killed: it comes again");
        let last = line("poison", Some(3));
        assert!(last.contains("exit 3: it was put aside") && !last.contains("comes again"), "{last}");
    }
}
