//! `wire peers` and `wire revoke`.

use serde::Serialize;
use wire_core::Agent;
use wire_core::agent::relay_url::RelayUrl;
use wire_core::agent::{Error, PeerInfo, PeerState, Trouble};

use super::{log, pair, reset};
use crate::cli::{MoveArgs, PeersArgs, PeersCommand};
use crate::exit::{self, Failure};
use crate::home::Ctx;
use crate::output::escape;
use crate::views::{InviteDoc, PeerDoc, WhyDoc};

#[derive(Serialize)]
struct PeersDoc {
    peers: Vec<PeerDoc>,
    /// Pairings by link that are under way or have failed.
    invites: Vec<InviteDoc>,
    next: String,
}

pub(crate) async fn run(ctx: &Ctx, agent: &Agent, args: &PeersArgs) -> Result<u8, Failure> {
    match &args.command {
        None | Some(PeersCommand::List) => list(ctx, agent).await,
        Some(PeersCommand::Show { peer, verify }) => show(ctx, agent, &peer.peer, *verify).await,
        Some(PeersCommand::Move(args)) => move_mailboxes(ctx, agent, args).await,
        Some(PeersCommand::Reset(args)) => reset::run(ctx, agent, args).await,
        Some(PeersCommand::Log { command }) => log::run(ctx, agent, command).await,
    }
}

#[derive(Serialize)]
struct MovedDoc {
    relay: String,
    /// Peers that were told.
    moved: Vec<String>,
    /// Why the rest stay where they are.
    failed: Vec<NotMoved>,
    next: String,
}

#[derive(Serialize)]
struct NotMoved {
    peer: String,
    why: WhyDoc,
}

async fn move_mailboxes(ctx: &Ctx, agent: &Agent, args: &MoveArgs) -> Result<u8, Failure> {
    let relay = RelayUrl::parse(&args.relay, ctx.config()?.plain_http()).map_err(Error::from)?;
    // What peers have acknowledged of an earlier move is fetched first.
    let _ = ctx.settle(agent).await;
    let next = |name: &str| ctx.wire(&format!("peers show {name}"));
    let (mut moved, mut failed) = (Vec::new(), Vec::new());
    if let Some(who) = &args.peer {
        let peer = agent.peer(who).await?;
        peer.move_mailbox(&relay).await?;
        moved.push(peer.info().await?.name);
    } else {
        let elsewhere = |info: &PeerInfo| info.state == PeerState::Paired && info.own_relay != relay.as_str();
        for info in agent.peers().await?.into_iter().filter(elsewhere) {
            // One that cannot be moved now holds up no other.
            match agent.peer(&info.root.to_string()).await?.move_mailbox(&relay).await {
                Ok(()) => moved.push(info.name),
                Err(error) => failed.push(NotMoved { peer: info.name, why: Trouble::from(&error).into() }),
            }
        }
    }
    let exit = failed.first().map_or(exit::OK, |first: &NotMoved| exit::exit_of(first.why.code));
    let next = next(moved.first().or(failed.first().map(|f| &f.peer)).map_or("PEER", String::as_str));
    let doc = MovedDoc { relay: relay.as_str().to_owned(), moved, failed, next };
    ctx.out.show(&doc, |doc| {
        let mut lines: Vec<String> =
            doc.moved.iter().map(|name| format!("{} is told of {}", escape(name), doc.relay)).collect();
        lines.extend(doc.failed.iter().map(|f| {
            let hint = f.why.hint_line().map(|hint| format!("\n{hint}")).unwrap_or_default();
            format!("{}: {}{hint}", escape(&f.peer), escape(&f.why.message))
        }));
        if lines.is_empty() {
            lines.push("no mailbox lies elsewhere".to_owned());
        } else {
            lines.push(format!("next: {}", doc.next));
        }
        lines.join("\n")
    })?;
    Ok(exit)
}

async fn list(ctx: &Ctx, agent: &Agent) -> Result<u8, Failure> {
    let _ = ctx.settle(agent).await;
    let peers: Vec<PeerDoc> =
        agent.peers().await?.into_iter().map(|info| PeerDoc::of(agent, info, None)).collect();
    let next = match peers.first() {
        Some(peer) => ctx.wire(&format!("peers show {}", peer.name)),
        None => ctx.wire("pair"),
    };
    let invites = agent.invites().await?.into_iter().map(InviteDoc::from).collect();
    let doc = PeersDoc { peers, invites, next };
    ctx.out.show(&doc, |doc| {
        let mut lines: Vec<String> = doc.peers.iter().map(PeerDoc::line).collect();
        lines.extend(doc.invites.iter().map(InviteDoc::lines));
        if lines.is_empty() {
            lines.push(format!("no peers    next: {}", doc.next));
        }
        lines.join("\n")
    })?;
    Ok(exit::OK)
}

async fn show(ctx: &Ctx, agent: &Agent, who: &str, verify: bool) -> Result<u8, Failure> {
    let _ = ctx.settle(agent).await;
    let peer = agent.peer(who).await?;
    if verify {
        if !pair::compare(ctx, &peer.info().await?.sas).await? {
            let revoke = ctx.wire(&format!("revoke {}", peer.info().await?.name));
            return Err(Failure::said("not_paired", "the words were not confirmed; nothing was changed")
                .hint(format!("if they differ, someone stands in between: {revoke}")));
        }
        peer.confirm_sas().await?;
    }
    let info = peer.info().await?;
    let next = ctx.wire(&format!("send {} \"hi\"", info.name));
    ctx.out.show(&PeerDoc::of(agent, info, Some(next)), PeerDoc::lines)?;
    Ok(exit::OK)
}

pub(crate) async fn revoke(ctx: &Ctx, agent: &Agent, who: &str) -> Result<u8, Failure> {
    let peer = agent.peer(who).await?;
    peer.revoke().await?;
    let next = ctx.wire("peers");
    ctx.out.show(&PeerDoc::new(peer.info().await?, Some(next)), |doc| {
        format!("✓ revoked {}  {}: nothing more is sent or taken", doc.name, doc.fingerprint)
    })?;
    Ok(exit::OK)
}
