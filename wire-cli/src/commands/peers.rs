//! `wire peers` and `wire revoke`.

use serde::Serialize;
use wire_core::Agent;

use super::{log, pair};
use crate::cli::{PeersArgs, PeersCommand};
use crate::exit::{self, Failure};
use crate::home::Ctx;
use crate::views::{InviteDoc, PeerDoc};

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
        Some(PeersCommand::Log { command }) => log::run(ctx, agent, command).await,
    }
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
