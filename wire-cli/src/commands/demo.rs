//! `wire demo`: everything once, on this machine, and nothing left of it.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use wire_core::agent::relay_url::{PlainHttp, RelayUrl};
use wire_core::agent::{Delivery, Peer};
use wire_core::{Agent, Config};

use crate::exit::{self, Failure};
use crate::home::Ctx;

/// Nothing here takes long; what does is broken.
const LIMIT: Duration = Duration::from_secs(30);

#[derive(Serialize)]
struct DemoDoc {
    ok: bool,
    relay: String,
    paired_ms: u128,
    messages: Vec<Trip>,
    total_ms: u128,
}

/// One message, each way.
#[derive(Serialize)]
struct Trip {
    from: String,
    to: String,
    text: &'static str,
    /// Until the relay had it.
    sent_ms: u128,
    /// Until the peer had it, verified.
    read_ms: u128,
    state: &'static str,
    signature: &'static str,
}

pub(crate) async fn run(ctx: &Ctx) -> Result<u8, Failure> {
    let begun = Instant::now();
    let home = home().map_err(no_room)?;
    let mut relay = start_relay(home.path())?;
    let mut agents = Vec::new();
    let work = async {
        let address = address_of(&mut relay).await?;
        talk(home.path(), address, &mut agents, begun).await
    };
    let work = async {
        let late = Err(Failure::internal("the demo did not come to its end"));
        tokio::time::timeout(LIMIT, work).await.unwrap_or(late)
    };
    let outcome = ctx.stop.or(work).await;
    // Whatever happened: nothing writes any more when the folder is removed.
    for agent in agents {
        agent.close().await;
    }
    relay.kill().await.map_err(|e| Failure::internal(format!("the relay did not end: {e}")))?;
    home.close().map_err(no_room)?;
    let doc = DemoDoc { total_ms: begun.elapsed().as_millis(), ..outcome? };
    ctx.out.show(&doc, |doc| {
        let mut lines = vec![format!("✓ relay {}  ✓ alice ⇄ bob paired ({} ms)", doc.relay, doc.paired_ms)];
        lines.extend(doc.messages.iter().map(|trip| {
            format!(
                "✓ {} → {} \"{}\" sent {} ms, read {} ms, {}, signature {}",
                trip.from, trip.to, trip.text, trip.sent_ms, trip.read_ms, trip.state, trip.signature
            )
        }));
        lines.push(format!("✓ nothing is left behind ({} ms)    next: wire pair", doc.total_ms));
        lines.join("\n")
    })?;
    Ok(exit::OK)
}

async fn talk(
    home: &Path,
    address: String,
    agents: &mut Vec<Agent>,
    begun: Instant,
) -> Result<DemoDoc, Failure> {
    let url = RelayUrl::parse(&format!("http://{address}"), PlainHttp::LoopbackOnly)
        .map_err(wire_core::Error::from)?;
    let config = |name| Ok::<_, Failure>(Config::new(home, name)?.with_relay(url.clone()));
    let (alice, bob) = tokio::join!(Agent::open(config("alice")?), Agent::open(config("bob")?));
    agents.extend(alice.as_ref().ok().cloned());
    agents.extend(bob.as_ref().ok().cloned());
    let (alice, bob) = (alice?, bob?);
    let pairing = Instant::now();
    let offer = alice.offer().await?;
    let code = offer.code();
    let (alices_bob, bobs_alice) = tokio::try_join!(offer.paired(), bob.join(&code))?;
    let paired_ms = pairing.elapsed().as_millis();
    let there = trip(&alice, &alices_bob, &bob, "hello").await?;
    let back = trip(&bob, &bobs_alice, &alice, "hello to you").await?;
    let total_ms = begun.elapsed().as_millis();
    Ok(DemoDoc { ok: true, relay: address, paired_ms, messages: vec![there, back], total_ms })
}

/// Sends a message, and follows it until its reader's signed word that it was processed is here.
async fn trip(from: &Agent, to: &Peer, reader: &Agent, text: &'static str) -> Result<Trip, Failure> {
    let begun = Instant::now();
    let mut inbox = reader.inbox();
    let sent = to.send(text).await?;
    from.relayed(&sent.id).await?;
    let sent_ms = begun.elapsed().as_millis();
    let message = inbox.next().await.ok_or_else(|| Failure::internal("the inbox ended"))??;
    let read_ms = begun.elapsed().as_millis();
    // What stands in an inbox was verified against the key that the pairing pinned; here both sides
    // can be asked whose key that was.
    if message.id() != sent.id || message.sender_root() != from.root() || message.text()? != text {
        return Err(Failure::internal("another message came than was sent"));
    }
    message.ack().await?;
    let done = from.wait_for(&sent.id, Delivery::Processed).await?;
    if done.state != Delivery::Processed {
        return Err(Failure::internal(format!("the message was not processed but {}", done.state)));
    }
    Ok(Trip {
        from: from.name().to_owned(),
        to: reader.name().to_owned(),
        text,
        sent_ms,
        read_ms,
        state: done.state.as_str(),
        signature: "ok",
    })
}

/// A folder for all of it. Nothing in it has to outlast the demo, so it is in memory where the system has
/// a place for that, unless `TMPDIR` names another.
fn home() -> io::Result<TempDir> {
    let mut folder = tempfile::Builder::new();
    folder.prefix("wire-demo-");
    if std::env::var_os("TMPDIR").is_none()
        && let Ok(home) = folder.tempdir_in("/dev/shm")
    {
        return Ok(home);
    }
    folder.tempdir()
}

/// A relay as anyone would start it: this program, in a process of its own.
fn start_relay(home: &Path) -> Result<Child, Failure> {
    let program = std::env::current_exe().map_err(no_relay)?;
    Command::new(program)
        .args(["--json", "relay", "serve", "--while-stdin", "--listen", "127.0.0.1:0", "--data"])
        .arg(home.join("relay"))
        .env("WIRE_HOME", home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(no_relay)
}

/// Waits until it listens, and says where.
async fn address_of(relay: &mut Child) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Listening {
        listening: String,
    }
    let stdout = relay.stdout.take().ok_or_else(|| no_relay("it has no output"))?;
    let line = BufReader::new(stdout).lines().next_line().await.map_err(no_relay)?;
    let line = line.ok_or_else(|| no_relay("it ended"))?;
    serde_json::from_str(&line).map(|doc: Listening| doc.listening).map_err(|_| no_relay(line))
}

fn no_relay(why: impl std::fmt::Display) -> Failure {
    Failure::internal(format!("the relay did not start: {why}"))
}

fn no_room(error: io::Error) -> Failure {
    Failure::internal(format!("no folder for the demo: {error}"))
}
