//! `wire inbox`.

use serde::Serialize;
use wire_core::Agent;
use wire_core::agent::Delivery;

use crate::cli::{Ack, InboxArgs};
use crate::exit::{self, Failure};
use crate::home::Ctx;
use crate::views::{EndDoc, MessageDoc, WhyDoc};

/// More than this is not shown at once.
const MAX: u32 = 200;

#[derive(Serialize)]
struct InboxDoc {
    messages: Vec<MessageDoc>,
    /// The relay was asked, and all that waited there is here. If not, `why` says why.
    fetched: bool,
    why: Option<WhyDoc>,
    /// Peers that nothing more comes from.
    alarms: Vec<EndDoc>,
    next: Option<String>,
}

/// What follows the messages when they were acknowledged.
#[derive(Serialize)]
struct AckedDoc {
    processed: usize,
}

/// What was handed out too often in vain.
#[derive(Serialize)]
struct DeadDoc {
    messages: Vec<DeadMessageDoc>,
    next: Option<String>,
}

#[derive(Serialize)]
struct DeadMessageDoc {
    #[serde(flatten)]
    message: MessageDoc,
    /// As its sender knows it.
    state: &'static str,
}

pub(crate) async fn run(ctx: &Ctx, agent: &Agent, args: &InboxArgs) -> Result<u8, Failure> {
    if args.dead {
        return dead(ctx, agent).await;
    }
    let why = ctx.settle(agent).await;
    let fetched = why.is_none();
    let outcome = why.as_ref().map_or(exit::OK, |why| exit::exit_of_unfetched(why.code));
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
    let doc = InboxDoc {
        messages: messages.iter().map(MessageDoc::new).collect(),
        fetched,
        why,
        alarms: EndDoc::alarms(&agent.peers().await?),
        next,
    };
    ctx.out.show(&doc, |doc| {
        let alarms = doc.alarms.iter().map(EndDoc::alarm);
        let mut lines: Vec<String> = alarms.chain(doc.messages.iter().map(MessageDoc::line)).collect();
        lines.extend(match &doc.next {
            Some(next) => Some(format!("next: {next}")),
            None if ack => None,
            None if !doc.fetched => Some("nothing was fetched before".to_owned()),
            None => Some("nothing waits".to_owned()),
        });
        lines.join("\n")
    })?;
    // Only what was shown is acknowledged, and that is said when it is done.
    if ack {
        for message in &messages {
            message.ack().await?;
        }
        let processed = messages.len();
        ctx.out.show(&AckedDoc { processed }, |doc| format!("✓ {} processed", doc.processed))?;
    }
    // Whoever named a message has it here, whatever the relay has.
    Ok(if matches!(args.ack, Some(Ack::One(_))) { exit::OK } else { outcome })
}

async fn dead(ctx: &Ctx, agent: &Agent) -> Result<u8, Failure> {
    let messages = agent.poison(MAX).await?;
    if messages.len() == MAX as usize {
        ctx.out.note(format!("the newest {MAX} are shown"));
    }
    let next = messages.last().map(|last| ctx.wire(&format!("send --re {} \"…\"", last.id())));
    let of = |message| DeadMessageDoc { message: MessageDoc::new(message), state: Delivery::Poison.as_str() };
    let doc = DeadDoc { messages: messages.iter().map(of).collect(), next };
    ctx.out.show(&doc, |doc| {
        let mut lines: Vec<String> = doc.messages.iter().map(|dead| dead.message.line()).collect();
        lines.push(
            doc.next.as_ref().map_or("nothing was put aside".to_owned(), |next| format!("next: {next}")),
        );
        lines.join("\n")
    })?;
    Ok(exit::OK)
}
