//! `wire inbox`.

use serde::Serialize;
use wire_core::Agent;

use crate::cli::{Ack, InboxArgs};
use crate::exit::{self, Failure};
use crate::home::Ctx;
use crate::views::{AlarmDoc, MessageDoc, WhyDoc};

/// More than this is not shown at once.
const MAX: u32 = 200;

#[derive(Serialize)]
struct InboxDoc {
    messages: Vec<MessageDoc>,
    /// How many of them were acknowledged by this command.
    processed: usize,
    /// The relay was asked, and all that waited there is here. If not, `why` says why.
    fetched: bool,
    why: Option<WhyDoc>,
    /// Peers that nothing more comes from.
    alarms: Vec<AlarmDoc>,
    next: Option<String>,
}

pub(crate) async fn run(ctx: &Ctx, agent: &Agent, args: &InboxArgs) -> Result<u8, Failure> {
    let why = ctx.settle(agent).await;
    let fetched = why.is_none();
    let messages = match args.ack {
        None | Some(Ack::All) => agent.waiting(MAX).await?,
        Some(Ack::One(id)) => vec![agent.message(&id).await?],
    };
    if messages.len() == MAX as usize {
        ctx.out.note(format!("the oldest {MAX} are shown; acknowledge them to see the rest"));
    }
    let ack = args.ack.is_some();
    let next = match messages.last() {
        Some(last) if !ack => Some(format!(
            "{}, or: {}",
            ctx.wire(&format!("send --re {} \"…\"", last.id())),
            ctx.wire("inbox --ack all")
        )),
        _ => None,
    };
    // Only what is shown is acknowledged. A program gets its document when that is done; a person sees
    // the messages first.
    let doc = InboxDoc {
        processed: if ack { messages.len() } else { 0 },
        messages: messages.iter().map(MessageDoc::new).collect(),
        fetched,
        why,
        alarms: AlarmDoc::all(&agent.peers().await?),
        next,
    };
    if !ctx.out.is_json() {
        ctx.out.show(&doc, |doc| {
            let alarms = doc.alarms.iter().map(AlarmDoc::lines);
            alarms.chain(doc.messages.iter().map(MessageDoc::line)).collect::<Vec<_>>().join("\n")
        })?;
    }
    if ack {
        for message in &messages {
            message.ack().await?;
        }
    }
    ctx.out.show(&doc, |doc| match (&doc.next, ack) {
        (Some(next), _) => format!("next: {next}"),
        (None, true) => format!("✓ {} processed", doc.processed),
        (None, false) if !doc.fetched => "nothing was fetched before".to_owned(),
        (None, false) => "nothing waits".to_owned(),
    })?;
    // Whoever named a message has it here, whatever the relay has.
    let told = fetched || matches!(args.ack, Some(Ack::One(_)));
    Ok(if told { exit::OK } else { exit::UNREACHABLE })
}
