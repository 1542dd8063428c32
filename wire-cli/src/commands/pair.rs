//! `wire pair`: make a code or a link, and wait for the other side.

use std::time::Duration;

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde::Serialize;
use wire_core::Agent;
use wire_core::agent::{Offer, PairOptions, Peer, Pending};

use crate::cli::PairArgs;
use crate::exit::{self, Failure};
use crate::home::Ctx;
use crate::views::{PeerDoc, left};

/// How long taking a code back may take.
const GOODBYE: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct CodeDoc {
    code: String,
    expires: u64,
    next: String,
}

#[derive(Serialize)]
struct InviteDoc {
    link: String,
    expires: u64,
    state: &'static str,
    next: String,
}

#[derive(Serialize)]
struct WordsDoc<'a> {
    sas: &'a str,
    state: &'static str,
    next: &'static str,
}

pub(crate) async fn run(ctx: &Ctx, args: &PairArgs) -> Result<u8, Failure> {
    let agent = ctx.create().await?;
    if args.invite {
        return ctx.with(agent, async |agent| invite(ctx, agent, args).await).await;
    }
    let offer = ctx.stop.or(offer(ctx, &agent, args)).await?;
    let stopped = async {
        ctx.stop.requested().await;
    };
    let met = tokio::select! {
        met = offer.met_unless(stopped) => met?,
        () = async { ctx.stop.requested().await; tokio::time::sleep(GOODBYE).await } => None,
    };
    // Stopped with the code still open: it was taken back.
    let Some(pending) = met else { return Err(ctx.stop.requested().await) };
    ctx.with(agent, async |_| finish(ctx, pending, args.verify).await).await
}

/// Makes a code and shows it at once.
async fn offer(ctx: &Ctx, agent: &Agent, args: &PairArgs) -> Result<Offer, Failure> {
    let options = options(args.name.as_deref(), args.verify).words(args.words.into());
    let offer = agent.offer_with(options).await?;
    let code = offer.code();
    let next = format!("wire join {code}");
    ctx.out.show(&CodeDoc { code, expires: offer.expires().as_millis(), next }, |doc| {
        let qr = if args.qr { qr(&doc.code) + "\n" } else { String::new() };
        let (code, valid) = (&doc.code, left(doc.expires));
        format!("{qr}Code:  {code}      (valid {valid}, one use)\n       On the other side: {}", doc.next)
    })?;
    Ok(offer)
}

/// From a code that was entered to a peer: the words are shown, compared if that was asked for, and
/// the other side's proof is awaited.
pub(super) async fn finish(ctx: &Ctx, pending: Pending, verify: bool) -> Result<u8, Failure> {
    let words = pending.info().await?.sas;
    if verify {
        // Interrupted here, the pairing waits: `peers show PEER --verify` asks again.
        if !compare(ctx, &words).await? {
            pending.reject().await?;
            return Err(not_confirmed());
        }
        pending.confirm().await?;
    } else if ctx.out.is_json() {
        ctx.out.note(format!("both screens show: {words}"));
    } else {
        ctx.out.show(&(), |()| {
            format!("       both screens show: {words}  <- compare, or pass --verify to require it")
        })?;
    }
    paired(ctx, &pending.paired().await?).await
}

/// Shows a completed pairing.
pub(super) async fn paired(ctx: &Ctx, peer: &Peer) -> Result<u8, Failure> {
    let info = peer.info().await?;
    let next = ctx.wire(&format!("send {} \"hi\"", info.name));
    ctx.out.show(&PeerDoc::new(info, Some(next)), |doc| {
        let next = doc.next.as_deref().unwrap_or_default();
        format!("✓ paired with {}  {}    next: {next}", doc.name, doc.fingerprint)
    })?;
    Ok(exit::OK)
}

/// Lets the owner compare the five words. Without a terminal, `yes` on standard input says that they
/// are the same; anything else, or its end, says that they are not.
pub(super) async fn compare(ctx: &Ctx, words: &str) -> Result<bool, Failure> {
    let next = "write yes to standard input if the other side shows the same words";
    ctx.out.show(&WordsDoc { sas: words, state: "compare", next }, |doc| format!("Words:  {}", doc.sas))?;
    ctx.out.prompt("Does the other screen show the same five words? [yes/no] ");
    Ok(matches!(ctx.line().await?.to_ascii_lowercase().as_str(), "yes" | "y"))
}

fn not_confirmed() -> Failure {
    Failure::said("not_paired", "the words were not confirmed; nobody was paired")
        .hint("if they differed, someone stands in between: use another relay; then: wire pair")
}

pub(super) fn options(name: Option<&str>, verify: bool) -> PairOptions {
    let options = PairOptions::default().verify(verify);
    match name {
        Some(name) => options.name(name),
        None => options,
    }
}

async fn invite(ctx: &Ctx, agent: &Agent, args: &PairArgs) -> Result<u8, Failure> {
    let invite = agent.invite(options(args.name.as_deref(), args.verify)).await?;
    let doc = InviteDoc {
        link: invite.link(),
        expires: invite.expires().as_millis(),
        state: "pending",
        next: ctx.wire("watch"),
    };
    ctx.out.show(&doc, |doc| {
        let qr = if args.qr { qr(&doc.link) + "\n" } else { String::new() };
        format!(
            "{qr}Link:  {}\n       (valid {}, one use; whoever has it can pair)\n       \
             On the other side, on standard input: wire join\n       \
             pending; any command completes it once it was followed, or: {}",
            doc.link,
            left(doc.expires),
            doc.next
        )
    })?;
    if args.wait {
        return paired(ctx, &invite.paired().await?).await;
    }
    Ok(exit::OK)
}

/// For the dark background of a terminal. Empty for a text that no QR code holds.
fn qr(text: &str) -> String {
    let render = |code: QrCode| {
        code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build()
    };
    QrCode::new(text).map(render).unwrap_or_default()
}
