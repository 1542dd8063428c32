//! `wire ask`.

use wire_core::Agent;
use wire_core::agent::{Ask, Delivery, Error, Message, Peer, Sent};

use crate::cli::AskArgs;
use crate::exit::{self, Failure};
use crate::home::Ctx;
use crate::output::escape_block;
use crate::views::{MessageDoc, WhyDoc};

pub(crate) async fn run(ctx: &Ctx, agent: &Agent, args: &AskArgs) -> Result<u8, Failure> {
    let peer = agent.peer(&args.peer).await?;
    let mut ask = peer.ask(ctx.body(args.text.as_deref()).await?);
    if let Some(key) = &args.key {
        ask = ask.key(key);
    }
    let ask = ask.start().await?;
    let reply = reply(ctx, agent, &peer, &ask, args).await?;
    ctx.out.show(&MessageDoc::new(&reply), |doc| match &doc.text {
        Some(text) => escape_block(text.trim_end_matches('\n')),
        None => doc.line(),
    })?;
    // Only now: a reply that could not be shown stays in the inbox.
    reply.ack().await?;
    Ok(exit::OK)
}

async fn reply(ctx: &Ctx, agent: &Agent, peer: &Peer, ask: &Ask, args: &AskArgs) -> Result<Message, Failure> {
    let id = ask.id();
    tokio::select! {
        reply = ask.reply() => Ok(reply?),
        failure = never(ctx, agent, peer, ask) => Err(failure),
        () = tokio::time::sleep(args.wait) => {
            let hint = format!("the ask goes on, and a reply shows in: {}", ctx.wire("inbox"));
            let over = match args.key {
                Some(_) => Failure::from(Error::WaitOver),
                // Not to be tried again: without a key the same command asks a second time.
                None => Failure::said("wait_over", Error::WaitOver.to_string()),
            };
            Err(over.hint(format!("{hint}; how far it got: {}", ctx.wire(&format!("status {id}")))))
        }
    }
}

/// Ends only when it is known that no reply will come.
async fn never(ctx: &Ctx, agent: &Agent, peer: &Peer, ask: &Ask) -> Failure {
    match agent.relayed(&ask.id()).await {
        Err(error) => return error.into(),
        Ok(sent) if sent.state == Delivery::Queued => {
            let why = match peer.info().await {
                Ok(info) => agent.trouble_with(&info).map_or_else(WhyDoc::slow, WhyDoc::from),
                Err(error) => return error.into(),
            };
            ctx.out.note(format!("{}; the ask is kept and goes out when that is over", why.message));
            if let Some(hint) = why.hint_line() {
                ctx.out.note(hint);
            }
        }
        Ok(_) => {}
    }
    match agent.wait_for(&ask.id(), Delivery::Refused).await {
        Ok(Sent { end: Some(end), .. }) => end.into(),
        Ok(sent) => Failure::said("refused", format!("the peer did not answer: {}", sent.state)),
        Err(error) => error.into(),
    }
}
