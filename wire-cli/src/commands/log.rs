//! `wire peers log export|verify|prune`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read as _, Write};
use std::path::Path;

use data_encoding::HEXLOWER;
use serde::Serialize;
use wire_core::Agent;
use wire_core::agent::Peer;
use wire_core::record::log::{LogError, LogReport, LogVerifier, MAX_LINE, SideReport};

use crate::cli::{LogCommand, LogExport, LogPrune};
use crate::exit::{self, Failure};
use crate::home::Ctx;

#[derive(Serialize)]
struct ExportDoc {
    file: String,
    lines: u64,
    next: String,
}

#[derive(Serialize)]
struct ReportDoc {
    session: String,
    own: SideDoc,
    peer: SideDoc,
}

#[derive(Serialize)]
struct SideDoc {
    root: String,
    fingerprint: String,
    records: u64,
    head: String,
    /// Without their body.
    pruned: u64,
    received: u64,
    processed: u64,
    /// Of those that are processed: not taken.
    excepted: u64,
    /// What it has signed by its own word.
    signed: u64,
    conflict: bool,
}

#[derive(Serialize)]
struct PrunedDoc {
    pruned: u64,
}

pub(super) async fn run(ctx: &Ctx, agent: &Agent, command: &LogCommand) -> Result<u8, Failure> {
    match command {
        LogCommand::Export(args) => export(ctx, agent, args).await,
        LogCommand::Prune(args) => prune(ctx, agent, args).await,
        LogCommand::Verify(args) => {
            let peer = agent.peer(args.peer.as_deref().unwrap_or_default()).await?;
            let mut log = LogVerifier::default();
            let mut lines = peer.log_before(args.back, true).await?;
            while let Some(line) = lines.next().await? {
                log.take(line.to_text().as_bytes()).map_err(bad_log)?;
            }
            show(ctx, &log.finish().map_err(bad_log)?)
        }
    }
}

async fn export(ctx: &Ctx, agent: &Agent, args: &LogExport) -> Result<u8, Failure> {
    let peer = agent.peer(&args.peer.peer).await?;
    let Some(path) = args.out.as_deref().filter(|path| *path != Path::new("-")) else {
        write(&peer, args, &mut BufWriter::new(io::stdout().lock())).await?;
        return Ok(exit::OK);
    };
    let at = |error: io::Error| unwritable(path, &error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // It has its name when it is whole, and is for its owner alone.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(at)?;
    let lines = write(&peer, args, &mut BufWriter::new(file.as_file_mut())).await?;
    file.as_file().sync_all().map_err(at)?;
    file.persist_noclobber(path).map_err(|error| at(error.error))?;
    let doc = ExportDoc {
        file: path.display().to_string(),
        lines,
        next: format!("wire peers log verify --file {}", path.display()),
    };
    ctx.out.show(&doc, |doc| format!("✓ {}  {} lines    next: {}", doc.file, doc.lines, doc.next))?;
    Ok(exit::OK)
}

async fn write(peer: &Peer, args: &LogExport, to: &mut impl Write) -> Result<u64, Failure> {
    let mut lines = peer.log_before(args.back, !args.no_bodies).await?;
    let mut count = 0;
    while let Some(line) = lines.next().await? {
        to.write_all(line.to_text().as_bytes())?;
        count += 1;
    }
    to.flush()?;
    Ok(count)
}

async fn prune(ctx: &Ctx, agent: &Agent, args: &LogPrune) -> Result<u8, Failure> {
    let peer = agent.peer(&args.peer.peer).await?;
    let doc = PrunedDoc { pruned: peer.prune(args.older).await? };
    ctx.out.show(&doc, |doc| format!("✓ forgot what {} messages said", doc.pruned))?;
    Ok(exit::OK)
}

/// A file that somebody exported; `-` is standard input.
pub(super) fn verify_file(ctx: &Ctx, path: &Path) -> Result<u8, Failure> {
    let unreadable = |error: &io::Error| {
        let message = format!("cannot read {}: {error}", path.display());
        Failure::said("not_readable", message).hint("name a file of wire peers log export")
    };
    let mut file: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(|error| unreadable(&error))?))
    };
    let mut log = LogVerifier::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let most = MAX_LINE as u64 + 1;
        (&mut file).take(most).read_until(b'\n', &mut line).map_err(|error| unreadable(&error))?;
        if line.is_empty() {
            return show(ctx, &log.finish().map_err(bad_log)?);
        }
        log.take(&line).map_err(bad_log)?;
    }
}

fn show(ctx: &Ctx, report: &LogReport) -> Result<u8, Failure> {
    let doc = ReportDoc {
        session: HEXLOWER.encode(report.session.as_bytes()),
        own: SideDoc::from(&report.own),
        peer: SideDoc::from(&report.peer),
    };
    ctx.out.show(&doc, |doc| format!("✓ the log holds\n{}\n{}", doc.own.lines(), doc.peer.lines()))?;
    Ok(exit::OK)
}

impl From<&SideReport> for SideDoc {
    fn from(side: &SideReport) -> Self {
        Self {
            root: side.root.to_string(),
            fingerprint: side.root.fingerprint(),
            records: side.records,
            head: HEXLOWER.encode(side.head.as_bytes()),
            pruned: side.pruned,
            received: side.received,
            processed: side.processed,
            excepted: side.excepted,
            signed: side.signed,
            conflict: side.conflict,
        }
    }
}

impl SideDoc {
    fn lines(&self) -> String {
        let Self { fingerprint, records, received, processed, excepted, pruned, signed, .. } = self;
        let mut lines = format!(
            "  {fingerprint}  signed {records}; the other side has signed: {received} received, \
             {processed} processed, {excepted} of them not taken"
        );
        if *pruned > 0 {
            lines.push_str(&format!("\n                  {pruned} without their body"));
        }
        if signed > records {
            lines.push_str(&format!(
                "\n                  it has signed {signed} by its own word: the newest are not here"
            ));
        }
        if self.conflict {
            lines.push_str("\n                  it signed two histories, and the log holds the proof");
        }
        lines
    }
}

fn bad_log(error: LogError) -> Failure {
    Failure::said("bad_log", format!("the log proves nothing: {error}"))
        .hint("have it exported again, by the other side if need be")
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot write {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull => Failure::said("disk_full", message).hint("make room, and export again"),
        io::ErrorKind::AlreadyExists => Failure::said("usage", message).hint("name a file that is not there"),
        _ => Failure::said("not_writable", message).hint("name a file in a folder that you may write"),
    }
}
