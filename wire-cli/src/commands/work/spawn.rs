//! `wire spawn`: a container that stays.

use std::time::Instant;

use serde::Serialize;
use wire_core::spawn::{Lifetime, State, ValidSpec};
use wire_core::time::Timestamp;

use super::docs::{ReportDoc, short};
use super::{engine, make, spec};
use crate::cli::SpawnArgs;
use crate::exit::{self, Failure};
use crate::home::Ctx;
use crate::views::left;

#[derive(Serialize)]
struct SpawnDoc {
    name: String,
    id: String,
    /// False: it was there already, by its key or name.
    new: bool,
    /// Proved from inside, just now.
    attested: bool,
    expires: Option<u64>,
    report: Option<ReportDoc>,
    spawn_ms: u128,
    next: String,
}

impl SpawnDoc {
    fn lines(&self) -> String {
        let what = match (self.new, self.attested) {
            (false, _) => "the same as before".to_owned(),
            (true, true) => format!("up in {} ms, proved from inside", self.spawn_ms),
            (true, false) => format!("up in {} ms", self.spawn_ms),
        };
        let ends = self.expires.map(|end| format!(", ends in {}", left(end))).unwrap_or_default();
        let mut lines = vec![format!("✓ {}  {}  {what}{ends}", self.name, short(&self.id))];
        lines.extend(self.report.as_ref().and_then(ReportDoc::line).map(|line| format!("  {line}")));
        lines.push(format!("  next: {}", self.next));
        lines.join("\n")
    }
}

pub(crate) async fn run(ctx: &Ctx, args: &SpawnArgs) -> Result<u8, Failure> {
    let begun = Instant::now();
    let mut spec = spec::of(ctx, &args.container, false).await?;
    spec = spec.lifetime(Lifetime::Detached { max: args.life });
    if !args.cmd.is_empty() {
        spec = spec.cmd(args.cmd.iter().map(|word| word.0.as_str()));
        if !args.container.no_shim {
            spec = spec.stay();
        }
    }
    let docker = engine(ctx).await?;
    let start = async |plan: &ValidSpec| Ok((docker.start(plan).await?, ()));
    let (sandbox, ()) = make(ctx, &docker, spec, start).await?;
    let name = sandbox.name().to_string();
    if !sandbox.is_new() {
        let status = sandbox.status().await?;
        if !matches!(status.state, State::Running | State::Paused) {
            let ended = format!("{name} was made before, and is {}", status.state.name());
            return Err(Failure::said("not_running", ended)
                .hint(format!("take another key or name, or remove it first: wire stop {name}")));
        }
    }
    let next = match (args.cmd.is_empty(), args.container.no_shim) {
        (true, _) => format!("wire exec {name} -- CMD"),
        (false, false) => format!("wire logs -f {name}"),
        // Only the engine has its output.
        (false, true) => format!("docker logs -f {name}"),
    };
    let doc = SpawnDoc {
        id: sandbox.id().to_string(),
        new: sandbox.is_new(),
        attested: sandbox.attestation().is_some(),
        expires: sandbox.expires().map(Timestamp::as_millis),
        report: sandbox.report().map(ReportDoc::from),
        spawn_ms: begun.elapsed().as_millis(),
        next,
        name,
    };
    ctx.out.show(&doc, SpawnDoc::lines)?;
    Ok(exit::OK)
}
