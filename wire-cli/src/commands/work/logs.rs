//! `wire logs`: what a program has said, as far as the shim still has it.

use data_encoding::BASE64;
use serde::Serialize;
use wire_core::spawn::docker::Exec;
use wire_core::spawn::{ExecEvent, ExecId, Outcome, Stream};

use super::carry::{name, note_gap, write};
use super::docs::OutcomeDoc;
use super::{engine, find, known};
use crate::cli::LogsArgs;
use crate::exit::{self, Failure};
use crate::home::Ctx;

#[derive(Serialize)]
struct PartDoc {
    stream: &'static str,
    offset: u64,
    /// The bytes, if they are text.
    text: Option<String>,
    /// The bytes in base64, if they are not.
    body: Option<String>,
}

#[derive(Serialize)]
struct GapDoc {
    gap: Gap,
}

#[derive(Serialize)]
struct Gap {
    stream: &'static str,
    from: u64,
    to: u64,
}

#[derive(Serialize)]
struct EndDoc {
    end: OutcomeDoc,
}

/// The two streams: where reading is, and where it has to come to.
struct Way {
    wanted: [bool; 2],
    at: [u64; 2],
    /// None to follow.
    to: Option<[u64; 2]>,
    /// The beginning of a character whose end has not come.
    begun: [Vec<u8>; 2],
}

pub(crate) async fn run(ctx: &Ctx, args: &LogsArgs) -> Result<u8, Failure> {
    let docker = engine(ctx).await?;
    let sandbox = find(&docker, &args.id).await?;
    let exec = match (known(&sandbox, args.exec.unwrap_or(*ExecId::MAIN.as_bytes())).await, args.exec) {
        (Err(Failure::Said { code: "not_found", .. }), None) => {
            return Err(Failure::said("not_found", format!("{} has no command of its own", sandbox.name()))
                .hint(format!(
                    "wire ps {} lists its programs; give one of them with --exec",
                    sandbox.name()
                )));
        }
        (exec, _) => exec?,
    };
    let said = [exec.stdout, exec.stderr];
    let wanted = [!args.stderr, !args.stdout];
    if !wanted.iter().zip(said).any(|(wanted, said)| *wanted && args.since <= said) {
        let [stdout, stderr] = said;
        let past =
            format!("--since {} is past the end: stdout has {stdout} bytes, stderr {stderr}", args.since);
        ctx.out.note(past);
    }
    // One that has ended is followed to its end, which is told.
    let (at, to) = match exec.outcome {
        Some(_) => (said.map(|said| args.since.min(said)), None),
        None => ([args.since; 2], (!args.follow).then_some(said)),
    };
    let way = Way { wanted, at, to, begun: Default::default() };
    if way.is_done() {
        return Ok(exit::OK);
    }
    let exec = sandbox.attach(exec.id, way.at).await?;
    ctx.stop.or(read(ctx, exec, way)).await
}

async fn read(ctx: &Ctx, mut exec: Exec, mut way: Way) -> Result<u8, Failure> {
    while let Some(event) = exec.next().await {
        match event {
            ExecEvent::Out { stream, offset, bytes } => {
                let end = offset + bytes.len() as u64;
                if way.wants(stream) {
                    show(ctx, &mut way, stream, offset, bytes).await?;
                }
                way.reached(stream, end);
            }
            ExecEvent::Gap { stream, from, to } => {
                if way.wants(stream) {
                    if ctx.out.is_json() {
                        let stream = name(stream);
                        ctx.out.show(&GapDoc { gap: Gap { stream, from, to } }, |_| String::new())?;
                    }
                    note_gap(ctx, stream, from, to);
                }
                way.reached(stream, to);
            }
            ExecEvent::Ended { outcome, oom_seen } => {
                let end = OutcomeDoc::new(&outcome, oom_seen);
                if ctx.out.is_json() {
                    ctx.out.show(&EndDoc { end }, |_| String::new())?;
                } else if let Some(note) = end.note() {
                    ctx.out.note(note);
                }
                if let Outcome::ContainerGone(_) | Outcome::Lost { .. } = outcome {
                    let rest = "the rest of what it said cannot be read any more";
                    return Err(Failure::said("incomplete", rest).hint("wire ps --all shows what is there"));
                }
                break;
            }
            _ => {}
        }
        if way.is_done() {
            break;
        }
    }
    exec.detach();
    Ok(exit::OK)
}

async fn show(
    ctx: &Ctx,
    way: &mut Way,
    stream: Stream,
    offset: u64,
    mut bytes: Vec<u8>,
) -> Result<(), Failure> {
    if !ctx.out.is_json() {
        return Ok(write(stream, bytes).await?);
    }
    let begun = &mut way.begun[stream.index()];
    let offset = offset.saturating_sub(begun.len() as u64);
    bytes.splice(..0, begun.drain(..));
    if let Err(error) = std::str::from_utf8(&bytes)
        && error.error_len().is_none()
    {
        *begun = bytes.split_off(error.valid_up_to());
    }
    let (text, body) = match String::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(BASE64.encode(error.as_bytes()))),
    };
    let doc = PartDoc { stream: name(stream), offset, text, body };
    if doc.text.as_deref() == Some("") { Ok(()) } else { ctx.out.show(&doc, |_| String::new()) }
}

impl Way {
    const fn wants(&self, stream: Stream) -> bool {
        let [stdout, stderr] = self.wanted;
        match stream {
            Stream::Stdout => stdout,
            Stream::Stderr => stderr,
        }
    }

    fn reached(&mut self, stream: Stream, at: u64) {
        self.at[stream.index()] = at;
    }

    /// Everything has come that there was when it was asked for.
    fn is_done(&self) -> bool {
        self.to.is_some_and(|to| {
            self.wanted.iter().zip(self.at).zip(to).all(|((wanted, at), to)| !wanted || at >= to)
        })
    }
}
