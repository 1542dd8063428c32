//! `wire status`: of a message, or of the agent.

use serde::Serialize;
use wire_core::Agent;
use wire_core::agent::{Delivery, Error, PeerInfo, Sent};
use wire_core::record::RecordId;

use super::identity::{BackupDoc, next_backup, next_key_line};
use crate::cli::StatusArgs;
use crate::exit::{self, Failure};
use crate::home::{Ctx, MOMENT};
use crate::output::escape;
use crate::views::{EndDoc, PeerEvent, SentDoc, WhyDoc};

/// Messages under way that are shown.
const MAX: u32 = 20;

#[derive(Serialize)]
struct StatusDoc {
    name: String,
    root: String,
    fingerprint: String,
    relay: String,
    relay_state: &'static str,
    /// Why nothing comes in: what is wrong with the store here, or with the relay.
    why: Option<WhyDoc>,
    /// Peers that nothing more comes from or goes to.
    alarms: Vec<EndDoc>,
    /// Peers that have ended the pairing.
    ended: Vec<EndDoc>,
    /// Resets of sessions that are under way, and what came of others.
    resets: Vec<PeerEvent>,
    folder: String,
    next_key_here: bool,
    /// The recovery file that has the next key.
    backup: Option<BackupDoc>,
    /// Peers of which the pairing is here, and no session.
    needs_reset: Vec<EndDoc>,
    peers: usize,
    unread: u64,
    /// Messages that were handed out too often in vain.
    poison: u64,
    queued: u64,
    /// Messages that are not final yet, the newest first.
    open: Vec<SentDoc>,
    next: Option<String>,
}

pub(crate) async fn run(ctx: &Ctx, agent: &Agent, args: &StatusArgs) -> Result<u8, Failure> {
    match args.id {
        Some(id) => message(ctx, agent, id, args).await,
        None => whole(ctx, agent).await,
    }
}

async fn message(ctx: &Ctx, agent: &Agent, id: RecordId, args: &StatusArgs) -> Result<u8, Failure> {
    let sent = if args.wait {
        let done = outcome(ctx, agent, id);
        match args.timeout {
            Some(limit) => tokio::time::timeout(limit, done).await.unwrap_or(Err(Error::WaitOver))?,
            None => done.await?,
        }
    } else {
        agent.status(&id).await?;
        let _ = ctx.settle(agent).await;
        agent.status(&id).await?
    };
    let next = (!sent.is_final()).then(|| ctx.wire(&format!("status {id} --wait")));
    let outcome = sent.end.as_ref().map_or(exit::OK, |end| exit::exit_of(end.code));
    let why = why_queued(agent, &agent.peers().await?, &sent);
    ctx.out.show(&SentDoc::new(sent, why, next), |doc| match (&doc.next, &doc.why) {
        (Some(next), _) => format!("{}    next: {next}", doc.line()),
        (None, why) => {
            let hint = why.as_ref().and_then(WhyDoc::hint_line);
            [doc.line()].into_iter().chain(hint).collect::<Vec<_>>().join("\n")
        }
    })?;
    Ok(if args.wait { outcome } else { exit::OK })
}

/// Waits until nothing more happens to a message, and says once what it waits for if something is wrong.
async fn outcome(ctx: &Ctx, agent: &Agent, id: RecordId) -> Result<Sent, Error> {
    let sent = agent.status(&id).await?;
    let mut done = std::pin::pin!(agent.wait_for(&id, Delivery::Processed));
    tokio::select! {
        outcome = done.as_mut() => return outcome,
        () = tokio::time::sleep(MOMENT) => {}
    }
    let why = why_queued(agent, &agent.peers().await?, &sent).or_else(|| agent.trouble().map(WhyDoc::from));
    if let Some(why) = why {
        ctx.out.note(format!("{}; still waiting", why.message));
        if let Some(hint) = why.hint_line() {
            ctx.out.note(hint);
        }
    }
    done.await
}

/// Why a message does not go out to its peer.
fn why_queued(agent: &Agent, peers: &[PeerInfo], sent: &Sent) -> Option<WhyDoc> {
    // Live peers come first, and their names are theirs alone.
    let peer = peers.iter().find(|peer| peer.name == sent.peer)?;
    agent.trouble_with(peer).map(WhyDoc::from)
}

async fn whole(ctx: &Ctx, agent: &Agent) -> Result<u8, Failure> {
    let _ = ctx.settle(agent).await;
    // What came of it is the state that is shown.
    let _ = agent.check_relay().await;
    let info = agent.info();
    let backup = agent.identity().await?.backup.map(BackupDoc::from);
    let state = agent.relay_state(&info.relay);
    let peers = agent.peers().await?;
    let (store, relay) = (agent.store_trouble(), state.trouble(&info.relay));
    let in_store = store.is_some();
    let unread = peers.iter().map(|p| p.unread).sum();
    let doc_of = |sent| {
        let why = why_queued(agent, &peers, &sent);
        SentDoc::new(sent, why, None)
    };
    let open = agent.open_deliveries(MAX).await?.into_iter().map(doc_of).collect();
    let doc = StatusDoc {
        name: info.name,
        root: info.root.to_string(),
        fingerprint: info.root.fingerprint(),
        why: store.or(relay).map(WhyDoc::from),
        alarms: EndDoc::alarms(&peers),
        ended: EndDoc::ended(&peers),
        resets: peers.iter().flat_map(PeerEvent::of_session).collect(),
        relay: info.relay,
        relay_state: state.as_str(),
        folder: info.folder.display().to_string(),
        next: (unread > 0).then(|| ctx.wire("inbox")).or_else(|| {
            // That there is none yet is no news each time.
            next_backup(ctx, false, backup.as_ref())
        }),
        next_key_here: info.next_key_here,
        needs_reset: EndDoc::lost(&peers),
        backup,
        peers: peers.len(),
        unread,
        poison: peers.iter().map(|p| p.poison).sum(),
        queued: peers.iter().map(|p| p.queued).sum(),
        open,
    };
    ctx.out.show(&doc, |doc| {
        let why = doc.why.as_ref().map(|why| format!(": {}", escape(&why.message))).unwrap_or_default();
        let hint = doc.why.as_ref().and_then(WhyDoc::hint_line);
        let (of_relay, of_store) = if in_store { (String::new(), why) } else { (why, String::new()) };
        let poison = match doc.poison {
            0 => String::new(),
            n => format!(", {n} poison"),
        };
        let mut lines = vec![
            format!("{}  {}  {}", doc.name, doc.fingerprint, doc.root),
            format!("relay   {}  {}{of_relay}", doc.relay, doc.relay_state),
            format!("folder  {}{of_store}", doc.folder),
            next_key_line(doc.next_key_here, doc.backup.as_ref()),
            format!("{} peers, {} unread, {} queued{poison}", doc.peers, doc.unread, doc.queued),
        ];
        if let Some(hint) = hint {
            lines.insert(if in_store { 3 } else { 2 }, hint);
        }
        lines.extend(doc.alarms.iter().map(EndDoc::alarm));
        lines.extend(doc.ended.iter().map(EndDoc::lines));
        lines.extend(doc.needs_reset.iter().map(EndDoc::lines));
        lines.extend(doc.resets.iter().map(PeerEvent::lines));
        lines.extend(doc.backup.iter().filter_map(BackupDoc::warning));
        lines.extend(doc.open.iter().map(SentDoc::line));
        lines.extend(doc.next.iter().map(|next| format!("next: {next}")));
        lines.join("\n")
    })?;
    Ok(exit::OK)
}
