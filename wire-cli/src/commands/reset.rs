//! `wire peers reset`: a new session in the place of one that is frozen, was rolled back or is lost.

use wire_core::Agent;

use crate::cli::ResetArgs;
use crate::exit::{self, Failure};
use crate::home::Ctx;
use crate::views::PeerDoc;

pub(crate) async fn run(ctx: &Ctx, agent: &Agent, args: &ResetArgs) -> Result<u8, Failure> {
    // What the other side has asked for, or answered, comes first.
    let _ = ctx.settle(agent).await;
    let peer = agent.peer(&args.peer.peer).await?;
    let info = match &args.words {
        Some(words) => peer.confirm_reset(words).await?,
        None if args.cancel => peer.cancel_reset().await?,
        None => peer.reset().await?,
    };
    let is_complete = args.words.is_some() && info.reset.is_none();
    let next = is_complete.then(|| ctx.wire(&format!("send {} \"hi\"", info.name)));
    ctx.out.show(&PeerDoc::of(agent, info, next), |doc| match &doc.reset {
        Some(reset) => {
            let first = format!("{}  {}  {}", doc.name, doc.fingerprint, doc.state);
            [first].into_iter().chain(reset.lines()).collect::<Vec<_>>().join("\n")
        }
        None if is_complete => format!("✓ a new session with {}  {}", doc.name, doc.fingerprint),
        None => format!("{}  {}  {}: no reset is under way", doc.name, doc.fingerprint, doc.state),
    })?;
    Ok(exit::OK)
}
