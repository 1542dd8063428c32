//! `wire join`: enter a code, or follow a link.

use std::io::IsTerminal as _;

use serde::Serialize;
use wire_core::Agent;
use wire_core::agent::Error;
use wire_core::pairing::{Code, InviteLink};

use super::pair;
use crate::cli::JoinArgs;
use crate::exit::{self, Failure};
use crate::home::Ctx;

#[derive(Serialize)]
struct PendingDoc {
    state: &'static str,
    next: String,
}

pub(crate) async fn run(ctx: &Ctx, args: &JoinArgs) -> Result<u8, Failure> {
    let text = ctx.stop.or(code(ctx, args)).await?;
    if text.starts_with("http://") || text.starts_with("https://") {
        InviteLink::parse(&text).map_err(Error::from)?;
        return ctx.with(ctx.create().await?, async |agent| follow(ctx, agent, args, &text).await).await;
    }
    // A mistyped code is found before an agent is made or anybody is asked.
    Code::parse(&text).map_err(Error::from)?;
    let work = async |agent: &Agent| {
        let joined = agent.join_with(&text, pair::options(args.name.as_deref(), args.verify));
        let pending = ctx
            .patiently(joined, "waiting for the other side, where `wire pair` has to run, or for the relay")
            .await?;
        pair::finish(ctx, pending, args.verify).await
    };
    ctx.with(ctx.create().await?, work).await
}

async fn code(ctx: &Ctx, args: &JoinArgs) -> Result<String, Failure> {
    let terminal = std::io::stdin().is_terminal();
    if let Some(code) = args.code.as_deref().filter(|code| *code != "-") {
        if !terminal {
            ctx.out.note(
                "note: arguments show in the list of processes; a program pipes the code in: wire join -",
            );
        }
        return Ok(code.to_owned());
    }
    if terminal {
        ctx.out.prompt("Code: ");
    }
    let line = ctx.line().await?;
    if line.is_empty() {
        return Err(Failure::usage("no code was given")
            .hint("get one on the other side: wire pair; then: wire join CODE"));
    }
    Ok(line)
}

async fn follow(ctx: &Ctx, agent: &Agent, args: &JoinArgs, link: &str) -> Result<u8, Failure> {
    let followed = agent.follow(link, pair::options(args.name.as_deref(), args.verify)).await?;
    match followed.paired(Some(args.wait)).await {
        Ok(peer) => pair::paired(ctx, &peer).await,
        Err(Error::WaitOver) => {
            let next = if args.verify {
                format!("{}; then: {}", ctx.wire("peers"), ctx.wire("peers show PEER --verify"))
            } else {
                ctx.wire("peers")
            };
            ctx.out.show(&PendingDoc { state: "pending", next }, |doc| {
                format!(
                    "pending: the other side has to come on line; any command completes it then    next: {}",
                    doc.next
                )
            })?;
            Ok(exit::OK)
        }
        Err(error) => Err(error.into()),
    }
}
