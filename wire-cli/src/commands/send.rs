//! `wire send`.

use std::time::{Duration, Instant};

use wire_core::Agent;
use wire_core::agent::{Delivery, Error, Message, Peer, Sent};

use crate::cli::SendArgs;
use crate::exit::{self, Failure};
use crate::home::Ctx;
use crate::views::{SentDoc, WhyDoc};

/// How long a relay that is slow, and not known to be out of reach, is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(ctx: &Ctx, agent: &Agent, args: &SendArgs) -> Result<u8, Failure> {
    let answered = match &args.re {
        Some(id) => Some(agent.received(id).await?),
        None => None,
    };
    let (peer, text) = whom(agent, args, answered.as_ref()).await?;
    let body = ctx.body(text).await?;
    let begun = Instant::now();
    let mut message = peer.send(body);
    if let Some(key) = &args.key {
        message = message.key(key);
    }
    if let Some(answered) = &answered {
        message = message.re(answered.id());
    }
    let sent = message.await?;
    if let Some(answered) = &answered {
        // After the answer is stored: a crash in between shows the message again, and loses no answer.
        match answered.ack().await {
            Ok(()) | Err(Error::Settled { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let sent = on_its_way(agent, sent).await?;
    show(ctx, agent, &peer, sent, begun.elapsed()).await
}

/// The peer and the text. With `--re` and one argument the argument is the text.
async fn whom<'a>(
    agent: &Agent,
    args: &'a SendArgs,
    answered: Option<&Message>,
) -> Result<(Peer, Option<&'a str>), Failure> {
    match (&args.peer, &args.text, answered) {
        (Some(text), None, Some(answered)) => Ok((answered.peer(), Some(text))),
        (None, _, Some(answered)) => Ok((answered.peer(), None)),
        (Some(peer), text, answered) => {
            let peer = agent.peer(peer).await?;
            if let Some(answered) = answered
                && answered.sender_root() != peer.info().await?.root
            {
                let from = format!("that message is from {}", answered.sender());
                return Err(
                    Failure::usage(from).hint("without a peer the answer finds it: wire send --re ID TEXT")
                );
            }
            Ok((peer, text.as_deref()))
        }
        (None, _, None) => Err(Failure::usage("to whom?").hint("wire send PEER TEXT")),
    }
}

async fn on_its_way(agent: &Agent, sent: Sent) -> Result<Sent, Error> {
    match tokio::time::timeout(PATIENCE, agent.relayed(&sent.id)).await {
        Ok(outcome) => outcome,
        Err(_) => agent.status(&sent.id).await,
    }
}

async fn show(ctx: &Ctx, agent: &Agent, peer: &Peer, sent: Sent, took: Duration) -> Result<u8, Failure> {
    let queued = sent.state == Delivery::Queued;
    let why = agent.trouble_with(&peer.info().await?).map_or_else(WhyDoc::slow, WhyDoc::from);
    let next = ctx.wire(&format!("status {}", sent.id));
    ctx.out.show(&SentDoc::new(sent, Some(why), Some(next)), |doc| {
        let next = doc.next.as_deref().unwrap_or_default();
        match &doc.why {
            Some(why) => {
                let message = crate::output::escape(&why.message);
                let head = format!("{}  queued ({message}): it is kept, do not send it again", doc.id);
                let then = format!("  later: {next}");
                let lines: Vec<_> = [head].into_iter().chain(why.hint_line()).chain([then]).collect();
                lines.join("\n")
            }
            None => format!("✓ {}  {} ({} ms)    next: {next}", doc.id, doc.state, took.as_millis()),
        }
    })?;
    Ok(if queued { exit::UNREACHABLE } else { exit::OK })
}
